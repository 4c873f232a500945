import {spawn} from 'node:child_process';
import {mkdtempSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

import {trust} from './certificate.js';

const program = fileURLToPath(new URL('browser_process.js', import.meta.url));

// A browser with page.js in a namespace. Every function of page.js's `end` is a command.
export class Browser {
  #process;
  #waiting = new Map();
  #last = 0;

  // `name`: chromium or firefox. `authority`: the PEM file of an authority it is to trust.
  // The browser's home is made in `directory`.
  static async launch(name, space, directory, authority) {
    const home = mkdtempSync(join(directory, `${name}-`));
    if (authority) trust(name === 'firefox' ? `${home}/firefox` : `${home}/.pki/nssdb`, authority);
    const browser = new Browser(space, home);
    browser.version = await browser.do('launch', name, home);
    return browser;
  }

  constructor(space, home) {
    this.#process = spawn('ip', ['netns', 'exec', space, process.execPath, program], {
      stdio: ['ignore', 2, 2, 'ipc'],
      env: {...process.env, HOME: home, XDG_DATA_HOME: `${home}/.local/share`},
    });
    this.#process.on('message', ({id, value, error}) => {
      const {resolve, reject} = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(value);
      else reject(new Error(error));
    });
    this.ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        const reason = new Error(`the browser's driver ended: ${code ?? signal}`);
        for (const {reject} of this.#waiting.values()) reject(reason);
        resolve();
      });
    });
  }

  do(command, ...argv) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(++this.#last, {resolve, reject});
      this.#process.send({id: this.#last, command, argv});
    });
  }

  async quit() {
    await this.do('quit');
    this.#process.disconnect();
    await this.ended;
  }
}
