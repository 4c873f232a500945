import assert from 'node:assert/strict';
import {execFile, execFileSync, spawn} from 'node:child_process';
import {createHmac} from 'node:crypto';
import {appendFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

export const program = process.env.YUELAO ??
    fileURLToPath(new URL('../../build/dev/server/yuelao', import.meta.url));
export const secret = 'e2e-shared-secret-of-a-meeting-system';
const password = 'e2e-password-of-alice';

const list = (ranges) => `[${ranges.map((range) => `'${range}'`).join(', ')}]`;

const configuration = ({addresses, files, allow, mode, drain, metrics, tls_port, more}) => `
listen: [${addresses.flatMap((address) => {
  const host = address.includes(':') ? `[${address}]` : address;
  return [`'udp:${host}:3478'`, `'tcp:${host}:3478'`, `'tls:${host}:${tls_port}'`];
}).join(', ')}]
relay: {addresses: ${list(addresses)}}
tls: {certificate: ${files.certificate}, key: ${files.key}}
realm: e2e.test
users: [{name: alice, password: ${password}}]
secrets: [{value: ${secret}}]
peers: {allow: ${list(allow)}, mode: ${mode}}
metrics: ${metrics}
drain_timeout: ${drain}
${more}
`;

// What a meeting system makes for its guests out of the shared secret.
function guest() {
  const username = `${Math.floor(Date.now() / 1000) + 3600}:guest`;
  const credential = createHmac('sha1', secret).update(username).digest('base64');
  return {username, credential};
}

// Asks the server's HTTP listener, from inside the namespace; nothing when it does not
// answer with success.
async function get(space, metrics, path) {
  const ask = `const answer = await fetch('http://${metrics}${path}');
               if (!answer.ok) process.exit(1);
               process.stdout.write(await answer.text());`;
  const argv = ['netns', 'exec', space, process.execPath, '--input-type=module', '-e', ask];
  try {
    return (await promisify(execFile)('ip', argv)).stdout;
  } catch {
    return undefined;
  }
}

class Server {
  alice = {username: 'alice', credential: password};
  guest = guest();
  log = '';
  snippets = [];
  #space;
  #metrics;
  #process;
  #outcome;
  #exited;

  constructor(space, file, metrics) {
    this.#space = space;
    this.#metrics = metrics;
    this.#process = spawn('ip', ['netns', 'exec', space, program, 'serve', '--config', file],
                          {stdio: ['ignore', 'pipe', 'pipe']});
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { this.log += text; });
    }
    this.#exited = new Promise((resolve) => {
      this.#process.once('close', (code, signal) => resolve(this.#outcome = code ?? signal));
    });
  }

  // Waits until `holds` for what `path` answers.
  async expect(what, path, holds, deadline_ms = 20_000) {
    const deadline = Date.now() + deadline_ms;
    let answer;
    do {
      assert.equal(this.#outcome, undefined, `the server ended:\n${this.log}`);
      assert.ok(Date.now() < deadline,
                `${what}: not within ${deadline_ms} ms\n${answer}\n${this.log}`);
      answer = await get(this.#space, this.#metrics, path);
    } while (!holds(answer));
  }

  // What `integrate` tells the operator to put into the file whose name begins with `where`.
  told(where) {
    return this.snippets.find((snippet) => snippet.where.startsWith(where)).text;
  }

  // What browsers leave goes at once, not with its lifetime.
  async expect_no_allocation() {
    await this.expect('no allocation left', '/metrics', (answer = '') => {
      const gauges = [...answer.matchAll(/^yuelao_allocations{.*} (\d+)$/gm)];
      return gauges.length > 0 && gauges.every(([, value]) => value === '0');
    });
  }

  // Ends it as a service manager does. A sanitizer's report shows in the outcome.
  async stop() {
    this.#process.kill('SIGTERM');
    assert.equal(await this.#exited, 0, this.log);
  }
}

// Adds to the configuration what `yuelao integrate` says it needs; what the meeting system
// needs is the result. `argv`: the system, and options.
function add_integration(file, directory, argv) {
  const {yuelao, snippets} = JSON.parse(execFileSync(program, [
    'integrate', ...argv, '--json', '--config', file, '--state-directory', join(directory, 'state'),
  ], {encoding: 'utf8'}));
  appendFileSync(file, yuelao.text);
  return snippets;
}

// Serves UDP, TCP and TLS on 3478 and TLS on `tls_port` of `addresses`. `files`: see issue().
// `allow`: peers that the default policy would refuse; `mode`: whom clients reach. `more`: YAML.
// `integrate`: see add_integration().
export async function start_server({
  space, addresses, directory, files, allow = [], mode = 'peer-to-peer', drain = '5s',
  metrics = '127.0.0.1:9641', tls_port = 5349, more = '', integrate = [],
}) {
  const file = join(directory, 'yuelao.yaml');
  const text = configuration({addresses, files, allow, mode, drain, metrics, tls_port, more});
  writeFileSync(file, text, {mode: 0o600});
  const snippets = integrate.length > 0 ? add_integration(file, directory, integrate) : [];
  const server = new Server(space, file, metrics);
  server.snippets = snippets;
  await server.expect('ready', '/readyz', (answer) => answer !== undefined);
  return server;
}
