/**
 * Code as it is shown to the person who decides whether it runs: numbered, nothing out of sight.
 *
 * The characters that are written as code points, and the gaps that are counted instead of shown,
 * are the kernel's own file; its counterpart is `deepseek_jupyter/sanitizer/listing.py`.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import rules from '../../../deepseek_jupyter/sanitizer/listing.json';
import { make } from './dom';
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
