/**
 * The code around the cursor, as it is sent for ghost text. Pure.
 *
 * The provider's cache bills a prefix that it has seen at a fraction of the price, so the beginning
 * of the text must stay the same, byte for byte, while somebody types. It is therefore cut where
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

/** Whether ghost text makes sense in a cell. */
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
