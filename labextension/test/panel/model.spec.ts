import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { meter } from '../../src/panel/model';

describe('the meter', () => {
  const trans = nullTranslator.load('deepseek_jupyter');

  it('says what was used', () => {
    const used = { turns: 2, prompt: 20_000, cached: 15_000, out: 1500, cost: { USD: '0.0123' } };
    expect(meter(used, trans)).toBe('2 turns · 22k tokens · 75% cached · ~$0.012');
    expect(meter({ turns: 0 }, trans)).toBe('');
    expect(meter(null, trans)).toBe('');
  });
});
