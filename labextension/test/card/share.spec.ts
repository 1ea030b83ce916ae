import { describe, expect, it } from 'vitest';
import { nullTranslator } from '@jupyterlab/translation';
import { Attachments } from '../../src/card/parts';
import { shareOf } from '../../src/card/share';
import { readRecord } from '../../src/kernel/record';

const trans = nullTranslator.load('deepseek_jupyter');

describe('what of a frame leaves, in a few words', () => {
  it.each([
    ['sample(5)', '5 rows'],
    ['sample(1),name=none', '1 row'],
    ['sample', '5 rows'],
    ['sample(5),*<=stats,*name*<=none', 'statistics'],
    ['full,budget=400', 'all rows'],
    ['schema', 'names and types'],
    ['none', 'nothing'],
    ['', ''],
    ['something else', '']
  ])('%s is %s', (policy, words) => expect(shareOf(policy, trans)).toBe(words));

  it.each([
    ['sample(5)', [5, 1891], '5 of 1,891 rows'],
    ['sample(5)', [1, 1], '1 row'],
    ['full', [2, 2], '2 rows'],
    ['stats,price=full', [2, 9], 'statistics']
  ])('%s with %j rows is %s', (policy, rows, words) =>
    expect(shareOf(policy, trans, rows)).toBe(words)
  );

  it('stands in the chip, and how much of a text was sent', () => {
    const chips = new Attachments(trans);
    chips.update(
      readRecord({
        attachments: [
          { name: 'df', kind: 'frame', policy: 'sample(5),*<=stats', tokens: 9 },
          { name: 'talk', kind: 'text', policy: 'sample(5)', tokens: 9 },
          { name: 'log', kind: 'file', policy: 'full', tokens: 9, cut: '66 of 1,200 lines' }
        ]
      })
    );
    const notes = [...chips.node.children].map(chip => chip.textContent);
    expect(notes).toEqual(['dfstatistics', 'talk', 'log66 of 1,200 lines']);
  });
});
