// One sentence for the whole list, from the outcomes of its entries.
import {no_nat} from './reason.js';

const working = (outcomes, transport) => outcomes.some(({entry, outcome}) =>
  entry.kind === 'turn' && outcome.level === 'ok' && (!transport || entry.transport === transport));

function missing_ways(outcomes) {
  const tls = outcomes.filter(({entry, outcome}) => entry.transport === 'tls' && outcome.level === 'ok');
  const notes = [];
  if (!working(outcomes, 'udp')) notes.push('note_no_udp');
  if (tls.length === 0) notes.push('note_no_tls');
  else if (!tls.some(({entry}) => entry.port === 443)) notes.push('note_not_443');
  return notes;
}

// {level: 'ok' | 'part' | 'failed', title, notes, failed}: the last is how many entries.
export function verdict_of(outcomes) {
  const failed = outcomes.filter(({outcome}) => outcome.level === 'failed').length;
  const relays = outcomes.filter(({entry}) => entry.kind === 'turn');
  const opened = outcomes.some(({outcome}) =>
    outcome.steps.some(({name, state}) => name === 'relayed' && state === 'ok'));
  if (outcomes.length === failed && !opened) return {level: 'failed', title: 'verdict_none', notes: [], failed};
  if (relays.length === 0) return {level: 'part', title: 'verdict_stun_only', notes: ['note_stun_only'], failed};
  if (!working(outcomes)) return {level: 'failed', title: 'verdict_no_relay', notes: [], failed};
  const notes = missing_ways(outcomes);
  if (failed > 0) return {level: 'part', title: 'verdict_part', notes, failed};
  if (working(outcomes, 'tls')) return {level: 'ok', title: 'verdict_all', notes, failed};
  return {level: 'ok', title: 'verdict_plain', notes, failed};
}

// What STUN says of the NAT in front of this browser: its addresses seen from outside, and
// `mapping`: 'none' without a NAT, 'same' or 'varies' by destination, or 'unknown' when one
// server alone was asked.
export function network_of(outcomes, together) {
  const seen = outcomes.flatMap(({entry, gathered}) => entry.kind === 'stun' && gathered ? gathered.candidates : []);
  const outside = (candidates) => candidates.filter(({type}) => type === 'srflx');
  const addresses = [...new Set(outside(seen).map(({address}) => address))];
  const host = seen.find(({type, address}) => type === 'host' && address && !address.endsWith('.local'));
  const bare = outcomes.some(no_nat) || addresses.some((address) => address === host?.address);
  if (bare) return {addresses: addresses.length > 0 ? addresses : [host?.address].filter(Boolean), mapping: 'none'};
  if (addresses.length === 0) return undefined;
  if (!together) return {addresses, mapping: 'unknown'};
  const ipv4 = outside(together.candidates).filter(({address}) => !address.includes(':'));
  const ports = new Map();
  for (const {relatedAddress, relatedPort, address, port} of ipv4) {
    const key = `${relatedAddress}:${relatedPort}`;
    ports.set(key, (ports.get(key) ?? new Set()).add(`${address}:${port}`));
  }
  const varies = [...ports.values()].some((mapped) => mapped.size > 1);
  return {addresses, mapping: ipv4.length === 0 ? 'unknown' : varies ? 'varies' : 'same'};
}
