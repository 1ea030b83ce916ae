import { describe, expect, it, vi } from 'vitest';
import { nullTranslator } from '@jupyterlab/translation';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { orText } from '../src/card/renderers';
import { wordsIn } from '../src/words';

function fail(): never {
  throw new Error('Wrong jsonData');
}

describe('wordsIn', () => {
  const english = ['Stop', '2 lines'];
  it.each([
    ['none', null],
    ['one that throws', { ...nullTranslator, load: fail }],
    ['one whose words throw', { ...nullTranslator, load: () => ({ __: fail, _n: fail }) }],
    ['one without forms', { ...nullTranslator, load: () => ({}) }]
  ])('of %s is English', (_, translator) => {
    vi.spyOn(console, 'warn').mockReturnValue();
    const trans = wordsIn(translator as never);
    expect([trans.__('Stop'), trans._n('%1 line', '%1 lines', 2)]).toEqual(english);
  });
});

describe('orText', () => {
  const model = { data: { 'text/markdown': '**an answer**' } } as unknown as IRenderMime.IMimeModel;
  class Failing extends Widget implements IRenderMime.IRenderer {
    async renderModel(): Promise<void> {
      fail();
    }
  }
  it.each([
    ['cannot be made', fail],
    ['cannot draw', () => new Failing()]
  ])('shows the text of an output whose renderer %s', async (_, create) => {
    vi.spyOn(console, 'error').mockReturnValue();
    const renderer = orText(create);
    await renderer.renderModel(model);
    expect(renderer.node.textContent).toBe('**an answer**');
  });
});
