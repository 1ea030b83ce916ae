import { describe, expect, it } from 'vitest';
import { complete, History, matches, mention, mentioned } from '../../src/panel/composer';

describe('completion', () => {
  const names = ['sales', 'sales_2', 'old_sales', 'n'].map(name => ({ name, type: 't', shape: '' }));

  it.each([
    ['@', 1, { start: 0, query: '' }],
    ['look at @sa', 11, { start: 8, query: 'sa' }],
    ['(@größe', 7, { start: 1, query: 'größe' }],
    ['me@example', 10, null],
    ['@sales and', 10, null],
    ['@@x', 3, null],
    ['no', 2, null]
  ])('finds the @ that is being written: %s', (text, caret, found) => {
    expect(mention(text, caret)).toEqual(found);
  });

  it('offers what begins with it, then what holds it', () => {
    expect(matches(names, 'SALES').map(({ name }) => name)).toEqual(['sales', 'sales_2', 'old_sales']);
    expect(matches(names, '', 2)).toHaveLength(2);
  });

  it('replaces the word that is being written, and no more', () => {
    expect(complete('see @sa now', 7, { start: 4, query: 'sa' }, 'sales')).toEqual({
      text: 'see @sales now',
      caret: 10
    });
    expect(complete('@salXX', 4, { start: 0, query: 'sal' }, 'sales').text).toBe('@sales ');
  });

  it('knows what a prompt mentions', () => {
    const found = mentioned('@sales, @n and me@old_sales or @gone', names);
    expect(found.map(({ name }) => name)).toEqual(['sales', 'n']);
  });
});

describe('the history of prompts', () => {
  it('goes back, and forward to what was being written', () => {
    const history = new History();
    expect(history.step(-1, 'draft')).toBeNull();
    ['one', 'two', 'one'].forEach(prompt => history.add(prompt));
    expect(history.step(-1, 'draft')).toBe('one');
    expect(history.step(-1, '')).toBe('two');
    expect(history.step(-1, '')).toBeNull();
    expect(history.step(1, '')).toBe('one');
    expect(history.step(1, '')).toBe('draft');
    expect(history.step(1, 'draft')).toBeNull();
  });
});
