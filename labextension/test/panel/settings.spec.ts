import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it, vi } from 'vitest';
import { QuickSettings } from '../../src/panel/settings';
import { NOTHING, opened } from '../../src/panel/state';
import type { JSONObject } from '@lumino/coreutils';

const trans = nullTranslator.load('deepseek_jupyter');

function quickSettings(standard: JSONObject | null = null): QuickSettings {
  const nothing = () => undefined;
  const actions = { set: nothing, changed: nothing, models: async () => null, standard: async () => standard };
  return new QuickSettings(actions, trans);
}

function shown(fallback: unknown): HTMLElement {
  const quick = quickSettings();
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

describe('the web search', () => {
  const button = (quick: QuickSettings) => quick.node.querySelector<HTMLElement>('.jp-DeepSeek-panel-globe')!;

  it('is offered where the kernel says what it means, for one question', async () => {
    const quick = quickSettings({ provider: 'DeepSeek', default: 'deepseek-flash', web: 'The question may go out.' });
    expect(button(quick).hidden).toBe(true);
    quick.update(NOTHING.settings, '', true);
    await quick.standard();
    expect([button(quick).hidden, button(quick).title]).toEqual([false, 'The question may go out.']);
    expect(quick.fields).toEqual({});
    button(quick).click();
    expect(quick.fields).toEqual({ web: true });
    quick.web = false;
    expect(quick.fields).toEqual({});
  });

  it('is not offered elsewhere, and lost with another model', async () => {
    let web = 'It may.';
    const actions = { set: vi.fn(), changed: vi.fn(), models: async () => null, standard: async () => ({ web }) };
    const quick = new QuickSettings(actions, trans);
    quick.update(NOTHING.settings, '', true);
    await quick.standard();
    button(quick).click();
    web = '';
    quick.update({ ...NOTHING.settings, model: 'vllm:m' }, '', true);
    await quick.standard();
    expect(button(quick).hidden).toBe(true);
    expect(quick.fields).toEqual({});
  });
});
