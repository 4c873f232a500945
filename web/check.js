// One check from beginning to end: every entry is gathered with alone, a few at a time, and
// then the relays are measured one after another, so that they do not disturb each other.
import {gather} from './gather.js';
import {loop} from './loop.js';

// Silent servers take ten seconds each; more at once could meet a user's quota.
const at_once = 4;

async function in_turn(rows, workers, work) {
  const waiting = [...rows];
  await Promise.all(Array.from({length: workers}, async () => {
    for (let row = waiting.shift(); row; row = waiting.shift()) await work(row);
  }));
}

const gave = (row, type) => row.gathered?.candidates.some((candidate) => candidate.type === type);

// Whether the NAT in front keeps its mapping shows only with two servers asked from one
// socket.
function second_opinion(rows, signal) {
  const answered = rows.filter((row) => row.entry.kind === 'stun' && gave(row, 'srflx'));
  const hosts = new Set(answered.map(({entry}) => entry.host));
  return hosts.size > 1 ? gather(answered.map(({entry}) => entry), signal) : undefined;
}

export class Check {
  // `on_change(row)`, `on_measure(row)` and `on_progress(key, values)` tell what happens.
  constructor(entries, duration_ms, watcher) {
    this.rows = entries.map((entry) => ({entry, phase: entry.problem ? 'done' : 'waiting'}));
    this.duration_ms = duration_ms;
    this.watcher = watcher;
    this.stopping = new AbortController();
    this.phase = 'running';
  }

  stop() {
    this.stopping.abort();
  }

  async run() {
    const {signal} = this.stopping;
    const usable = this.rows.filter(({entry}) => !entry.problem);
    this.watcher.on_progress('progress_gather', {n: usable.length});
    await in_turn(usable, at_once, (row) => this.#gather(row, signal));
    const relays = usable.filter((row) => gave(row, 'relay'));
    for (const [index, row] of relays.entries()) await this.#loop(row, index + 1, relays.length, signal);
    if (!signal.aborted) this.together = await second_opinion(usable, signal);
    this.phase = signal.aborted ? 'stopped' : 'done';
    this.watcher.on_progress(`progress_${this.phase}`, {});
  }

  #enter(row, phase) {
    row.phase = phase;
    this.watcher.on_change(row);
  }

  async #gather(row, signal) {
    if (signal.aborted) return;
    this.#enter(row, 'gathering');
    const gathered = await gather([row.entry], signal);
    if (signal.aborted) return this.#enter(row, 'stopped');
    row.gathered = gathered;
    this.#enter(row, gave(row, 'relay') ? 'gathered' : 'done');
  }

  async #loop(row, n, of, signal) {
    if (signal.aborted) return;
    this.#enter(row, 'looping');
    this.watcher.on_progress('progress_loop', {n, of, row});
    const looped = await loop(row.entry, this.duration_ms, signal, (partial) => {
      row.looped = partial;
      this.watcher.on_measure(row);
    });
    row.looped = signal.aborted ? undefined : looped;
    this.#enter(row, signal.aborted ? 'stopped' : 'done');
  }
}
