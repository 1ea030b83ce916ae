/**
 * The code around the cursor, as it is sent for an inline completion, and the latest answers. Pure.
 *
 * The provider's cache bills a prefix that it has seen at a fraction of the price, so the beginning
 * of the text must stay the same, byte for byte, while the user types. It is therefore cut where
 * whole cells end, and in leaps of half the budget: it moves once for many edits, not at each.
 */

/** What is sent. */
export interface IContext {
  readonly prefix: string;
  readonly suffix: string;
}

/** How much is sent, in characters. */
export interface IBudget {
  readonly prefix: number;
  readonly suffix: number;
}

const BETWEEN = '\n\n';

/** Cell magics under which there is plain Python. */
const TRANSPARENT = /^%%(?:time|timeit|capture|prun|memit|mprun)\b[^\n]*\n?/;

/** The Python of a cell; empty where it is something else: a prompt, a shell script, a page. */
export function pythonOf(source: string): string {
  const text = source.replace(/^\s*\n/, '');
  if (!text.startsWith('%%')) {
    return source.trimEnd();
  }
  return TRANSPARENT.test(text) ? text.replace(TRANSPARENT, '').trimEnd() : '';
}

/** Whether a cell is Python, which can be completed. */
export function isPython(source: string): boolean {
  const text = source.trimStart();
  return !text.startsWith('%%') || TRANSPARENT.test(text);
}

/** The code before and after the cursor; `earlier` are the code cells above, the topmost first. */
export function contextOf(
  earlier: readonly string[],
  source: string,
  cursor: number,
  budget: IBudget
): IContext {
  const cells = earlier.map(pythonOf).filter(Boolean);
  const own = source.slice(0, cursor);
  const kept = cells.slice(dropped(cells, budget.prefix));
  const prefix = [...kept, own].join(BETWEEN);
  return {
    prefix: prefix.length > 2 * budget.prefix ? fromLine(prefix, budget.prefix) : prefix,
    suffix: source.slice(cursor, cursor + budget.suffix)
  };
}

/**
 * How many of the topmost cells are left out.
 *
 * The cell with the cursor counts for nothing here: typing in it moves no other cell.
 */
export function dropped(cells: readonly string[], budget: number): number {
  const leap = Math.max(1, Math.floor(budget / 2));
  const size = cells.reduce((sum, cell) => sum + cell.length + BETWEEN.length, 0);
  let rest = Math.max(0, Math.ceil((size - budget) / leap)) * leap;
  let count = 0;
  while (rest > 0 && count < cells.length) {
    rest -= cells[count++].length + BETWEEN.length;
  }
  return count;
}

/** The end of a text that alone exceeds the budget, from the beginning of a line. */
function fromLine(text: string, length: number): string {
  const end = text.slice(-length);
  return end.slice(end.indexOf('\n') + 1);
}

/** A completion and the code around it. */
interface IEntry extends IContext {
  readonly text: string;
}

/** The latest completions, so that typing one, or going back, needs no request; the least recently used is dropped. */
export class CompletionCache {
  constructor(private _most = 32) {}

  get size(): number {
    return this._entries.length;
  }

  add(context: IContext, text: string): void {
    this._entries = this._entries.filter(
      entry => entry.prefix !== context.prefix || entry.suffix !== context.suffix
    );
    this._entries.unshift({ ...context, text });
    this._entries.length = Math.min(this._entries.length, this._most);
  }

  /** The rest of a completion whose beginning was typed; null where none fits. */
  find({ prefix, suffix }: IContext): string | null {
    const index = this._entries.findIndex(
      entry =>
        entry.suffix === suffix &&
        prefix.startsWith(entry.prefix) &&
        entry.text.startsWith(prefix.slice(entry.prefix.length)) &&
        // One that was taken whole says nothing of what comes next.
        (prefix === entry.prefix || prefix.length < entry.prefix.length + entry.text.length)
    );
    if (index < 0) {
      return null;
    }
    const [entry] = this._entries.splice(index, 1);
    this._entries.unshift(entry);
    return entry.text.slice(prefix.length - entry.prefix.length);
  }

  clear(): void {
    this._entries = [];
  }

  private _entries: IEntry[] = [];
}

/** A completion as it is shown: without blanks at its end, and cut to so many lines (0: all). */
export function shown(text: string, lines: number): string {
  const kept = lines > 0 ? text.split('\n').slice(0, lines + leading(text)).join('\n') : text;
  return kept.trimEnd();
}

/** Whether no more text can be shown: the server may stop. */
export function isFull(text: string, lines: number): boolean {
  return lines > 0 && text.split('\n').length > lines + leading(text);
}

/** Line ends at the beginning, which are no lines of the suggestion. */
function leading(text: string): number {
  return /^\s*\n/.test(text) ? /^\s*\n/.exec(text)![0].split('\n').length - 1 : 0;
}
