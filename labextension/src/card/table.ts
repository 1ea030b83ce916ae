/**
 * Tables in the results of tools and in typed answers.
 *
 * The counterpart is `deepseek_jupyter/display/calls.py`.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { maybeObject, parsed } from '../kernel/json';
import { make } from './dom';
import { visible } from './listing';
import type { ITurnRecord } from '../kernel/record';

/** The heads of a table, and its lines. */
export type Rows = readonly (readonly string[])[];

const WIDEST = 40;
/** Lines that are drawn at first; a page stays alive with more only on demand. */
const FIRST = 200;
const CELL = /("(?:[^"]|"")*"|[^",\n]*)(,|\n|$)/y;
const REMARK = /(?:… )?\((?:no rows|the first |cut after |[\d,]+ rows?\))/y;

/** The table at the beginning of a text, which is CSV, and what follows it. */
export function tableIn(text: string): { rows: Rows; rest: string } {
  const rows: string[][] = [];
  let end = 0;
  while (end < text.length) {
    REMARK.lastIndex = CELL.lastIndex = end;
    const row: string[] = [];
    let cell = rows.length && REMARK.test(text) ? null : CELL.exec(text);
    for (; cell; cell = cell[2] === ',' ? CELL.exec(text) : null) {
      row.push(cell[1].startsWith('"') ? cell[1].slice(1, -1).replace(/""/g, '"') : cell[1]);
      if (cell[2] !== ',') {
        break;
      }
    }
    if (!cell || (rows.length && row.length !== rows[0].length)) {
      break;
    }
    rows.push(row);
    end = CELL.lastIndex;
  }
  const fits = rows.length > 0 && rows[0].length <= WIDEST;
  return fits ? { rows, rest: text.slice(end) } : { rows: [], rest: text };
}

/** A JSON list of objects as a table; empty for anything else. */
export function recordsIn(json: string): Rows {
  const found = json.startsWith('[') ? parsed(json) : null;
  const items = Array.isArray(found) ? found.map(maybeObject) : [];
  const heads = [...new Set(items.flatMap(item => Object.keys(item ?? {})))];
  if (items.includes(null) || !heads.length || heads.length > WIDEST) {
    return [];
  }
  return [heads, ...items.map(item => heads.map(name => cellText(item![name])))];
}

function cellText(value: unknown): string {
  return typeof value === 'string' ? value : value == null ? '' : JSON.stringify(value);
}

/** The table as an element: text alone, whatever it holds. */
export function tableOf(rows: Rows, trans: TranslationBundle): HTMLElement {
  const frame = make('div', 'table');
  const table = make('table', 'rows');
  const [heads, ...lines] = rows;
  const numeric = heads.map((_, at) => lines.every(line => /^(?:NULL|-?[\d.,e+-]*)$/.test(line[at])));
  const add = (line: readonly string[], tag: 'th' | 'td') => {
    const row = document.createElement('tr');
    line.forEach((text, at) => {
      const cell = document.createElement(tag);
      cell.textContent = visible(text);
      cell.classList.toggle('jp-mod-number', numeric[at]);
      row.append(cell);
    });
    table.append(row);
  };
  add(heads, 'th');
  lines.slice(0, FIRST).forEach(line => add(line, 'td'));
  frame.tabIndex = 0;
  frame.setAttribute('role', 'region');
  frame.setAttribute('aria-label', trans.__('Table'));
  frame.append(table);
  if (lines.length > FIRST) {
    const more = make('button', 'word', trans.__('Show all %1 rows', lines.length.toLocaleString()));
    more.type = 'button';
    more.addEventListener('click', () => {
      more.remove();
      lines.slice(FIRST).forEach(line => add(line, 'td'));
    });
    frame.append(more);
  }
  return frame;
}

/** Shows a typed list as a table, with the answer's JSON in a fold; any other answer as it is. */
export class TypedAnswer {
  readonly node = make('div', 'typed');

  /** `answer` is the element that shows the answer's text. */
  constructor(private _answer: HTMLElement, private _trans: TranslationBundle) {
    this.node.append(_answer);
  }

  /** Show a record's answer. */
  update({ answer, format, status }: ITurnRecord): void {
    const json = format === 'json' && status === 'done' ? answer : '';
    if (json === this._shown) {
      return;
    }
    this._shown = json;
    const rows = recordsIn(json);
    if (!rows.length) {
      this.node.replaceChildren(this._answer);
      return;
    }
    const fold = make('details', 'json');
    fold.append(make('summary', 'tool-summary', this._trans.__('As JSON')), this._answer);
    this.node.replaceChildren(tableOf(rows, this._trans), fold);
  }

  private _shown = '';
}
