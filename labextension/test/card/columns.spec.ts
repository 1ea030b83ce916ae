import { describe, expect, it } from 'vitest';
import { wordDiff } from '../../src/card/columns';

describe('wordDiff', () => {
  it('keeps what both have and tells the rest apart', () => {
    expect(wordDiff('A red car.', 'A blue car.')).toEqual([
      ['same', 'A'],
      ['gone', 'red'],
      ['new', 'blue'],
      ['same', 'car.']
    ]);
  });

  it.each([
    ['', ''],
    ['', 'a b'],
    ['a b', ''],
    ['one\n\ntwo three', 'one two\nthree'],
    ['a b c a b b a', 'c b a b a c']
  ])('gives back both texts: %j and %j', (one, other) => {
    const words = (text: string) => (text.match(/\n+|\S+/g) ?? []).join(' ');
    const without = (kind: string) =>
      wordDiff(one, other).filter(([found]) => found !== kind).map(([, text]) => text).join(' ');
    expect(without('new')).toBe(words(one));
    expect(without('gone')).toBe(words(other));
  });

  it('does not look for what is common in texts that are too long', () => {
    const long = 'word '.repeat(5000);
    expect(wordDiff(`${long} a`, `${long} b`).map(([kind]) => kind)).toEqual(['gone', 'new']);
  });
});
