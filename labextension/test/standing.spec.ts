import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { atLength, inShort, readStanding } from '../src/standing';

const trans = nullTranslator.load('deepseek_jupyter');
const TOLD = {
  type: 'standing',
  notebook: '01999999-0000-7000-8000-000000000000',
  asked: true,
  turns: 3,
  spent: '~$0.0012',
  tokens: 900,
  hit: 0.634,
  ghosts: 2,
  ghost_spent: '~$0.0001'
};

describe('the standing of a notebook', () => {
  it('is told in short and at length', () => {
    const standing = readStanding(TOLD);
    expect(inShort(standing, trans)).toBe('DeepSeek ~$0.0012 · 63% cached · ghost text ~$0.0001');
    expect(atLength(standing, trans)).toBe(
      'This notebook asked 3 questions.\nEstimated cost: ~$0.0012\n' +
        '63% of the prompt tokens came from the cache.\n2 ghost texts, ~$0.0001'
    );
  });

  it('counts tokens where no price is known', () => {
    const standing = readStanding({ ...TOLD, spent: '', hit: null, ghosts: 0 });
    expect(inShort(standing, trans)).toBe('DeepSeek 900 tokens');
  });

  it('says nothing where nothing was asked', () => {
    const standing = readStanding({ type: 'standing', asked: false, notebook: null });
    expect(inShort(standing, trans)).toBe('');
    expect(inShort(null, trans)).toBe('');
  });

  it.each([null, 7, 'x', {}, [], { asked: 'yes' }])('is nothing else: %j', json => {
    expect(readStanding(json)).toBeNull();
  });

  it('takes no odd id of a notebook', () => {
    expect(readStanding({ ...TOLD, notebook: '../../x' })!.notebook).toBeNull();
    expect(readStanding({ ...TOLD, notebook: { a: 1 } })!.notebook).toBeNull();
  });
});
