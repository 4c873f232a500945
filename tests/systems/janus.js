// Janus in a namespace, and its HTTP API asked from inside there.
import assert from 'node:assert/strict';
import {execFile, spawn} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';

// Whatever `url` answers, as text, from inside the namespace; asked again while nobody
// listens there yet.
export async function ask(space, url, body) {
  const options = body === undefined ? {} : {method: 'POST', body: JSON.stringify(body)};
  const script = `
    const deadline = Date.now() + 20000;
    while (true) {
      try {
        process.stdout.write(await (await fetch(${JSON.stringify(url)}, ${JSON.stringify(options)})).text());
        break;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }`;
  const argv = ['netns', 'exec', space, process.execPath, '--input-type=module', '-e', script];
  return (await promisify(execFile)('ip', argv)).stdout;
}

export class Janus {
  log = '';
  #space;
  #process;
  #ended;

  // `nat`: the section of that name in janus.jcfg.
  constructor(space, directory, nat) {
    this.#space = space;
    const folder = join(directory, 'janus');
    mkdirSync(folder);
    writeFileSync(join(folder, 'janus.jcfg'), nat);
    writeFileSync(join(folder, 'janus.transport.http.jcfg'),
                  'general: { http = true\n port = 8088\n ip = "127.0.0.1" }\n');
    this.#process = spawn('ip', ['netns', 'exec', space, 'janus', '-F', folder],
                          {stdio: ['ignore', 'pipe', 'pipe']});
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { this.log += text; });
    }
    this.#ended = new Promise((resolve) => { this.#process.once('close', resolve); });
  }

  async #request(path, body) {
    const text = await ask(this.#space, `http://127.0.0.1:8088/janus${path}`,
                           body && {transaction: 'test', ...body})
        .catch(() => assert.fail(`Janus does not answer:\n${this.log}`));
    const answer = JSON.parse(text);
    assert.notEqual(answer.janus, 'error', `${text}\n${this.log}`);
    return answer;
  }

  // Its answer to `offer`, from the plug-in that sends back what it gets. `how`: more of what
  // the description may say, such as force_relay.
  async echo(offer, how) {
    const session = (await this.#request('', {janus: 'create'})).data.id;
    const handle = (await this.#request(`/${session}`, {
      janus: 'attach', plugin: 'janus.plugin.echotest', opaque_id: 'marker-opaque-id',
    })).data.id;
    await this.#request(`/${session}/${handle}`, {
      janus: 'message', body: {audio: false, video: true}, jsep: {...offer, ...how},
    });
    let event;
    do event = await this.#request(`/${session}`);
    while (!event.jsep);
    return event.jsep;
  }

  async stop() {
    this.#process.kill('SIGTERM');
    await this.#ended;
  }
}
