// A part of a meeting system, as a process in a namespace.
import {spawn} from 'node:child_process';

const patience_ms = 30_000;

// Resolves once the program has printed what matches `ready`; then stop() ends it.
export async function start_program({space, argv, environment = {}, ready}) {
  const child = spawn('ip', ['netns', 'exec', space, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'], env: {...process.env, ...environment},
  });
  let output = '';
  const ended = new Promise((resolve) => { child.once('close', resolve); });
  await new Promise((resolve, reject) => {
    const give_up = (reason) => {
      child.kill('SIGKILL');
      reject(new Error(`${argv[0]}: ${reason}\n${output}`));
    };
    const expiry = setTimeout(() => give_up('not ready in time'), patience_ms);
    const over = (settle, ...how) => {
      clearTimeout(expiry);
      settle(...how);
    };
    child.once('error', ({message}) => over(give_up, message));
    ended.then(() => over(give_up, 'ended before it was ready'));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (ready.test(output)) over(resolve);
      });
    }
  });
  return {
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
