// From what was observed of one entry to how far it got and why no further. Pure: reasons
// are names; the words are in text/.

// RFC 8656 §19 and RFC 8489 §14.8, as far as a browser passes them on.
const by_code = {
  300: 'alternate', 400: 'bad_request', 401: 'password', 403: 'forbidden', 420: 'unknown_attribute',
  437: 'mismatch', 438: 'stale', 440: 'family', 441: 'wrong_credentials', 442: 'transport',
  443: 'family', 486: 'quota', 500: 'server_error', 508: 'capacity',
};
// The server was there, and said no.
const answered = (code) => code >= 300 && code < 700;

const lookup_failed = ({text}) => /lookup|resol/i.test(text);

function silence({transport, by_address}, errors) {
  if (errors.some(lookup_failed)) return 'lookup';
  // Firefox does not even try, and says nothing.
  if (transport === 'tls' && by_address && errors.length === 0) return 'tls_by_address';
  return {udp: 'udp_silent', tcp: 'tcp_silent', tls: 'tls_silent'}[transport];
}

function refusal(entry, {errors}, now) {
  const error = errors.find(({code}) => answered(code));
  if (!error) return {reason: silence(entry, errors), reached: false};
  if (error.code === 401 && entry.expires < now) return {reason: 'expired', reached: true};
  return {reason: by_code[error.code] ?? 'other_refusal', reached: true, code: error.code};
}

const private_address =
  /^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|0\.|f[cde]|::1$)/i;

function broken_loop({connected, thrown, rtt, checks}, candidates) {
  if (thrown) return 'failed_here';
  if (connected) return rtt && rtt.sent > 0 && rtt.lost === rtt.sent ? 'stalled' : undefined;
  const relay = candidates.find(({type}) => type === 'relay');
  if (relay?.address && private_address.test(relay.address)) return 'blocked_private';
  return checks?.refused || !checks?.received ? 'blocked' : 'no_return';
}

// How far an entry got: the steps in their order, each `ok`, `failed`, `busy` or `waiting`.
const steps_of = {stun: ['reached'], turn: ['reached', 'relayed', 'returned']};

function mark(names, passed, ending) {
  return names.map((name, index) => ({
    name,
    state: index < passed ? 'ok' : index === passed ? ending : 'waiting',
  }));
}

// Without a NAT, STUN tells what the browser knows already, and Chromium leaves such a
// candidate out. A server that is silent leaves an error, or no end of gathering.
export function no_nat({entry, gathered}) {
  return entry.kind === 'stun' && gathered?.complete === true && gathered.errors.length === 0 &&
    gathered.candidates.some(({type}) => type === 'host') &&
    !gathered.candidates.some(({type}) => type === 'srflx');
}

// {level: 'busy' | 'ok' | 'failed', steps, reason, code}
export function judge({entry, phase, gathered, looped}, now) {
  const names = steps_of[entry.kind] ?? ['reached'];
  const at = (passed, ending, rest = {}) =>
    ({level: passed === names.length ? 'ok' : ending, steps: mark(names, passed, ending), ...rest});
  if (entry.problem) return at(0, 'failed', {reason: entry.problem});
  if (!gathered) return at(0, phase === 'gathering' ? 'busy' : 'waiting');
  if (gathered.thrown) return at(0, 'failed', {reason: 'failed_here', detail: gathered.thrown});
  if (no_nat({entry, gathered})) return at(1, 'ok');
  const wanted = entry.kind === 'turn' ? 'relay' : 'srflx';
  if (!gathered.candidates.some(({type}) => type === wanted)) {
    const {reached, ...why} = refusal(entry, gathered, now);
    return at(reached && names.length > 1 ? 1 : 0, 'failed', why);
  }
  if (entry.kind === 'stun') return at(1, 'ok');
  if (phase !== 'done') return at(2, phase === 'looping' ? 'busy' : 'waiting');
  const reason = broken_loop(looped, gathered.candidates);
  return reason ? at(2, 'failed', {reason, detail: looped.thrown}) : at(3, 'ok');
}
