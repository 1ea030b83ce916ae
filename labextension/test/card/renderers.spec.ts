import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { readProposal, withoutCode } from '../../src/card/proposal';
import { Changes, CHANGES_MIME } from '../../src/card/renderers';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

const PROPOSAL = {
  turn: 't',
  state: 'offered',
  cells: [{ name: 'In[3]', lines: [['-', 'x = 1'], ['+', 'x = "<img src=x>"']] }],
  notes: []
};

async function shown(data: unknown): Promise<HTMLElement> {
  const widget = new Changes({
    translator: nullTranslator,
    hub: null,
    tracker: null,
    rendererOptions: {} as never
  });
  await widget.renderModel({ data: { [CHANGES_MIME]: data } } as unknown as IRenderMime.IMimeModel);
  return widget.node;
}

describe('readProposal', () => {
  it.each([null, 3, 'x', [], {}, { cells: 3 }, { cells: [null, { lines: [3, [1, 2]] }], notes: {} }])(
    'makes something empty of %j',
    json => {
      const { turn, state, notes } = readProposal(json);
      expect([turn, state, notes]).toEqual(['', '', []]);
    }
  );
});

it('an answer shows the difference in place of its code', () => {
  const answer = 'Too high.\n\n```python In[2]\nLIMIT = 3\n```\nDone.';
  const proposal = readProposal({ ...PROPOSAL, cut: [[2, 5], 'x'] });
  expect(withoutCode(answer, proposal)).toBe('Too high.\n\nDone.');
});

describe('Changes', () => {
  it('shows lines as text', async () => {
    const node = await shown(PROPOSAL);
    const lines = [...node.querySelectorAll('pre > span')].map(line => line.textContent);
    expect(lines).toEqual(['- x = 1', '+ x = "<img src=x>"']);
    expect(node.querySelector('img')).toBeNull();
  });

  it('has no buttons where no kernel could answer', async () => {
    expect((await shown(PROPOSAL)).querySelectorAll('button')).toHaveLength(0);
  });
});
