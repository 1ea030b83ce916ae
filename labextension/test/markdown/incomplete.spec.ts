import { describe, expect, it } from 'vitest';
import { kindOf } from '../../src/markdown/blocks';
import { completeMarkdown } from '../../src/markdown/incomplete';

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
