import { describe, expect, it } from 'vitest';
import { extractMath, insertMath, isSafeMath } from '../../src/markdown/math';

const formulas = (source: string) => extractMath(source).formulas.map(formula => formula.tex);

describe('extractMath', () => {
  it.each([
    ['so $x$ and \\(y\\)', ['x', 'y']],
    ['$$\na\n$$ then \\[b\\]', ['a', 'b']],
    ['from $5 to $10', []],
    ['`$x$` and ``$y$``', []],
    ['```\n$x$\n```\n$z$', ['z']],
    ['\\$5 and $\\alpha_1$.', ['\\alpha_1']],
    ['\\begin{align}a\\end{align}', ['\\begin{align}a\\end{align}']],
    ['$a $ and $ b$', []]
  ])('%j holds %j', (source, expected) => {
    expect(formulas(source)).toEqual(expected);
  });

  it('comes back as elements', () => {
    const { text, formulas } = extractMath('a $x_1$ b');
    const host = document.createElement('div');
    host.innerHTML = `<p>${text}</p>`;
    insertMath(host, formulas);
    expect(host.textContent).toBe('a $x_1$ b');
    expect(host.querySelector('span')!.dataset.tex).toBe('$x_1$');
  });
});

describe('isSafeMath', () => {
  it.each([
    '\\href{javascript:alert(1)}{x}',
    '\\style{position:fixed}{x}',
    '\\class{jp-Button}{x}',
    '\\require{html}',
    '\\def\\frac#1#2{}',
    '\\newcommand{\\x}{\\href}',
    '\\bbox[background:url(//x)]{y}',
    '\\unicode[url(x)]{65}',
    '\\frac{1}{'.repeat(20) + '}'.repeat(20),
    '\\left('.repeat(20)
  ])('%s stays text', tex => {
    expect(isSafeMath(tex)).toBe(false);
  });

  it.each(['\\frac{a}{b}', '\\left(\\begin{matrix}1\\\\2\\end{matrix}\\right)', '\\hat{x}'])(
    '%s is typeset',
    tex => expect(isSafeMath(tex)).toBe(true)
  );
});
