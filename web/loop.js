// Two ends in this page, each behind its own relay of the same server: what one sends goes
// to the server, from relay to relay, and back here.
import {configuration_of} from './gather.js';

const connection_bound_ms = 12000;
const probe_every_ms = 50;
const last_reply_ms = 1000;
const sample_every_ms = 200;
const chunk_bytes = 16384;
// Enough to keep a fast network busy, and little enough to stop at once.
const buffered_bytes = 512 * 1024;
// What a check may cost on a metered network.
const most_bytes = 48 * 1024 * 1024;

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function trickle(from, to) {
  from.onicecandidate = ({candidate}) => {
    if (candidate && to.signalingState !== 'closed') to.addIceCandidate(candidate).catch(() => {});
  };
}

async function negotiate(caller, callee) {
  trickle(caller, callee);
  trickle(callee, caller);
  const offer = await caller.createOffer();
  await callee.setRemoteDescription(offer);
  await caller.setLocalDescription(offer);
  const answer = await callee.createAnswer();
  await caller.setRemoteDescription(answer);
  await callee.setLocalDescription(answer);
}

// True once `channels` are open, false when they will not be.
function opened(ends, channels, signal) {
  return new Promise((resolve) => {
    const bound = setTimeout(() => resolve(false), connection_bound_ms);
    const settle = (value) => {
      clearTimeout(bound);
      resolve(value);
    };
    signal.addEventListener('abort', () => settle(false), {once: true});
    for (const end of ends) {
      end.addEventListener('connectionstatechange', () => {
        if (end.connectionState === 'failed') settle(false);
      });
    }
    for (const channel of channels) {
      channel.addEventListener('open', () => {
        if (channels.every(({readyState}) => readyState === 'open')) settle(true);
      });
    }
  });
}

async function pairs_of(connection) {
  const stats = await connection.getStats();
  return [...stats.values()].filter(({type}) => type === 'candidate-pair');
}

// How many connectivity checks left, and how many arrived, on both ends.
async function checks_of(ends) {
  const pairs = (await Promise.all(ends.map(pairs_of))).flat();
  const sum = (field) => pairs.reduce((total, pair) => total + (pair[field] ?? 0), 0);
  return {
    sent: sum('requestsSent'),
    received: sum('requestsReceived') + sum('responsesReceived'),
    refused: pairs.length > 0 && pairs.every(({state}) => state === 'failed'),
  };
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)];
}

async function probe(channel, duration_ms, signal, on_sample) {
  const sent = [];
  const samples = [];
  const started = performance.now();
  channel.onmessage = ({data}) => {
    const now = performance.now();
    const sample = {at: now - started, value: now - sent[Number(data)]};
    samples.push(sample);
    on_sample(samples);
  };
  while (performance.now() - started < duration_ms && channel.readyState === 'open' && !signal.aborted) {
    sent.push(performance.now());
    channel.send(String(sent.length - 1));
    await pause(probe_every_ms);
  }
  const given_up = performance.now() + last_reply_ms;
  while (samples.length < sent.length && performance.now() < given_up && !signal.aborted) await pause(20);
  const times = samples.map(({value}) => value);
  return {
    samples, sent: sent.length, lost: sent.length - samples.length,
    median: median(times), best: Math.min(...times), worst: Math.max(...times),
  };
}

function keep_full(channel, sent) {
  const chunk = new Uint8Array(chunk_bytes);
  channel.bufferedAmountLowThreshold = buffered_bytes / 2;
  const fill = () => {
    while (channel.readyState === 'open' && channel.bufferedAmount < buffered_bytes &&
           sent.bytes < most_bytes) {
      channel.send(chunk);
      sent.bytes += chunk_bytes;
    }
  };
  channel.onbufferedamountlow = fill;
  fill();
}

// Mbit/s as the far end sees them arrive.
async function measure_rate(channel, far, duration_ms, signal, on_sample) {
  let received = 0;
  far.onmessage = ({data}) => { received += data.byteLength ?? data.size; };
  const samples = [];
  const sent = {bytes: 0};
  const started = performance.now();
  keep_full(channel, sent);
  let last = {at: started, received: 0};
  do {
    await pause(sample_every_ms);
    const now = performance.now();
    samples.push({at: now - started, value: (received - last.received) * 8 / 1000 / (now - last.at)});
    last = {at: now, received};
    on_sample(samples);
  } while (last.at - started < duration_ms && received < most_bytes && !signal.aborted);
  channel.onbufferedamountlow = null;
  return {samples, bytes: received, mean: received * 8 / 1000 / (last.at - started)};
}

function open_channels(caller, callee) {
  const probes = caller.createDataChannel(
    'probe', {negotiated: true, id: 0, ordered: false, maxRetransmits: 0});
  const echo = callee.createDataChannel(
    'probe', {negotiated: true, id: 0, ordered: false, maxRetransmits: 0});
  const bulk = caller.createDataChannel('bulk', {negotiated: true, id: 1});
  const far = callee.createDataChannel('bulk', {negotiated: true, id: 1});
  far.binaryType = 'arraybuffer';
  echo.onmessage = ({data}) => {
    if (echo.readyState === 'open') echo.send(data);
  };
  return {probes, echo, bulk, far};
}

// {connected, checks, took_ms, rtt, rate}. `on_progress` gets what there is so far.
export async function loop(entry, duration_ms, signal, on_progress) {
  const ends = [1, 2].map(() => new RTCPeerConnection(configuration_of([entry])));
  const started = performance.now();
  const result = {connected: false};
  try {
    const {probes, echo, bulk, far} = open_channels(...ends);
    const open = opened(ends, [probes, echo, bulk, far], signal);
    await negotiate(...ends);
    result.connected = await open;
    result.took_ms = performance.now() - started;
    if (!result.connected) {
      result.checks = await checks_of(ends);
      return result;
    }
    const report = (field) => (samples) => on_progress({...result, [field]: {samples}});
    result.rtt = await probe(probes, duration_ms * 0.4, signal, report('rtt'));
    result.rate = await measure_rate(bulk, far, duration_ms * 0.6, signal, report('rate'));
  } catch (error) {
    result.thrown = `${error.name}: ${error.message}`;
  } finally {
    for (const end of ends) end.close();
  }
  return result;
}
