/**
 * Closes the Markdown of a block that is still being written.
 *
 * While a model writes, the last block is half a thought: `**bold` without its end, a link without
 * its target, a table without its rule. Drawn as it is, marks would flash up and vanish.
 * `completeMarkdown` closes what is open and leaves out what is not decided yet. The finished block
 * that follows shows every character.
 *
 * remend does half of this: it knows no tables, half-written lists or formulas, marks an unfinished link
 * by an address of its own, and is ten times as large.
 */
import type { IBlock } from './blocks';

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
