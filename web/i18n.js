// The page's language, and the words in it.
import {en} from './text/en.js';
import {zh_tw} from './text/zh_tw.js';

export const languages = {en, 'zh-TW': zh_tw};

let language = 'en';

// The first of the person's languages that the page speaks.
export function preferred_language(wanted) {
  for (const tag of wanted) {
    if (/^zh\b/i.test(tag)) return 'zh-TW';
    if (/^en\b/i.test(tag)) return 'en';
  }
  return 'en';
}

export function use_language(tag) {
  language = tag;
}

export function current_language() {
  return language;
}

export function t(key, values = {}) {
  const text = languages[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

const number = (value, digits) =>
  new Intl.NumberFormat(language, {maximumFractionDigits: digits}).format(value);

export function in_ms(value) {
  return Number.isFinite(value) ? `${number(value, value < 10 ? 1 : 0)} ms` : '–';
}

export function in_mbits(value) {
  return Number.isFinite(value) ? `${number(value, value < 10 ? 2 : 0)} Mbit/s` : '–';
}

export function in_megabytes(bytes) {
  return `${number(bytes / 1e6, 1)} MB`;
}

export function in_seconds(ms) {
  return `${number(ms / 1000, 1)} s`;
}

export function in_percent(share) {
  return `${number(share * 100, 1)} %`;
}

export function as_time(ms) {
  return new Date(ms).toLocaleString(language);
}
