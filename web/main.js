// What the person does: choose a language, name servers, start, stop, copy.
import {Check} from './check.js';
import {by_id, prose} from './element.js';
import {current_language, languages, preferred_language, t, use_language} from './i18n.js';
import {Results} from './results.js';
import {entries_of, parse_servers} from './servers.js';

const fetch_bound_ms = 15000;

const results = new Results();
let check;
let problem;

function show_problem(key, values) {
  problem = key && {key, values};
  by_id('problem').textContent = key ? t(key, values) : '';
  by_id('problem').hidden = !key;
}

function show_language(tag) {
  use_language(tag);
  document.documentElement.lang = tag;
  document.title = t('page_title');
  for (const node of document.querySelectorAll('[data-t]')) {
    node.replaceChildren(...prose(t(node.dataset.t, node.dataset)));
  }
  for (const button of document.querySelectorAll('[data-language]')) {
    button.setAttribute('aria-pressed', String(button.dataset.language === tag));
  }
  show_start();
  show_problem(problem?.key, problem?.values);
  results.show_all();
}

function show_start() {
  by_id('start').textContent = t(check ? 'stop' : 'start');
}

const source = () => document.querySelector('input[name=source]:checked').value;

function show_source() {
  for (const panel of document.querySelectorAll('[data-panel]')) panel.hidden = panel.dataset.panel !== source();
}

class Problem extends Error {
  constructor(key, values) {
    super(key);
    this.values = values;
  }
}

async function fetched(address) {
  if (!/^https?:\/\//i.test(address)) throw new Problem('problem_fetch_url');
  results.progress('progress_fetch', {});
  let answer;
  try {
    answer = await fetch(address, {
      credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store',
      signal: AbortSignal.timeout(fetch_bound_ms),
    });
  } catch {
    throw new Problem('problem_fetch');
  }
  if (!answer.ok) throw new Problem('problem_fetch_status', {status: answer.status});
  const entries = parse_servers(await answer.text());
  if (entries.length === 0) throw new Problem('problem_fetch_empty');
  return entries;
}

async function wanted_entries() {
  if (source() === 'fetch') return fetched(by_id('address').value.trim());
  const entries = source() === 'paste' ? parse_servers(by_id('servers').value) : entries_of([{
    urls: by_id('urls').value.split(/[\s,]+/).filter(Boolean),
    username: by_id('username').value.trim(),
    credential: by_id('credential').value,
  }]);
  if (entries.length === 0) throw new Problem('problem_empty');
  return entries;
}

const field_of = {paste: 'servers', type: 'urls', fetch: 'address'};

async function start() {
  show_problem();
  let entries;
  try {
    entries = await wanted_entries();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    results.progress('', {});
    show_problem(error.message, error.values);
    by_id(field_of[source()]).focus();
    return;
  }
  check = new Check(entries, Number(by_id('duration').value) * 1000, {
    on_change: (row) => results.change(row),
    on_measure: (row) => results.measure(row),
    on_progress: (key, values) => results.progress(key, values),
  });
  show_start();
  results.begin(check);
  by_id('verdict').focus();
  await check.run();
  check = undefined;
  show_start();
  results.show_all();
}

async function copy() {
  const text = results.text();
  const shown = by_id('report_text');
  try {
    await navigator.clipboard.writeText(text);
    shown.hidden = true;
    by_id('copied').textContent = t('report_copied');
  } catch {
    shown.hidden = false;
    shown.value = text;
    shown.select();
    by_id('copied').textContent = t('report_failed');
  }
}

let starting = false;

by_id('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  if (check) return check.stop();
  if (starting) return;
  starting = true;
  try {
    await start();
  } finally {
    starting = false;
  }
});
by_id('copy').addEventListener('click', copy);
for (const choice of document.querySelectorAll('input[name=source]')) choice.addEventListener('change', show_source);
for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', () => {
    if (button.dataset.language !== current_language()) show_language(button.dataset.language);
  });
}
show_source();
show_language(Object.hasOwn(languages, location.hash.slice(1)) ? location.hash.slice(1) :
  preferred_language(navigator.languages));
