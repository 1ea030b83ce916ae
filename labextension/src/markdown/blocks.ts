/**
 * A growing Markdown text as blocks that can be drawn one by one.
 *
 * A block is *closed* when no text that may follow can change how it looks: it is drawn once and
 * never touched again. The rest, at most one block, is *open*. The rule that keeps this true is
 * `split(a + b)` = the closed blocks of `split(a)` and then those of `split(open of a + b)`,
 * wherever the text is cut; the tests attack it.
 *
 * Blocks are found line by line. A line that has no end yet never decides anything, except that it
 * goes on with the open block.
 *
 * The open block is half a thought: `**bold` without its end, a link without its target, a table without
 * its rule. Drawn as it is, marks would flash up and vanish. `completeMarkdown` closes what is open and
 * leaves out what is not decided yet; the closed block that follows shows every character. remend does
 * half of this: it knows no tables, half-written lists or formulas, marks an unfinished link by an address
 * of its own, and is ten times as large.
 */

/** What kind of block a text is, as far as the way of drawing it goes. */
export type Kind = 'text' | 'fence' | 'math' | 'list' | 'table' | 'html';

/** One block: its kind and its Markdown. */
export interface IBlock {
  readonly kind: Kind;
  readonly source: string;
}

/** A text in blocks. */
export interface ISplit {
  readonly closed: readonly IBlock[];
  readonly open: IBlock;
}

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/;
/** A fence that no item of a list can own: it ends the list. */
const OUTER_FENCE = /^ ?(?:`{3,}(?=[^`]*$)|~{3,})/;
const HEADING = /^ {0,3}#{1,6}(\s|$)/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const ITEM = /^ {0,3}(?:[-+*]|\d{1,9}[.)])(?:\s|$)/;
const INDENTED = /^(?: {2,}|\t)/;
const CODE = /^(?: {4}|\t)/;
const TABLE = /^ {0,3}\|/;
const MATH_OPEN = /^ {0,3}(\$\$|\\\[|\\begin\{([a-zA-Z]+\*?)\})/;
const HTML = /^ {0,3}<\/?[a-zA-Z!?]/;
const HTML_FOLD = /<(\/?)(details|div|table|section|ul|ol|pre)\b/gi;

/** Split a text into its closed blocks and the open one. */
export function split(source: string): ISplit {
  const closed: IBlock[] = [];
  const lines = fullLines(source);
  let start = 0;
  let index = 0;
  for (;;) {
    const end = blockEnd(lines, index);
    if (end === null) {
      break;
    }
    const text = source.slice(start, end);
    closed.push({ kind: kindOf(text), source: text });
    start = end;
    while (index < lines.length && lines[index].start < end) {
      index++;
    }
  }
  const rest = source.slice(start);
  return { closed, open: { kind: kindOf(rest), source: rest } };
}

/** The kind of a block, by its first line that has text. */
export function kindOf(source: string): Kind {
  const line = firstLine(source);
  if (FENCE.test(line)) {
    return 'fence';
  } else if (MATH_OPEN.test(line)) {
    return 'math';
  } else if (ITEM.test(line) && !RULE.test(line)) {
    return 'list';
  } else if (TABLE.test(line)) {
    return 'table';
  } else if (HTML.test(line)) {
    return 'html';
  }
  return 'text';
}

/** Where the block that begins at a line ends; null while that is not certain. */
function blockEnd(lines: readonly ILine[], index: number): number | null {
  while (index < lines.length && !lines[index].text.trim()) {
    index++; // blank lines belong to the block after them
  }
  if (index === lines.length) {
    return null;
  }
  const head = lines[index];
  if (CODE.test(head.text)) {
    return endOfCode(from(lines, index));
  }
  const fence = FENCE.exec(head.text);
  if (fence) {
    return endOfFence(from(lines, index + 1), fence[1]);
  }
  const math = MATH_OPEN.exec(head.text);
  if (math) {
    return endOfMath(lines, index, math[1], math[2]);
  }
  if (HEADING.test(head.text) || RULE.test(head.text)) {
    return head.end;
  }
  if (ITEM.test(head.text)) {
    return endOfList(from(lines, index));
  }
  if (HTML.test(head.text)) {
    return endOfHtml(from(lines, index), head.start);
  }
  return endOfParagraph(from(lines, index));
}

/** A fence with its closing mark, whether or not it had one. */
export function closeFence(source: string): string {
  const mark = FENCE.exec(firstLine(source))?.[1] ?? '```';
  const [, ...rest] = source.trim().split('\n');
  return rest.some(line => closes(mark).test(line)) ? source : `${source.trimEnd()}\n${mark}`;
}

/**
 * What closes a fence.
 *
 * #### Notes
 * marked lets any marks follow. To close later than marked does would hand what follows to it
 * unread.
 */
function closes(mark: string): RegExp {
  return new RegExp(`^ {0,3}\\${mark[0]}{${mark.length},}[~\`]*\\s*$`);
}

function endOfFence(lines: Iterable<ILine>, mark: string): number | null {
  const close = closes(mark);
  for (const line of lines) {
    if (close.test(line.text)) {
      return line.end;
    }
  }
  return null;
}

function endOfMath(
  lines: readonly ILine[],
  index: number,
  mark: string,
  environment?: string
): number | null {
  const close = environment ? `\\end{${environment}}` : mark === '$$' ? '$$' : '\\]';
  let column = lines[index].text.indexOf(mark) + mark.length;
  for (const line of from(lines, index)) {
    const at = line.text.indexOf(close, column);
    if (at >= 0) {
      // Text behind the formula makes it part of a paragraph.
      const rest = line.text.slice(at + close.length).trim();
      return rest && !/^[.,;:]$/.test(rest) ? endOfParagraph(from(lines, index)) : line.end;
    }
    column = 0;
  }
  return null;
}

/** Indented code goes on over blank lines while what follows is indented. */
function endOfCode(lines: Iterable<ILine>): number | null {
  for (const line of lines) {
    if (line.text.trim() && !CODE.test(line.text)) {
      return line.start;
    }
  }
  return null;
}

/** A list goes on over blank lines while what follows is indented or another item. */
function endOfList(lines: Iterable<ILine>): number | null {
  let blank: ILine | null = null;
  let fence: string | null = null;
  for (const line of lines) {
    if (fence === null && OUTER_FENCE.test(line.text)) {
      return line.start;
    }
    const mark = /^\s*(?:(?:[-+*]|\d{1,9}[.)])\s+)*(`{3,}|~{3,})/.exec(line.text);
    if (mark && fence === null) {
      fence = mark[1];
      blank = null;
      continue;
    }
    if (fence !== null) {
      fence = mark && mark[1].startsWith(fence) ? null : fence;
      continue;
    }
    if (!line.text.trim()) {
      blank = blank ?? line;
    } else if (HEADING.test(line.text)) {
      return line.start;
    } else if (blank && !INDENTED.test(line.text) && !ITEM.test(line.text)) {
      return line.start;
    } else {
      blank = null;
    }
  }
  return null;
}

/** HTML ends at a blank line, but a fold or a table stays in one piece. */
function endOfHtml(lines: Iterable<ILine>, start: number): number | null {
  let depth = 0;
  for (const line of lines) {
    if (!line.text.trim() && depth <= 0) {
      return line.end;
    }
    for (const tag of line.text.matchAll(HTML_FOLD)) {
      depth += tag[1] ? -1 : 1;
    }
    if (line.start - start > LONGEST_HTML) {
      depth = 0; // a tag that is never closed must not hold back the rest
    }
  }
  return null;
}

const LONGEST_HTML = 4000;

/** A paragraph, a quote or a table ends at a blank line or before a line that interrupts it. */
function endOfParagraph(lines: Iterable<ILine>): number | null {
  let first = true;
  for (const line of lines) {
    if (!line.text.trim()) {
      return line.end;
    }
    if (!first && (FENCE.test(line.text) || HEADING.test(line.text))) {
      return line.start;
    }
    first = false;
  }
  return null;
}

interface ILine {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** The lines of a text that have their line break. */
function fullLines(source: string): ILine[] {
  const lines: ILine[] = [];
  let start = 0;
  for (;;) {
    const at = source.indexOf('\n', start);
    if (at < 0) {
      return lines;
    }
    lines.push({ text: source.slice(start, at), start, end: at + 1 });
    start = at + 1;
  }
}

function* from(lines: readonly ILine[], index: number): Iterable<ILine> {
  for (; index < lines.length; index++) {
    yield lines[index];
  }
}

function firstLine(source: string): string {
  return source.trimStart() === ''
    ? ''
    : source.replace(/^(?:[ \t]*\n)+/, '').split('\n', 1)[0];
}

/** The Markdown to draw for an open block. */
export function completeMarkdown(block: IBlock): string {
  switch (block.kind) {
    case 'fence':
      return completeFence(block.source);
    case 'table':
      return completeTable(block.source);
    case 'math':
      return block.source;
    default:
      return completeText(block.source);
  }
}

/** Leave out a closing mark that is half written. */
function completeFence(source: string): string {
  return source.replace(/\n[ \t]*(?:`{1,2}|~{1,2})$/, '\n');
}

/** Write the rule under a table's header before the model does. */
function completeTable(source: string): string {
  const [header, rule, ...rows] = source.trimStart().split('\n');
  const cells = header.split(/(?<!\\)\|/).length - (/\|\s*$/.test(header) ? 2 : 1);
  if (rows.length === 0 && /^[\s|:-]*$/.test(rule ?? '')) {
    return `${header}\n|${'---|'.repeat(Math.max(cells, 1))}`;
  }
  const last = rows[rows.length - 1];
  return /^\s*\|?\s*$/.test(last ?? '') ? [header, rule, ...rows.slice(0, -1)].join('\n') : source;
}

function completeText(source: string): string {
  const lineStart = source.lastIndexOf('\n') + 1;
  let head = source.slice(0, lineStart);
  let line = source.slice(lineStart);
  // A mark alone on the last line may become a list, a heading or a rule.
  if (/^\s*(?:[-=+*_#>|`~]+|\d{1,9}[.)]?|\$\$?|\\\[?)\s*$/.test(line)) {
    return head.trimEnd();
  }
  // What is open may have begun on an earlier line of the same paragraph.
  const paragraph = Math.max(head.lastIndexOf('\n\n') + 2, lastItem(head), 0);
  line = head.slice(paragraph) + line;
  head = head.slice(0, paragraph);
  return head + closeInline(line);
}

function lastItem(head: string): number {
  let at = 0;
  for (const match of head.matchAll(/^[ \t]*(?:[-+*]|\d{1,9}[.)])\s/gm)) {
    at = match.index!;
  }
  return at;
}

/** Close the emphasis and code that a line leaves open; drop half a link or formula. */
function closeInline(line: string): string {
  const ticks = /(?<!\\)(`+)(?!.*\1)/s.exec(withoutCode(line));
  if (ticks) {
    return ticks.index !== undefined && line.endsWith(ticks[1])
      ? line.slice(0, -ticks[1].length)
      : line + ticks[1];
  }
  line = line
    .replace(/!?\[([^\[\]\n]*)\]\([^()\s]*$/, '$1') // [text](http://…
    .replace(/!\[[^\[\]\n]*$/, '') // ![alt…
    .replace(/\[([^\[\]\n]{0,200})$/, '$1') // [text…
    .replace(/<[a-zA-Z/!?][^<>]{0,200}$/, '') // <tag…
    .replace(/(?<![\\$])\$(?![\s\d$])[^$\n]{0,80}$/, '') // $x + …
    .replace(/\\\((?:(?!\\\))[^\n]){0,200}$/, '') // \(x + …
    .replace(/(\s|^)(?:\*{1,3}|_{1,3}|~{1,2}|\\)$/, '$1'); // a mark with nothing behind it
  const bare = withoutCode(line).replace(/\\./g, '  ');
  let end = '';
  for (const mark of ['**', '~~']) {
    if ((bare.split(mark).length - 1) % 2) {
      end = mark + end;
    }
  }
  const single = bare.replace(/\*\*/g, '').replace(/^[ \t]*\*[ \t]/gm, '');
  if (/(?:^|[^\w*])\*(?=\S)[^*]*$/.test(single)) {
    end = '*' + end;
  }
  const text = line.trimEnd();
  return end ? text.replace(/(?<![*~])[*~]$/, '') + end : line;
}

/** The text with its code spans blanked, so that their characters do not count. */
function withoutCode(text: string): string {
  return text.replace(/(`+)(?:(?!\1)[\s\S])+?\1(?!`)/g, span => ' '.repeat(span.length));
}
