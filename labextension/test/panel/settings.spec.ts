import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { QuickSettings } from '../../src/panel/settings';
import { NOTHING, opened } from '../../src/panel/state';

const trans = nullTranslator.load('deepseek_jupyter');

function shown(fallback: unknown): HTMLElement {
  const quick = new QuickSettings({ set: () => undefined, models: async () => null, standard: async () => null }, trans);
  const { settings } = opened(NOTHING, { settings: { fallback } });
  quick.update(settings, '', true);
  return quick.node.querySelector<HTMLElement>('.jp-DeepSeek-chip-note')!;
}

describe('the composer', () => {
  it('says where a question goes on to', () => {
    const note = shown(['cometapi:deepseek-v3.2-exp', 'wcode:deepseek/deepseek-v3.2-exp']);
    expect([note.hidden, note.textContent]).toEqual([false, 'else cometapi +1']);
    expect(note.title).toContain('cometapi:deepseek-v3.2-exp, wcode:deepseek/deepseek-v3.2-exp');
  });

  it('says nothing where there is no other place', () => {
    expect(shown([]).hidden).toBe(true);
    expect(shown(undefined).hidden).toBe(true);
  });
});
