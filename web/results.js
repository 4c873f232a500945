// The right-hand side: the verdict, a card an entry, what is known of the network, and the
// report.
import {Card, name_of} from './card.js';
import {by_id, h} from './element.js';
import {t} from './i18n.js';
import {judge} from './reason.js';
import {report_of} from './report.js';
import {network_of, verdict_of} from './verdict.js';

function network_lines({rows, together}, judged) {
  if (!rows.some(({entry, gathered}) => entry.kind === 'stun' && gathered)) return [];
  const network = network_of(judged, together);
  if (!network) return [t('network_blocked')];
  const seen = network.addresses.length > 0 ? [t('network_seen', {addresses: network.addresses.join(', ')})] : [];
  return [...seen, t(`network_${network.mapping}`)];
}

export class Results {
  #check;
  #cards = new Map();
  #progress;

  begin(check) {
    this.#check = check;
    this.#cards = new Map(check.rows.map((row) => [row, new Card()]));
    by_id('cards').replaceChildren(...[...this.#cards.values()].map(({element}) => element));
    for (const row of check.rows) this.change(row);
    this.show_all();
  }

  change(row) {
    this.#cards.get(row).update(row, judge(row, Date.now()), this.#check.duration_ms);
  }

  measure(row) {
    this.#cards.get(row).measure(row, this.#check.duration_ms);
  }

  progress(key, values) {
    this.#progress = {key, values};
    this.#show_progress();
  }

  // Everything, in the language of the moment.
  show_all() {
    for (const row of this.#check?.rows ?? []) this.change(row);
    this.#show_verdict();
    this.#show_network();
    this.#show_progress();
    by_id('report').hidden = !this.#ended();
    by_id('copied').textContent = '';
  }

  text() {
    const judged = this.#judged();
    return report_of({
      title: `${t('page_title')}\n${this.#verdict(judged).text}`,
      judged,
      network: network_lines(this.#check, judged),
      addresses: by_id('with_addresses').checked ? 'shown' : 'hidden',
    });
  }

  #ended() {
    return this.#check !== undefined && this.#check.phase !== 'running';
  }

  #judged() {
    return this.#check.rows.map((row) => ({...row, row, outcome: judge(row, Date.now())}));
  }

  #verdict(judged) {
    if (this.#check.phase === 'running') return {level: 'busy', text: t('verdict_busy'), notes: []};
    if (this.#check.phase === 'stopped') return {level: 'waiting', text: t('verdict_stopped'), notes: []};
    const {level, title, notes, failed} = verdict_of(judged);
    return {level, text: t(title, {failed, of: judged.length}), notes: notes.map((note) => t(note))};
  }

  #show_verdict() {
    const {level, text, notes} = this.#check ? this.#verdict(this.#judged()) :
      {level: 'waiting', text: t('idle_verdict'), notes: [t('idle_note')]};
    by_id('verdict').dataset.level = level;
    by_id('verdict_text').textContent = text;
    by_id('verdict_notes').replaceChildren(...notes.map((note) => h('p', {}, note)));
  }

  #show_network() {
    const lines = this.#ended() ? network_lines(this.#check, this.#judged()) : [];
    by_id('network').hidden = lines.length === 0;
    by_id('network_lines').replaceChildren(...lines.map((line) => h('p', {}, line)));
  }

  #show_progress() {
    const {key, values} = this.#progress ?? {};
    const way = values?.row && name_of(values.row.entry);
    by_id('progress').textContent = key ? t(key, {...values, way}) : '';
  }
}
