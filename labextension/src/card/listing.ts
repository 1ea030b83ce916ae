/**
 * Code and tables as text alone, nothing out of sight: code as it is shown to the person who decides
 * whether it runs; tables in the results of tools and in typed answers.
 *
 * The characters that are written as code points, and the gaps that are counted instead of shown,
 * are the kernel's own file. The counterparts are `deepseek_jupyter/sanitizer/listing.py` and
 * `deepseek_jupyter/display/calls.py`.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import rules from '../../../deepseek_jupyter/sanitizer/listing.json';
import { maybeObject, parsed } from '../kernel/json';
import { make } from './dom';
import type { ITurnRecord } from '../kernel/record';
import type { IBlockRenderer } from '../markdown/renderer';

/** A line and its number; or, without text, how many blank lines begin there. */
export interface IRow {
  readonly number: number;
  readonly text: string;
  readonly blanks: number;
}

const INVISIBLE = new RegExp(
  `[${rules.invisible.map(span => span.replace(/[0-9A-F]+/g, code => `\\u{${code}}`)).join('')}]`,
  'gu'
);
const GAP = new RegExp(`[ \\t]{${rules.longest_gap + 1},}`, 'g');

/** A text with every invisible character written as its code point. */
export function visible(text: string): string {
  const named = (char: string) =>
    `⟨U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  return text.replace(/\r\n/g, '\n').replace(INVISIBLE, named);
}

/** The lines of a text; long gaps within and between them are counted instead of shown. */
export function rows(text: string): IRow[] {
  const found: IRow[] = [];
  let blank: number[] = [];
  const flush = () => {
    if (blank.length > rules.most_blank_lines) {
      found.push({ number: blank[0], text: '', blanks: blank.length });
    } else {
      found.push(...blank.map(number => ({ number, text: '', blanks: 0 })));
    }
    blank = [];
  };
  shown(text).forEach((line, index) => {
    if (/[^ \t]/.test(line)) {
      flush();
      found.push({ number: index + 1, text: line, blanks: 0 });
    } else {
      blank.push(index + 1);
    }
  });
  flush();
  return found;
}

/** Shows code in numbered lines, in colours as soon as they are there. */
export class Listing {
  readonly node = make('pre', 'listing');

  /** How many lines it has. */
  readonly count: number;

  constructor(
    text: string,
    language: string,
    renderer: IBlockRenderer | null,
    private _trans: TranslationBundle
  ) {
    this.node.classList.add('jp-DeepSeek-tool-text');
    this.node.tabIndex = 0;
    this._lines = shown(text);
    this.count = this._lines.length;
    this._rows = rows(text);
    this._show(this._lines.map(line => [new Text(line)]));
    if (renderer && language) {
      void this._colour(renderer, language);
    }
  }

  private async _colour(renderer: IBlockRenderer, language: string): Promise<void> {
    const lines = await coloured(this._lines, language, renderer);
    lines && this._show(lines);
  }

  private _show(lines: readonly Node[][]): void {
    this.node.replaceChildren(
      ...this._rows.map(({ number, blanks }) => {
        const row = make('span', blanks ? 'blanks' : 'line');
        row.dataset['line'] = String(number);
        row.append(
          ...(blanks ? [this._trans._n('%1 blank line', '%1 blank lines', blanks)] : lines[number - 1])
        );
        return row;
      })
    );
  }

  private _lines: readonly string[];
  private _rows: readonly IRow[];
}

function shown(text: string): string[] {
  const gap = (blanks: string) => `⟨${blanks.length} blanks⟩`;
  return visible(text).replace(/[ \t\n]+$/, '').replace(GAP, gap).split('\n');
}

/** Lines of code in colours; null where these would not leave the text as it is. */
export async function coloured(
  lines: readonly string[],
  language: string,
  renderer: IBlockRenderer
): Promise<Node[][] | null> {
  const source = lines.join('\n');
  const fence = '`'.repeat(16);
  const block = { kind: 'fence', source: `${fence}${language}\n${source}\n${fence}` } as const;
  const code = (await renderer.render(block, true)).querySelector('pre code');
  return code?.textContent?.replace(/\n$/, '') === source ? linesOf(code) : null;
}

/** The nodes of highlighted code, line by line. */
function linesOf(code: Element): Node[][] {
  const lines: Node[][] = [[]];
  for (const child of code.childNodes) {
    (child.textContent ?? '').split('\n').forEach((part, index) => {
      index && lines.push([]);
      if (part) {
        const piece = child instanceof Element ? child.cloneNode(false) : new Text();
        piece.textContent = part;
        lines[lines.length - 1].push(piece);
      }
    });
  }
  return lines;
}

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
