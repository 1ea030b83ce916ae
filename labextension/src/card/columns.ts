/**
 * Answers to one question side by side, for a cell's output and the panel: columns, or tabs where
 * they would be too narrow, each with its figures and a button that goes on with it.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { number } from '../kernel/json';
import { isRunning } from '../kernel/record';
import { said } from '../said';
import { make, say } from './dom';
import { duration, money } from './wording';
import { wordDiff } from './worddiff';
import type { ITurnRecord } from '../kernel/record';

/** Columns are beside each other from this width on, in pixels. */
const WIDE = 900;

/** A column: what it is called, its turn, and what shows that. */
export interface IColumn {
  readonly name: string;
  readonly record: ITurnRecord;
  readonly live: boolean;
  readonly node: HTMLElement;
}

/** What the buttons do. */
export interface IColumnsActions {
  /** Go on with an answer; what it throws is shown. */
  use(id: string): Promise<unknown>;
  /** Stop all. */
  stop(id: string): void;
}

let made = 0;

/** Shows them. */
export class Columns {
  readonly node = make('div', 'columns');

  constructor(private _actions: IColumnsActions, private _trans: TranslationBundle) {
    const word = (label: string, click: () => void) => {
      const button = make('button', 'word', label);
      button.type = 'button';
      button.addEventListener('click', click);
      return button;
    };
    this._differ = word(_trans.__('Differences'), () => this._compare());
    this._differ.title = _trans.__('Mark the words in which each differs from the first');
    this._differ.setAttribute('aria-pressed', 'false');
    this._stop = word(_trans.__('Stop all'), () => {
      const running = this._columns.find(({ record, live }) => live && isRunning(record.status));
      running && _actions.stop(running.record.id);
    });
    this._tabs.setAttribute('role', 'tablist');
    this._tabs.setAttribute('aria-label', _trans.__('Compared answers'));
    this._tabs.addEventListener('keydown', event => this._key(event));
    this._trouble.setAttribute('role', 'alert');
    const bar = make('div', 'columns-bar');
    bar.append(this._tabs, this._differ, this._stop);
    this.node.append(bar, this._row, this._remark, this._trouble);
    this._trouble.hidden = true;
    this._arrange(false);
    new ResizeObserver(([{ contentRect }]) => {
      contentRect.width && this._arrange(contentRect.width < WIDE);
    }).observe(this.node);
  }

  /** Show turns; `chosen` is gone on with, and another can be where one is `able`. */
  update(columns: readonly IColumn[], chosen: string, able: boolean, remark = ''): void {
    this._columns = columns;
    columns.forEach(({ node }, at) => {
      const view = (this._views[at] ??= this._view(at));
      node.parentNode === view.slot || view.slot.replaceChildren(node);
    });
    this._views.splice(columns.length).forEach(({ node, tab }) => (node.remove(), tab.remove()));
    const running = (column: IColumn) => column.live && isRunning(column.record.status);
    columns.forEach((column, at) => {
      const { record, name } = column;
      const { heading, tab, figures, use } = this._views[at];
      say(heading, name);
      say(tab, name);
      const over = !isRunning(record.status);
      const rows = over ? JSON.stringify(this._figures(record)) : '[]';
      if (figures.dataset['rows'] !== rows) {
        figures.dataset['rows'] = rows;
        figures.title = said(record.footer);
        const pairs = JSON.parse(rows) as [string, string][];
        figures.replaceChildren(
          ...pairs.flatMap(([label, value]) => [make('dt', 'figure', label), make('dd', 'figure', value)])
        );
      }
      use.setAttribute('aria-pressed', String(record.id === chosen));
      use.hidden = !over || !record.answer;
      use.disabled = !able || this._busy;
    });
    this._stop.hidden = !columns.some(running) || !able;
    this._differ.disabled = columns.some(running);
    say(this._remark, said(remark));
    this._mark();
    this._arrange(this._narrow);
  }

  private _view(at: number): IView {
    const trans = this._trans;
    const node = make('section', 'column');
    const tab = make('button', 'tab');
    node.id = `jp-DeepSeek-column-${++made}`;
    tab.id = `${node.id}-tab`;
    tab.type = 'button';
    tab.setAttribute('role', 'tab');
    tab.setAttribute('aria-controls', node.id);
    tab.addEventListener('click', () => this._select(at));
    node.setAttribute('aria-labelledby', tab.id);
    const use = make('button', 'word', trans.__('Go on with this one'));
    use.type = 'button';
    use.classList.add('jp-DeepSeek-choose');
    use.addEventListener('click', () => void this._use(this._columns[at].record.id));
    const view = { node, tab, use, heading: make('h4', 'column-name'), slot: make('div', 'column-slot') };
    const words = make('p', 'words');
    const figures = make('dl', 'column-figures');
    words.hidden = true;
    node.append(view.heading, view.slot, words, figures, use);
    this._row.append(node);
    this._tabs.append(tab);
    return { ...view, words, figures };
  }

  private _figures({ model, served_model, usage, cost, timing }: ITurnRecord): [string, string][] {
    const trans = this._trans;
    const time = (seconds: number | null) => (seconds === null ? '' : duration(seconds, trans));
    const count = (name: string) => number(usage?.[name]) ?? 0;
    const [all, cached, out] = ['prompt', 'cache_hit', 'completion'].map(name => count(`${name}_tokens`));
    const tokens = [all - cached, cached, out].map(n => n.toLocaleString('en'));
    const rows: [string, string][] = [
      [trans.__('Answered by'), served_model || model],
      [trans.__('Tokens'), usage ? trans.__('%1 new, %2 cached, %3 out', ...tokens) : ''],
      [trans.__('Cost'), cost ? `~${money(cost.amount, cost.currency)}` : ''],
      [trans.__('First token'), time(timing.first_token)],
      [trans.__('Total'), time(timing.total)]
    ];
    return rows.map(([label, value]) => [label, value || '–']);
  }

  private async _use(id: string): Promise<void> {
    this._busy = true;
    try {
      say(this._trouble, '');
      await this._actions.use(id);
    } catch (error) {
      say(this._trouble, (error as Error).message);
    } finally {
      this._busy = false;
      this._views.forEach(({ use }) => (use.disabled = false));
    }
  }

  private _compare(): void {
    const pressed = this._differ.getAttribute('aria-pressed') !== 'true';
    this._differ.setAttribute('aria-pressed', String(pressed));
    this._mark();
  }

  /** Mark the words, where that is wanted. */
  private _mark(): void {
    const wanted = this._differ.getAttribute('aria-pressed') === 'true' && !this._differ.disabled;
    const first = this._columns[0]?.record.answer ?? '';
    this._columns.forEach(({ record }, at) => {
      const { node, words } = this._views[at];
      const differs = wanted && at > 0;
      node.classList.toggle('jp-mod-differs', differs);
      words.hidden = !differs;
      const key = `${first}\0${record.answer}`;
      if (differs && this._compared[at] !== key) {
        this._compared[at] = key;
        const kinds = { same: 'span', gone: 'del', new: 'ins' } as const;
        const parts = wordDiff(first, record.answer).map(([kind, text]) => make(kinds[kind], kind, text));
        words.replaceChildren(...parts.flatMap(part => [part, ' ']));
      }
    });
  }

  /** Show columns, or tabs where it is narrow. */
  private _arrange(narrow: boolean): void {
    this._narrow = narrow;
    this._selected = Math.min(this._selected, Math.max(0, this._views.length - 1));
    this.node.classList.toggle('jp-mod-tabs', narrow);
    this._tabs.hidden = !narrow;
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
    this._arrange(this._narrow);
  }

  private _key(event: KeyboardEvent): void {
    const last = this._views.length - 1;
    const to = { ArrowLeft: this._selected - 1, ArrowRight: this._selected + 1, Home: 0, End: last }[event.key];
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
  private _differ: HTMLButtonElement;
  private _stop: HTMLButtonElement;
  private _columns: readonly IColumn[] = [];
  private _views: IView[] = [];
  private _compared: string[] = [];
  private _selected = 0;
  private _narrow = false;
  private _busy = false;
}

interface IView {
  readonly node: HTMLElement;
  readonly tab: HTMLButtonElement;
  readonly heading: HTMLElement;
  readonly slot: HTMLElement;
  readonly words: HTMLElement;
  readonly figures: HTMLElement;
  readonly use: HTMLButtonElement;
}
