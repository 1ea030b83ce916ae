import { describe, expect, it } from 'vitest';
import { closeFence, split } from '../src/blocks';
import type { IBlock } from '../src/blocks';

const SAMPLE = `# Title
A paragraph with **bold**
over two lines.

Another, then code:
\`\`\`python
def f(x):

    return x  # \`\`\` not yet
\`\`\`
- one
- two

  still two

  \`\`\`sh
ls

  \`\`\`
- three

| a | b |
|---|---|
| 1 | 2 |

$$
x = 1

y = 2
$$
\\[
z
\\]
<details><summary>more</summary>

inside

</details>

> a quote
> goes on

---
\`\`\`\`md
\`\`\`py
nested
\`\`\`
\`\`\`\`
\\begin{align}
a &= b
\\end{align}

1. first
2. second
Last words`;

/** The blocks that come out when the text arrives in these pieces. */
function incremental(pieces: Iterable<string>): IBlock[] {
  const blocks: IBlock[] = [];
  let open = '';
  for (const piece of pieces) {
    const next = split(open + piece);
    blocks.push(...next.closed);
    open = next.open.source;
  }
  return [...blocks, split(open).open];
}

describe('split', () => {
  const whole = split(SAMPLE);

  it('keeps every character', () => {
    expect([...whole.closed, whole.open].map(block => block.source).join('')).toBe(SAMPLE);
  });

  it('finds the blocks of each kind', () => {
    const kinds = whole.closed.map(block => block.kind).join(' ');
    expect(kinds).toBe(
      'text text text fence list table math math html text text fence math'
    );
    expect(whole.open.kind).toBe('list');
  });

  it('keeps a list with blank lines and code in one block', () => {
    const list = whole.closed.find(block => block.kind === 'list')!;
    expect(list.source).toContain('- one');
    expect(list.source).toContain('- three');
  });

  it('keeps a fold in one block', () => {
    expect(whole.closed.find(block => block.kind === 'html')!.source).toContain('</details>');
  });

  it('gives the same blocks wherever the text is cut', () => {
    const expected = [...whole.closed, whole.open];
    expect(incremental(SAMPLE)).toEqual(expected);
    for (let size = 2; size < 40; size++) {
      const pieces = SAMPLE.match(new RegExp(`[^]{1,${size}}`, 'g'))!;
      expect(incremental(pieces)).toEqual(expected);
    }
  });

  it('closes a fence where marked closes it', () => {
    const [first] = split('```text\n```~\n```mermaid\nx\n```\n').closed;
    expect(first.source).toBe('```text\n```~\n');
  });

  it('leaves nothing open that a blank line ends', () => {
    const { closed, open } = split('one\n\ntwo\n\n');
    expect(closed.map(block => block.source)).toEqual(['one\n\n', 'two\n\n']);
    expect(open.source).toBe('');
  });

  it('is linear', () => {
    const text = 'word '.repeat(20) + '\n\n';
    const start = performance.now();
    expect(split(text.repeat(10_000)).closed).toHaveLength(10_000);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

describe('closeFence', () => {
  it('closes what is open and nothing else', () => {
    expect(closeFence('```py\nx')).toBe('```py\nx\n```');
    expect(closeFence('```py\nx\n```\n')).toBe('```py\nx\n```\n');
    expect(closeFence('~~~~\nx\n~~~')).toBe('~~~~\nx\n~~~\n~~~~');
    expect(closeFence('```py')).toBe('```py\n```');
  });
});
