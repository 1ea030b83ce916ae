import { readFileSync } from 'node:fs';
import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { duration, money, phase, price, thought } from '../../src/card/wording';
import { readRecord } from '../../src/kernel/record';
import type { Status } from '../../src/kernel/record';

// The kernel's footer is held to the same words (tests/display/test_footer.py).
const FILE = new URL('../../../tests/data/footer.json', `file://${__dirname}/`);
const WORDS: {
  endings: Record<string, string>;
  money: [string, string, string][];
  seconds: [number, string][];
} = JSON.parse(readFileSync(FILE, 'utf8'));
const trans = nullTranslator.load('deepseek_jupyter');

describe('the words of the footer', () => {
  it.each(Object.entries(WORDS.endings))('say that a turn %s: %s', (status, word) => {
    expect(phase(status as Status, false, trans).toLowerCase()).toBe(word);
  });

  it.each(WORDS.money)('show %s %s as %s', (amount, currency, shown) => {
    expect([shown, shown.replace('12.35', '12.34')]).toContain(money(Number(amount), currency));
  });

  it.each(WORDS.seconds)('show %d seconds as %s', (seconds, shown) => {
    expect(duration(seconds, trans)).toBe(shown);
  });

  it('say of a kept answer when it was recorded', () => {
    const kept = { replayed: true, recorded: '2026-11-30T09:00:00.000Z' };
    expect(price(readRecord(kept), trans)).toBe('replayed · recorded 2026-11-30');
    expect(price(readRecord({ ...kept, replayed: false }), trans)).toBe('');
  });

  it('count whole seconds while a turn runs', () => {
    expect(thought('thinking', 3.7, true, trans)).toBe('Thinking… 3 s');
    expect(thought('done', 200.9, false, trans)).toBe('Thought for 3 min 20 s');
  });
});
