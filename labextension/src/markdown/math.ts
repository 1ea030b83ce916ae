/**
 * Formulas: taken out of the Markdown before it is parsed, put back as elements of their own.
 *
 * Models write `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and `\begin{…}`. A dollar opens a formula only when
 * no space follows it, and closes one only when no space is before and no digit behind it, so that
 * prices stay prices (pandoc's rule).
 *
 * TeX is code: macros can carry links, styles and scripts, load packages, or redefine what every
 * formula of the page means. A formula that uses one of those is shown as its source. The rules are
 * the kernel's own file; its guard is `deepseek_jupyter/sanitizer/math.py`.
 */
import rules from '../../../deepseek_jupyter/sanitizer/math.json';

/** A formula in the text: what was written, and whether it has a line of its own. */
export interface IFormula {
  readonly source: string;
  readonly tex: string;
  readonly display: boolean;
}

/** Stand for a formula while Markdown is parsed: private characters around its number. */
const MARK = /\uE000(\d+)\uE001/g;

/** `MARK` in an attribute, where Markdown may have encoded it. */
const ENCODED = /(?:\uE000|%EE%80%80)(\d+)(?:\uE001|%EE%80%81)/i;

/** Some of the rules' patterns as one. */
const pattern = (...patterns: readonly string[]) => new RegExp(patterns.join('|'), 'i');

/** Some of the rules' commands as one pattern. */
const command = (names: readonly string[]) => `\\\\(?:${names.join('|')})(?![a-z])`;

const FORBIDDEN = pattern(command(rules.forbidden_commands), ...rules.forbidden);
const SHIFTS = new RegExp(command(rules.shifting_commands), 'gi');
const FAR = pattern(...rules.far);

/** The space that a line break asks for. */
const BREAK = /\\\\\*?\s*\[([^\]]*)/g;

/** The class of a formula's element. */
export const MATH_CLASS = 'jp-DeepSeek-math';

/** Take the formulas out of a Markdown text. */
export function extractMath(source: string): { text: string; formulas: IFormula[] } {
  const formulas: IFormula[] = [];
  let text = '';
  let at = 0;
  while (at < source.length) {
    const code = codeAt(source, at);
    if (code) {
      text += code;
      at += code.length;
      continue;
    }
    const formula = formulaAt(source, at);
    if (formula) {
      text += `\uE000${formulas.length}\uE001`;
      formulas.push(formula);
      at += formula.source.length;
    } else if (source[at] === '$') {
      text += '\\$';
      at += 1;
    } else {
      const length = source[at] === '\\' && at + 1 < source.length ? 2 : 1;
      text += source.slice(at, at + length);
      at += length;
    }
  }
  return { text, formulas };
}

/** Put the formulas back into the drawn text, each as an element with its source. */
export function insertMath(host: HTMLElement, formulas: readonly IFormula[]): void {
  if (!formulas.length) {
    return;
  }
  for (const element of host.querySelectorAll('*')) {
    for (const attribute of element.attributes) {
      if (ENCODED.test(attribute.value)) {
        attribute.value = restore(attribute.value.replace(ENCODED, '\uE000$1\uE001'), formulas);
      }
    }
  }
  const walker = document.createTreeWalker(host, NodeFilter.SHOW_TEXT);
  const marked: Text[] = [];
  while (walker.nextNode()) {
    const node = walker.currentNode as Text;
    if (node.data.includes('\uE000')) {
      marked.push(node);
    }
  }
  for (const node of marked) {
    node.replaceWith(...pieces(node, formulas));
  }
}

/**
 * Whether a formula may be handed to the typesetter.
 *
 * #### Notes
 * `forbidden_in_markdown` is left out: it is about readers of Markdown, and here a formula is taken out
 * of the text before that is read.
 */
export function isSafeMath(tex: string, display: boolean): boolean {
  const dollars = tex.split('$').length - 1;
  const shifts = tex.match(SHIFTS)?.length ?? 0;
  return (
    tex.length <= rules.longest &&
    tex.trim() !== '' &&
    !tex.endsWith('\\') &&
    (dollars === 0 || (display && dollars % 2 === 0)) &&
    !FORBIDDEN.test(tex) &&
    shifts <= rules.most_shifts &&
    !(shifts && FAR.test(tex)) &&
    ![...tex.matchAll(BREAK)].some(([, space]) => FAR.test(space)) &&
    nestsWell(tex)
  );
}

/** Whether braces pair, and nothing nests so deep that laying it out would not end. */
function nestsWell(tex: string): boolean {
  let braces = 0;
  let groups = 0;
  for (const [token] of tex.matchAll(/\\(?:left|right|begin|end)(?![a-zA-Z])|\\[^]|[{}]/g)) {
    if (token === '{') {
      braces++;
    } else if (token === '}') {
      braces--;
    } else if (token === '\\left' || token === '\\begin') {
      groups++;
    } else if (token === '\\right' || token === '\\end') {
      groups = Math.max(0, groups - 1);
    }
    if (braces < 0 || braces + groups > rules.deepest) {
      return false;
    }
  }
  return braces === 0;
}

/**
 * Clear what typesetting left in a formula that could act on the page.
 *
 * The second line of defence: `isSafeMath` should have kept it out.
 */
export function scrubMath(host: HTMLElement): void {
  for (const element of host.querySelectorAll('*')) {
    for (const { name, value } of [...element.attributes]) {
      const reaches = /^(?:href|xlink:href|src|id|on.*)$/i.test(name);
      if (reaches || (name === 'style' && /url\s*\(|position|z-index/i.test(value))) {
        element.removeAttribute(name);
      }
    }
  }
}

function pieces(node: Text, formulas: readonly IFormula[]): Node[] {
  if (node.parentElement?.closest('pre, code')) {
    return [document.createTextNode(restore(node.data, formulas))];
  }
  const out: Node[] = [];
  let last = 0;
  for (const match of node.data.matchAll(MARK)) {
    const formula = formulas[Number(match[1])];
    out.push(document.createTextNode(node.data.slice(last, match.index)));
    if (formula) {
      out.push(element(formula));
    }
    last = match.index! + match[0].length;
  }
  out.push(document.createTextNode(node.data.slice(last)));
  return out.filter(piece => piece.nodeType !== Node.TEXT_NODE || (piece as Text).data);
}

function element(formula: IFormula): HTMLElement {
  const node = document.createElement('span');
  node.className = MATH_CLASS;
  node.dataset.tex = formula.source;
  if (isSafeMath(formula.tex, formula.display)) {
    const mark = formula.display ? '$$' : '$';
    node.textContent = `${mark}${formula.tex}${mark}`;
  } else {
    node.classList.add('jp-mod-source');
    node.textContent = formula.source;
  }
  return node;
}

function restore(text: string, formulas: readonly IFormula[]): string {
  return text.includes('\uE000')
    ? text.replace(MARK, (_, index) => formulas[Number(index)]?.source ?? '')
    : text;
}

/** The code span or fence that begins here, in full; empty where none does. */
function codeAt(source: string, at: number): string {
  const char = source[at];
  if (char !== '`' && !source.startsWith('~~~', at)) {
    return '';
  }
  let end = at;
  while (source[end] === char) {
    end++;
  }
  const mark = source.slice(at, end);
  let close = end;
  for (;;) {
    close = source.indexOf(mark, close);
    if (close < 0) {
      return mark.length >= 3 ? source.slice(at) : mark;
    }
    let after = close;
    while (source[after] === char) {
      after++;
    }
    if (after - close === mark.length) {
      return source.slice(at, after);
    }
    close = after;
  }
}

function formulaAt(source: string, at: number): IFormula | null {
  const rest = source[at];
  if (rest === '$') {
    return source[at + 1] === '$' ? between(source, at, '$$', '$$', true) : dollar(source, at);
  }
  if (rest !== '\\') {
    return null;
  }
  switch (source[at + 1]) {
    case '(':
      return between(source, at, '\\(', '\\)', false);
    case '[':
      return between(source, at, '\\[', '\\]', true);
    case 'b': {
      const begin = /^\\begin\{([a-zA-Z]+\*?)\}/.exec(source.slice(at, at + 40));
      const end = begin && `\\end{${begin[1]}}`;
      const close = end ? source.indexOf(end, at) : -1;
      if (!end || close < 0) {
        return null;
      }
      const tex = source.slice(at, close + end.length);
      return { source: tex, tex, display: true };
    }
    default:
      return null;
  }
}

function between(
  source: string,
  at: number,
  open: string,
  close: string,
  display: boolean
): IFormula | null {
  const end = source.indexOf(close, at + open.length);
  const tex = source.slice(at + open.length, end);
  if (end < 0 || !tex.trim() || (!display && /\n\s*\n/.test(tex))) {
    return null;
  }
  return { source: source.slice(at, end + close.length), tex: tex.trim(), display };
}

function dollar(source: string, at: number): IFormula | null {
  const match = /^\$(?![\s$])((?:\\[\s\S]|[^$\\\n]|\n(?!\s*\n))*?[^\s\\$]|(?:\\[^\s]))\$(?!\d)/.exec(
    source.slice(at, at + rules.longest)
  );
  return match && { source: match[0], tex: match[1], display: false };
}
