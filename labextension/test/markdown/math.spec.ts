import { readFileSync } from 'node:fs';
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

interface ISample {
  readonly tex: string;
  readonly display: boolean;
  readonly typeset: boolean | { readonly card: boolean };
  readonly why: string;
}

// The kernel's guard is held to the same samples (tests/display/test_formulas.py).
const FILE = new URL('../../../tests/data/formulas.json', `file://${__dirname}/`);
const SAMPLES: ISample[] = JSON.parse(readFileSync(FILE, 'utf8'));

describe('isSafeMath', () => {
  it.each(SAMPLES)('decides on $tex', ({ tex, display, typeset, why }) => {
    expect(isSafeMath(tex, display), why).toBe(typeof typeset === 'boolean' ? typeset : typeset.card);
  });
});
