import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { asMarkdown, readRecord } from '../../src/kernel/record';
import { closeFence, completeMarkdown, kindOf, split } from '../../src/markdown/blocks';
import type { IBlock } from '../../src/markdown/blocks';

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
    // By the characters that are looked at, since a busy machine makes seconds lie.
    const read = (count: number) => {
      let length = 0;
      const { exec } = RegExp.prototype;
      const spy = vi.spyOn(RegExp.prototype, 'exec').mockImplementation(function (this: RegExp, text) {
        length += text.length;
        return exec.call(this, text);
      });
      const { closed } = split(('word '.repeat(20) + '\n\n').repeat(count));
      spy.mockRestore();
      expect(closed).toHaveLength(count);
      return length;
    };
    expect(read(500)).toBeGreaterThan(500 * 100);
    expect(read(2_000) / read(500)).toBeLessThan(5);
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

interface ISample {
  readonly name: string;
  readonly text: string;
  readonly blocks?: readonly string[];
  readonly card?: readonly string[];
}

// The kernel's splitter is held to the same samples (tests/display/test_blocks.py).
const FILE = new URL('../../../tests/data/blocks.json', `file://${__dirname}/`);
const TABLE: { answer_fence: number; samples: ISample[] } = JSON.parse(readFileSync(FILE, 'utf8'));

describe('the table of blocks', () => {
  it.each(TABLE.samples)('$name', ({ text, blocks, card }) => {
    const { closed, open } = split(text);
    const cut = [...closed, open]
      .map(({ source }) => source.replace(/^(?:[ \t]*\n)+/, '').trimEnd())
      .filter(source => source);
    expect(cut).toEqual(blocks ?? card);
    expect(incremental(text).map(block => block.source)).toEqual([...closed, open].map(b => b.source));
  });

  it('has the fence around an answer that is no Markdown', () => {
    const fence = '`'.repeat(TABLE.answer_fence);
    const record = readRecord({ answer: '{}', format: 'json' });
    expect(asMarkdown(record)).toBe(`${fence}json\n{}`);
  });
});

const drawn = (source: string) => completeMarkdown({ kind: kindOf(source), source });

describe('completeMarkdown', () => {
  it.each([
    ['some **bold', 'some **bold**'],
    ['some **bold*', 'some **bold**'],
    ['some **', 'some '],
    ['an *emphasis', 'an *emphasis*'],
    ['3 * 4', '3 * 4'],
    ['snake_case', 'snake_case'],
    ['a `code', 'a `code`'],
    ['a `', 'a '],
    ['see [the docs](https://exa', 'see the docs'],
    ['see [the do', 'see the do'],
    ['see ![alt', 'see '],
    ['so $x + ', 'so '],
    ['so $x$ is', 'so $x$ is'],
    ['costs $5 a', 'costs $5 a'],
    ['so \\(x + ', 'so '],
    ['a <details', 'a '],
    ['a < b', 'a < b'],
    ['Intro:\n-', 'Intro:'],
    ['Intro:\n---', 'Intro:'],
    ['Intro:\n1.', 'Intro:'],
    ['- one **two', '- one **two**'],
    ['* one *two', '* one *two*'],
    ['`a` and **`b` c', '`a` and **`b` c**']
  ])('%j is drawn as %j', (source, expected) => {
    expect(drawn(source)).toBe(expected);
  });

  it('gives a table its rule before the model does', () => {
    expect(drawn('| a | b |')).toBe('| a | b |\n|---|---|');
    expect(drawn('| a | b |\n|--')).toBe('| a | b |\n|---|---|');
    expect(drawn('| a | b |\n|---|---|\n| 1 |')).toBe('| a | b |\n|---|---|\n| 1 |');
  });

  it('hides a half written closing mark', () => {
    expect(drawn('```py\nx\n``')).toBe('```py\nx\n');
    expect(drawn('```py\nx\n')).toBe('```py\nx\n');
  });
});
