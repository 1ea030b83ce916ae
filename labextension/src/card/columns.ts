/**
 * Answers to one question side by side, for a cell's output and the panel: columns, or tabs where
 * they would be too narrow, each with its figures and a button that goes on with it.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { said } from '../said';
import { make, say, textButton } from './dom';
import { duration } from './wording';
import type { ITurnRecord } from '../kernel/record';

/** Columns are side by side from this width on, in pixels. */
const WIDE = 900;

/** A column: what it is called, its turn, whether that really runs, and what shows it. */
export interface IColumn {
  readonly name: string;
  readonly record: ITurnRecord;
  readonly live: boolean;
  readonly node: HTMLElement;
}

let made = 0;

/** Shows them. */
export class Columns {
  readonly node = make('div', 'columns');

  constructor(
    private _actions: { use(id: string): Promise<unknown>; stop(id: string): void },
    private _trans: TranslationBundle
  ) {
    this._differ.setAttribute('aria-pressed', 'false');
    this._differ.title = _trans.__('Mark the words in which each differs from the first');
    this._tabs.setAttribute('role', 'tablist');
    this._tabs.setAttribute('aria-label', _trans.__('Compared answers'));
    this._tabs.addEventListener('keydown', event => this._key(event));
    this._trouble.setAttribute('role', 'alert');
    const bar = make('div', 'columns-bar');
    bar.append(this._tabs, this._differ, this._stop);
    this.node.append(bar, this._row, this._remark, this._trouble);
    say(this._trouble, '');
    new ResizeObserver(([{ contentRect }]) => {
      this._narrow = contentRect.width ? contentRect.width < WIDE : this._narrow;
      this._arrange();
    }).observe(this.node);
  }

  /** Show turns; `chosen` is gone on with, and another can be where one is `able`. */
  update(columns: readonly IColumn[], chosen: string, able: boolean, remark = ''): void {
    this._columns = columns;
    columns.forEach(({ name, record, live, node }, at) => {
      const { slot, heading, tab, figures, use } = (this._views[at] ??= this._view(at));
      node.parentNode === slot || slot.replaceChildren(node);
      say(heading, name);
      say(tab, name);
      say(figures, live ? '' : this._figures(record, name));
      use.setAttribute('aria-pressed', String(record.id === chosen));
      use.hidden = live || !record.answer;
      use.disabled = !able;
    });
    this._views.splice(columns.length).forEach(({ node, tab }) => (node.remove(), tab.remove()));
    this._differ.disabled = !!this._running;
    this._stop.hidden = !this._running || !able;
    say(this._remark, said(remark));
    this._mark();
    this._arrange();
  }

  private _view(at: number) {
    const node = make('section', 'column');
    const tab = textButton('tab', '', () => this._select(at));
    node.id = `jp-DeepSeek-column-${++made}`;
    tab.id = `${node.id}-tab`;
    tab.setAttribute('role', 'tab');
    tab.setAttribute('aria-controls', node.id);
    node.setAttribute('aria-labelledby', tab.id);
    const use = textButton('word', this._trans.__('Go on with this one'), () => {
      say(this._trouble, '');
      this._actions.use(this._columns[at].record.id).catch(error => say(this._trouble, error.message));
    });
    const parts = { heading: make('h4', 'column-name'), slot: make('div', 'column-slot') };
    const more = { words: make('p', 'words'), figures: make('p', 'column-figures'), use };
    node.append(...Object.values(parts), ...Object.values(more));
    this._row.append(node);
    this._tabs.append(tab);
    return { node, tab, ...parts, ...more, compared: '' };
  }

  private _figures({ footer, timing }: ITurnRecord, name: string): string {
    const first = timing.first_token;
    const waited = first === null ? '' : this._trans.__('First token after %1', duration(first, this._trans));
    const parts = said(footer).split(' · ').filter(part => part !== name); // which is over it
    return [...parts, waited].filter(Boolean).join('\n');
  }

  private get _running(): IColumn | undefined {
    return this._columns.find(({ live }) => live);
  }

  /** Mark the words, where that is wanted. */
  private _mark(): void {
    const wanted = this._differ.getAttribute('aria-pressed') === 'true' && !this._running;
    const first = this._columns[0]?.record.answer ?? '';
    this._columns.forEach(({ record }, at) => {
      const view = this._views[at];
      const differs = wanted && at > 0;
      view.node.classList.toggle('jp-mod-differs', differs);
      view.words.hidden = !differs;
      const texts = `${first}\0${record.answer}`;
      if (differs && view.compared !== texts) {
        view.compared = texts;
        const kinds = { same: 'span', gone: 'del', new: 'ins' } as const;
        const parts = wordDiff(first, record.answer).map(([kind, text]) => make(kinds[kind], kind, text));
        view.words.replaceChildren(...parts.flatMap(part => [part, ' ']));
      }
    });
  }

  /** Show columns, or tabs where it is narrow. */
  private _arrange(): void {
    const narrow = this._narrow;
    this._tabs.hidden = !narrow;
    this.node.classList.toggle('jp-mod-tabs', narrow);
    this._views.forEach(({ node, tab }, at) => {
      const selected = at === this._selected;
      node.setAttribute('role', narrow ? 'tabpanel' : 'group');
      node.hidden = narrow && !selected;
      tab.setAttribute('aria-selected', String(selected));
      tab.tabIndex = selected ? 0 : -1;
    });
  }

  private _select(at: number): void {
    this._selected = at;
    this._arrange();
  }

  private _key(event: KeyboardEvent): void {
    const last = this._views.length - 1;
    const steps = { ArrowLeft: this._selected - 1, ArrowRight: this._selected + 1, Home: 0, End: last };
    const to = steps[event.key as keyof typeof steps];
    if (to !== undefined) {
      this._select((to + last + 1) % (last + 1));
      this._views[this._selected].tab.focus();
      event.preventDefault();
      event.stopPropagation(); // the notebook's own keys
    }
  }

  private _tabs = make('div', 'tabs');
  private _row = make('div', 'columns-row');
  private _remark = make('p', 'columns-remark');
  private _trouble = make('p', 'error-hint');
  private _differ = textButton('word', this._trans.__('Differences'), () => {
    const pressed = this._differ.getAttribute('aria-pressed') === 'true';
    this._differ.setAttribute('aria-pressed', String(!pressed));
    this._mark();
  });
  private _stop = textButton('word', this._trans.__('Stop all'), () => {
    this._running && this._actions.stop(this._running.record.id);
  });
  private _columns: readonly IColumn[] = [];
  private _views: ReturnType<Columns['_view']>[] = [];
  private _selected = 0;
  private _narrow = false;
}

/** Words that both texts have, the first alone or the second alone. */
export type Change = readonly ['same' | 'gone' | 'new', string];

/** The most pairs of words that are looked at; of longer texts all counts as changed. */
const MOST = 16_000_000;

/** What makes `one` into `other`, by a longest common subsequence. */
export function wordDiff(one: string, other: string): Change[] {
  const [a, b] = [one, other].map(text => text.match(/\n+|\S+/g) ?? []);
  const wide = b.length + 1;
  const known = a.length * wide <= MOST;
  const common = new Uint16Array(known ? (a.length + 1) * wide : 0);
  for (let i = known ? a.length - 1 : -1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * wide + j;
      common[at] = a[i] === b[j] ? common[at + wide + 1] + 1 : Math.max(common[at + wide], common[at + 1]);
    }
  }
  const found: [Change[0], string][] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const both = known && i < a.length && a[i] === b[j];
    const at = i * wide + j;
    const gone = i < a.length && (j === b.length || !known || common[at + wide] >= common[at + 1]);
    const kind = both ? 'same' : gone ? 'gone' : 'new';
    const word = kind === 'new' ? b[j] : a[i];
    const last = found[found.length - 1];
    last?.[0] === kind ? (last[1] += ` ${word}`) : found.push([kind, word]);
    i += kind === 'new' ? 0 : 1;
    j += kind === 'gone' ? 0 : 1;
  }
  return found;
}
