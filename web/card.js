// What the page shows of one entry: how far the thread reaches, the reason where it breaks,
// the numbers, and everything the browser said.
import {h, prose} from './element.js';
import {as_time, in_mbits, in_megabytes, in_ms, in_percent, in_seconds, t} from './i18n.js';
import {plot} from './plot.js';

const signs = {ok: '✓', failed: '✕', busy: '…', waiting: '·'};

export function badge(level) {
  return h('span', {class: `badge ${level}`}, h('span', {'aria-hidden': 'true'}, signs[level]), t(`level_${level}`));
}

export function name_of({kind, transport}) {
  return kind ? `${t(`kind_${kind}`)} · ${t(`way_${transport}`)}` : 'URL';
}

// A list that cannot be asked with breaks the thread at its beginning.
function thread({problem}, steps) {
  const nodes = problem ? [{name: 'here', state: 'failed'}, ...steps.map(({name}) => ({name, state: 'waiting'}))] :
    [{name: 'here', state: 'ok'}, ...steps];
  return h('ol', {class: 'thread'}, nodes.map(({name, state}) => h('li', {'data-state': state},
    h('span', {class: 'knot', 'aria-hidden': 'true'}, state === 'failed' ? signs.failed : ''),
    h('span', {}, t(`step_${name}`)),
    h('span', {class: 'unseen'}, `: ${t(`state_${state}`)}`))));
}

export function relay_address(gathered) {
  const relay = gathered?.candidates.find(({type}) => type === 'relay');
  return relay?.address ? `${relay.address}:${relay.port}` : undefined;
}

// The values that the sentences of a reason may name.
export function values_of({entry, gathered}, outcome) {
  return {
    host: entry.host, port: entry.port, code: outcome.code, detail: outcome.detail,
    expires: entry.expires && as_time(entry.expires),
    relay: relay_address(gathered)?.replace(/:\d+$/, '') ?? t('unknown'),
    link: `https://${entry.host}:${entry.port}/`,
  };
}

function with_link(key, values) {
  const mark = '\u0000';
  const [before, ...after] = t(key, {...values, link: mark}).split(mark);
  if (after.length === 0) return prose(before);
  const link = h('a', {href: values.link, target: '_blank', rel: 'noreferrer noopener'}, values.link);
  return [...prose(before), link, ...after.flatMap(prose)];
}

function explanation(row, outcome) {
  if (!outcome.reason) return undefined;
  const values = values_of(row, outcome);
  return h('dl', {class: 'reason'},
    h('div', {}, h('dt', {}, t('why')), h('dd', {}, t(`why_${outcome.reason}`, values))),
    h('div', {}, h('dt', {}, t('fix')), h('dd', {}, with_link(`fix_${outcome.reason}`, values))));
}

const figure = (name, value, detail) => h('div', {},
  h('dt', {}, t(name)), h('dd', {}, h('strong', {}, value), detail && h('small', {}, detail)));

function figures({entry, gathered, looped}) {
  const list = [];
  const {rtt, rate} = looped ?? {};
  if (rtt?.sent) {
    list.push(figure('rtt', in_ms(rtt.median), t('rtt_detail', {best: in_ms(rtt.best), worst: in_ms(rtt.worst)})));
    list.push(figure('loss', in_percent(rtt.lost / rtt.sent), t('loss_detail', rtt)));
  }
  if (rate?.mean) list.push(figure('rate', in_mbits(rate.mean), t('rate_detail', {bytes: in_megabytes(rate.bytes)})));
  const address = relay_address(gathered);
  if (address) list.push(figure('address', address, t('found_in') + ' ' + in_seconds(gathered.took_ms)));
  const seen = entry.kind === 'stun' && gathered?.candidates.find(({type}) => type === 'srflx');
  if (seen) list.push(figure('outside', seen.address));
  return list.length > 0 ? h('dl', {class: 'figures'}, list) : undefined;
}

function plots({looped}, duration_ms) {
  const {rtt, rate} = looped ?? {};
  const list = [];
  if (rtt) {
    const told = {median: in_ms(rtt.median), best: in_ms(rtt.best), worst: in_ms(rtt.worst), lost: rtt.lost, sent: rtt.sent};
    list.push(plot({
      caption: t('rtt'), description: rtt.sent ? t('plot_rtt', told) : t('plot_running'),
      samples: rtt.samples, duration_ms: duration_ms * 0.4, shape: 'line', format: in_ms,
    }));
  }
  if (rate) {
    list.push(plot({
      caption: t('rate'), description: rate.mean ? t('plot_rate', {mean: in_mbits(rate.mean)}) : t('plot_running'),
      samples: rate.samples, duration_ms: rate.mean ? rate.samples.at(-1).at : duration_ms * 0.6,
      shape: 'area', format: in_mbits,
    }));
  }
  return list.length > 0 ? h('div', {class: 'plots'}, list) : undefined;
}

function table(title, columns, rows) {
  const head = h('tr', {}, columns.map(([key]) => h('th', {scope: 'col'}, t(`column_${key}`))));
  const body = rows.map((row) => h('tr', {}, columns.map(([, field]) => h('td', {}, String(field(row) || '–')))));
  return [h('h4', {}, t(title)), rows.length === 0 ? h('p', {}, t('none')) :
    h('div', {class: 'scroll', role: 'region', tabindex: '0', 'aria-label': t(title)},
      h('table', {}, h('thead', {}, head), h('tbody', {}, body)))];
}

const candidate_columns = [
  ['type', ({type}) => type], ['protocol', ({protocol}) => protocol],
  ['relay_protocol', ({relay_protocol, way}) => relay_protocol || way],
  ['address', ({address, port}) => address && `${address}:${port}`],
  ['url', ({url}) => url], ['foundation', ({foundation}) => foundation],
];
const error_columns = [
  ['code', ({code}) => code], ['text', ({text}) => text], ['url', ({url}) => url], ['from', ({address}) => address],
];

function details({entry, gathered: {candidates: found, errors}}) {
  // Browsers do not always say how they reach the server; the URL does.
  const candidates = found.map((one) => ({...one, way: one.type === 'relay' && entry.transport}));
  return [h('summary', {}, t('details', {n: candidates.length + errors.length})),
    table('candidates', candidate_columns, candidates), table('errors', error_columns, errors)].flat();
}

// One entry's place in the list; update() shows what became of it. Only what changed is
// replaced, so that focus and an opened list stay.
export class Card {
  element = h('li', {class: 'card'});
  #head = h('div', {class: 'head'});
  #story = h('div', {class: 'story'});
  #measured = h('div', {class: 'measured'});
  #details = h('details', {hidden: true});

  constructor() {
    this.element.append(this.#head, this.#story, this.#measured, this.#details);
  }

  update(row, outcome, duration_ms) {
    const {entry, gathered} = row;
    this.element.dataset.level = outcome.level;
    this.#head.replaceChildren(h('h3', {}, name_of(entry)), badge(outcome.level), h('code', {}, entry.url));
    this.#story.replaceChildren(thread(entry, outcome.steps), ...[explanation(row, outcome)].filter(Boolean));
    this.measure(row, duration_ms);
    this.#details.hidden = !gathered;
    if (gathered) this.#details.replaceChildren(...details(row));
  }

  measure(row, duration_ms) {
    this.#measured.replaceChildren(...[plots(row, duration_ms), figures(row)].filter(Boolean));
  }
}
