import { describe, expect, it } from 'vitest';
import {
  CompletionCache,
  contextOf,
  dropped,
  isFull,
  isPython,
  pythonOf,
  shown
} from '../../src/lab/inlinecompletion';

const BUDGET = { prefix: 1000, suffix: 100 };

/** So many cells of a hundred characters. */
const cells = (count: number) =>
  Array.from({ length: count }, (_, index) => `cell_${index} = `.padEnd(100, 'x'));

/** How much of the beginning two texts share. */
function common(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) {
    length++;
  }
  return length;
}

describe('contextOf', () => {
  it('is the code above in the order of the notebook, then the cell up to the cursor', () => {
    const { prefix, suffix } = contextOf(['import a', 'b = 1'], 'x = \nprint(x)', 4, BUDGET);
    expect(prefix).toBe('import a\n\nb = 1\n\nx = ');
    expect(suffix).toBe('\nprint(x)');
  });

  it('leaves prompts, shell scripts and pages out', () => {
    const above = ['%%deepseek\nWhat is x?', '%%bash\nls', '%%html\n<b>', '  \n', 'y = 2'];
    expect(contextOf(above, 'z', 1, BUDGET).prefix).toBe('y = 2\n\nz');
  });

  it('takes the code under a magic that runs it', () => {
    expect(pythonOf('%%time\nx = 1\n')).toBe('x = 1');
    expect(isPython('%%capture out\nx')).toBe(true);
    expect(isPython('%%ds\nWhat?')).toBe(false);
    expect(isPython('\n%%ds\nWhat?')).toBe(false);
  });

  it('keeps every byte of its beginning while the user types', () => {
    const above = cells(30);
    const source = 'total = sum(values)';
    const texts = [...source].map((_, i) => contextOf(above, source.slice(0, i + 1), i + 1, BUDGET));
    for (const { prefix } of texts) {
      expect(prefix.startsWith(texts[0].prefix)).toBe(true);
    }
  });

  it('moves its beginning seldom while cells are added', () => {
    const starts = Array.from({ length: 60 }, (_, count) => dropped(cells(count + 1), 1000));
    const moves = starts.filter((start, index) => index > 0 && start !== starts[index - 1]);
    expect(moves.length).toBeLessThanOrEqual(60 / 4);
    expect(Math.max(...starts)).toBeGreaterThan(40);
  });

  it('shares nearly all of it from one edit to the next', () => {
    const above = cells(40);
    let [shared, all] = [0, 0];
    let before = contextOf(above, 'a', 1, BUDGET).prefix;
    for (let edit = 0; edit < 40; edit++) {
      above.push(`new_${edit} = `.padEnd(100, 'y'));
      const { prefix } = contextOf(above, 'a', 1, BUDGET);
      shared += common(before, prefix);
      all += prefix.length;
      before = prefix;
    }
    expect(shared / all).toBeGreaterThan(0.7);
  });

  it('stays within the budget, and is never empty while there is code', () => {
    for (let count = 1; count < 50; count++) {
      const { prefix } = contextOf(cells(count), 'a', 1, BUDGET);
      expect(prefix.length).toBeLessThanOrEqual(1000 + 3);
      expect(prefix.length).toBeGreaterThan(Math.min(count, 4) * 100);
    }
  });

  it('cuts a single huge cell at a line', () => {
    const huge = Array.from({ length: 1000 }, (_, i) => `line ${i}`).join('\n');
    const { prefix, suffix } = contextOf([], huge, huge.length, BUDGET);
    expect(prefix.length).toBeLessThanOrEqual(1000);
    expect(prefix.startsWith('line ')).toBe(true);
    expect(suffix).toBe('');
    expect(contextOf([], huge, 3, BUDGET).suffix).toHaveLength(100);
  });
});

const at = (prefix: string, suffix = '') => ({ prefix, suffix });

describe('CompletionCache', () => {
  it('knows a ghost text again, and the rest of it while it is typed', () => {
    const recent = new CompletionCache();
    recent.add(at('x = '), 'sum(values)');
    expect(recent.find(at('x = '))).toBe('sum(values)');
    expect(recent.find(at('x = sum('))).toBe('values)');
    expect(recent.find(at('x = max('))).toBeNull();
    expect(recent.find(at('x ='))).toBeNull();
    expect(recent.find(at('x = ', '\nprint(x)'))).toBeNull();
  });

  it('says nothing once it was taken whole', () => {
    const recent = new CompletionCache();
    recent.add(at('x = '), '1');
    expect(recent.find(at('x = 1'))).toBeNull();
  });

  it('remembers that nothing was suggested', () => {
    const recent = new CompletionCache();
    recent.add(at('done()'), '');
    expect(recent.find(at('done()'))).toBe('');
  });

  it('forgets the one that was not used for longest', () => {
    const recent = new CompletionCache(2);
    recent.add(at('a'), '1');
    recent.add(at('b'), '2');
    recent.find(at('a'));
    recent.add(at('c'), '3');
    expect([recent.find(at('a')), recent.find(at('b')), recent.find(at('c'))]).toEqual(['1', null, '3']);
    expect(recent.size).toBe(2);
  });

  it('holds one text a place', () => {
    const recent = new CompletionCache();
    recent.add(at('a'), '1');
    recent.add(at('a'), '2');
    expect(recent.size).toBe(1);
    expect(recent.find(at('a'))).toBe('2');
  });
});

describe('what is shown', () => {
  it('has no blanks at its end, and only so many lines', () => {
    expect(shown('a\nb\nc  \n', 2)).toBe('a\nb');
    expect(shown('a\nb\n\n', 0)).toBe('a\nb');
    expect(shown('\n    a\n    b', 1)).toBe('\n    a');
  });

  it('is full when another line begins', () => {
    expect(isFull('a\nb', 2)).toBe(false);
    expect(isFull('a\nb\n', 2)).toBe(true);
    expect(isFull('\n    a', 1)).toBe(false);
    expect(isFull('a\nb\nc', 0)).toBe(false);
  });
});
