// Another server, for what ours does not do or must not be asked to.
import assert from 'node:assert/strict';
import {execFile, spawn} from 'node:child_process';
import {promisify} from 'node:util';

const user = {username: 'carol', credential: 'e2e-password-of-carol'};

// Leaves with 0 once something takes connections there.
const knock = (address) => `
  const {connect} = await import('node:net');
  const attempt = () => connect(3478, '${address}')
    .on('connect', () => process.exit(0))
    .on('error', () => setTimeout(attempt, 50));
  setTimeout(() => process.exit(1), 15000);
  attempt();`;

// coturn on `address`, with UDP and TCP on 3478 and TLS on 5349. `rules`: more options.
export async function start_coturn({space, address, files, rules = []}) {
  const server = spawn('ip', ['netns', 'exec', space, 'turnserver', '-n', '--no-cli',
    `--listening-ip=${address}`, `--relay-ip=${address}`, '--lt-cred-mech', '--realm=e2e.test',
    `--user=${user.username}:${user.credential}`, `--cert=${files.certificate}`, `--pkey=${files.key}`,
    '--log-file=stdout', '--pidfile=/dev/null', ...rules], {stdio: 'ignore'});
  const ended = new Promise((resolve) => { server.once('exit', resolve); });
  const waiting = promisify(execFile)('ip', ['netns', 'exec', space, process.execPath,
    '--input-type=module', '-e', knock(address)]);
  const early = await Promise.race([waiting.then(() => undefined), ended]);
  assert.equal(early, undefined, 'coturn ended at its start');
  return {
    user,
    async stop() {
      server.kill('SIGKILL');
      await ended;
    },
  };
}
