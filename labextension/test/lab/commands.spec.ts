import { describe, expect, it } from 'vitest';
import { askCell, fenced, outputCell, workCell } from '../../src/lab/commands';
import type { ICellText, Words } from '../../src/lab/commands';

const WORDS: Words = {
  about: 'About this code:',
  output: 'About this output:',
  explain: 'Explain.',
  fix: 'Fix.',
  doc: 'Document.',
  test: 'Test.',
  optimize: 'Speed up.'
};
const ran: ICellText = { source: 'x = 1\n', count: 3, error: null };
const failed: ICellText = {
  source: 'y = x / 0',
  count: 4,
  error: { name: 'ZeroDivisionError', message: 'division by zero', traceback: '\x1b[31mTrace\x1b[0m' }
};

describe('the cells that commands write', () => {
  it('names a cell that ran by its number', () => {
    expect(workCell('explain', ran, WORDS, false)).toBe('%deepseek explain 3');
    expect(workCell('optimize', ran, WORDS, false)).toBe('%deepseek optimize 3');
    expect(workCell('fix', failed, WORDS, true)).toBe('%deepseek fix');
  });

  it('takes a cell along that the kernel does not know', () => {
    expect(workCell('explain', { ...ran, count: null }, WORDS, false)).toBe(
      '%%deepseek\nExplain.\n\n```python\nx = 1\n```'
    );
    expect(workCell('test', { ...ran, count: null }, WORDS, false)).toMatch(
      /^%%deepseek --format code\nTest\./
    );
  });

  it('takes an earlier error along, without its colours', () => {
    const cell = workCell('fix', failed, WORDS, false);
    expect(cell).toContain('```python\ny = x / 0\n```');
    expect(cell).toContain('```text\nTrace\n```');
  });

  it('asks about a cell, with the cursor after it', () => {
    expect(askCell(ran, WORDS)).toBe('%%deepseek\n@In[3] ');
    const unknown = { ...ran, count: null };
    expect(askCell(unknown, WORDS)).toBe('%%deepseek\nAbout this code:\n\n```python\nx = 1\n```\n\n');
  });

  it('names a result, and quotes any other output', () => {
    expect(outputCell('Out[3]', '', WORDS)).toBe('%%deepseek --attach Out[3]\n');
    expect(outputCell(null, 'printed\n', WORDS)).toContain('```text\nprinted\n```');
    expect(outputCell(null, 'x'.repeat(10_000), WORDS).length).toBeLessThan(5000);
  });

  it('lets no text evaluate anything', () => {
    // The magic evaluates what stands in double braces, unless a backslash is before them.
    for (const text of ['{{ evil() }}', 'a {{{{ b', '{{{x}}}', '\\{{ evil() }}']) {
      expect(fenced(text, 'text').replace(/\\\{\{/g, '')).not.toContain('{{');
    }
  });

  it('lets no text close its block', () => {
    const text = 'a\n```\n%%bash\n````\nb';
    const lines = fenced(text, 'text').split('\n');
    expect(lines[0]).toBe('`````text');
    expect(lines[lines.length - 1]).toBe('`````');
  });
});
