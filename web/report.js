// The result as text to pass on. Credentials are never in it, addresses and host names only
// when the person wants them there.
import {name_of, relay_address, values_of} from './card.js';
import {in_mbits, in_ms, in_percent, in_seconds, t} from './i18n.js';

const address_in_text = /\b\d{1,3}(?:\.\d{1,3}){3}\b|(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])/gi;

// Host names become host-1, host-2, ...: the same name for the same host.
function cloak(rows) {
  const unread = rows.filter(({entry}) => !entry.host).map(({entry}) => entry.url).filter(Boolean);
  const hosts = [...new Set(rows.map(({entry}) => entry.host).filter(Boolean))];
  const longest_first = [...hosts].sort((one, other) => other.length - one.length);
  const literal = (host) => new RegExp(host.replace(/[.[\]]/g, '\\$&'), 'gi');
  return (text) => longest_first.reduce(
    (rest, host) => rest.replaceAll(literal(host), `host-${hosts.indexOf(host) + 1}`),
    unread.reduce((rest, url) => rest.replaceAll(url, '(url)'), text))
    .replace(address_in_text, '(address)');
}

function lines_of(row, outcome) {
  const {entry, gathered, looped} = row;
  const lines = [`[${t(`level_${outcome.level}`)}] ${name_of(entry)}  ${entry.url}`];
  if (outcome.reason) {
    lines.push(`  ${t('why')}: ${t(`why_${outcome.reason}`, values_of(row, outcome))}`);
    lines.push(`  ${t('fix')}: ${t(`fix_${outcome.reason}`, values_of(row, outcome))}`);
  }
  if (gathered) lines.push(`  ${t('found_in')} ${in_seconds(gathered.took_ms)}, ${relay_address(gathered) ?? t('none')}`);
  if (looped?.rtt?.sent) {
    lines.push(`  ${t('rtt')} ${in_ms(looped.rtt.median)}, ${t('loss')} ${in_percent(looped.rtt.lost / looped.rtt.sent)}`);
  }
  if (looped?.rate?.mean) lines.push(`  ${t('rate')} ${in_mbits(looped.rate.mean)}`);
  for (const {code, text, url} of gathered?.errors ?? []) lines.push(`  ${code} ${text} ${url}`);
  return lines;
}

// `judged`: the rows with their outcomes. `addresses`: 'shown' or 'hidden'.
export function report_of({title, judged, network, addresses}) {
  const lines = judged.flatMap(({row, outcome}) => lines_of(row, outcome));
  const text = [title, '', ...lines, '', ...network].join('\n').trim();
  const shown = addresses === 'shown' ? text : cloak(judged.map(({row}) => row))(text);
  return `${shown}\n\n${new Date().toISOString()}\n${navigator.userAgent}\n`;
}
