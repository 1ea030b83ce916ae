/**
 * What the commands write into cells. Pure.
 *
 * Every command is a cell that stays in the notebook: what was asked can be read, changed and run
 * again, and nothing runs that is not seen.
 */

/** A cell as the commands see it. */
export interface ICellText {
  readonly source: string;
  /** Its number, if it ran in the kernel that is there now. */
  readonly count: number | null;
  /** Its error, if it ended with one. */
  readonly error: { readonly name: string; readonly message: string; readonly traceback: string } | null;
}

/** The commands that work on one cell, as the line magic calls them. */
export type Work = 'explain' | 'fix' | 'doc' | 'test' | 'optimize';

/** In the words of the catalogue; the question goes to the model in the user's language. */
export type Words = Readonly<Record<Work | 'about' | 'output', string>>;

export const LOAD = '%load_ext deepseek_jupyter';

/** Longest piece of an output or a traceback that goes into a prompt, in characters. */
const LONGEST = 4000;

/** The cell in which the user asks about another one, which it names if the kernel ran that one. */
export function askCell(cell: ICellText, words: Words): string {
  if (cell.count !== null) {
    return `%%deepseek\n@In[${cell.count}] `;
  }
  return `%%deepseek\n${words.about}\n\n${fenced(cell.source, 'python')}\n\n`;
}

/**
 * The cell that has the model work on another one.
 *
 * The kernel knows cells that it ran by their number. Any other goes along as text.
 */
export function workCell(work: Work, cell: ICellText, words: Words, isLastError: boolean): string {
  if (work === 'fix') {
    return cell.count !== null && cell.error && isLastError ? '%deepseek fix' : inWords(work, cell, words);
  }
  return cell.count === null ? inWords(work, cell, words) : `%deepseek ${work} ${cell.count}`;
}

/** The cell that asks about an output: by its name where it has one, else as text. */
export function outputCell(name: string | null, text: string, words: Words): string {
  if (name) {
    return `%%deepseek --attach ${name}\n`;
  }
  return `%%deepseek\n${words.output}\n\n${fenced(ending(text), 'text')}\n\n`;
}

function inWords(work: Work, { source, error }: ICellText, words: Words): string {
  const parts = [`%%deepseek${work === 'explain' ? '' : ' --format code'}`, words[work]];
  parts[1] += `\n\n${fenced(source, 'python')}`;
  if (work === 'fix' && error) {
    parts[1] += `\n\n${fenced(ending(plain(error.traceback) || `${error.name}: ${error.message}`), 'text')}`;
  }
  return parts.join('\n');
}

/**
 * Text in a block of code that it cannot close.
 *
 * #### Notes
 * The magic evaluates what is in double braces, and an output is not trusted.
 */
export function fenced(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(match => match[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.replace(/\{\{/g, '\\{{').trimEnd()}\n${fence}`;
}

/** The end of a text: of a traceback, and of most outputs, it says more than the beginning. */
function ending(text: string): string {
  return text.length > LONGEST ? `…${text.slice(-LONGEST)}` : text;
}

/** A traceback without its colours. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\x1b\[[0-9;]*m/g, '');
}
