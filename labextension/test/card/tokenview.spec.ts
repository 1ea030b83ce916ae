import { readFileSync } from 'node:fs';
import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { percent, reweighted, TokenView, unpack, visible } from '../../src/card/tokenview';
import { readRecord } from '../../src/kernel/record';

// What the kernel packed, and its own shares (tests/protocol/test_logprobs.py holds it to the file).
const FILE = new URL('../../../tests/data/tokens.json', `file://${__dirname}/`);
type Row = [string, number, [string, number][], boolean];
const SAID: {
  packed: string;
  answer: Row[];
  thinking: Row[];
  reweighted: [number[], number, number, number[]][];
} = JSON.parse(readFileSync(FILE, 'utf8'));

const rounded = (value: number) => Math.round(value * 1e4) / 1e4;

describe('tokens of a record', () => {
  it('are those that the kernel packed', async () => {
    const { answer, thinking, left } = await unpack(SAID.packed);
    const rows = (tokens: typeof answer) =>
      tokens.map(({ text, p, others, chosen }) => [
        text,
        rounded(p),
        others.map(other => [other.text, rounded(other.p)]),
        chosen
      ]);
    expect(rows(answer)).toEqual(SAID.answer);
    expect(rows(thinking)).toEqual(SAID.thinking);
    expect(left).toBe(0);
  });

  it.each(['', '!', 'AAAA', btoa('{"content": [[0, 1]]}')])('are none where nobody packed: %s', async packed => {
    expect(await unpack(packed)).toEqual({ answer: [], thinking: [], left: 0 });
  });

  it.each(SAID.reweighted)('of %j at %d and %d have the kernel’s shares', (ps, temperature, topP, shares) => {
    const found = reweighted(ps, temperature, topP).filter(share => share > 0).map(rounded);
    expect(found.filter(share => share >= 1e-4)).toEqual(shares.filter(share => share >= 1e-4));
  });

  it('show what has no ink', () => {
    expect(visible(' a\tb\n')).toBe('␣a⇥b⏎');
    expect([0, 0.0005, 0.0123, 0.5].map(percent)).toEqual(['0 %', '<0.1 %', '1.2 %', '50 %']);
  });

  it('offer another token of the answer, and say that there is none of the thinking', async () => {
    const view = new TokenView(nullTranslator.load(''), () => undefined, () => undefined);
    view.toggle.click();
    view.toggle.hidden = false;
    await view.update(readRecord({ schema: 1, id: 'x', tokens: { says: 'Sure.', packed: SAID.packed } }));
    const menu = (list: number) => {
      view.node
        .querySelector(`[data-list="${list}"] [data-at="0"]`)!
        .dispatchEvent(new Event('mouseover', { bubbles: true }));
      const shown = view.node.querySelector('.jp-DeepSeek-token-menu')!;
      return [shown.querySelectorAll('button').length > 0, shown.textContent!.includes('Only tokens of the answer')];
    };
    expect([menu(0), menu(1)]).toEqual([
      [true, false],
      [false, true]
    ]);
  });
});
