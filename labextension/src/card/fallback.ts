/** An output whose own renderer throws is shown as text: it must not take the notebook with it. */
import { Widget } from '@lumino/widgets';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

/** Creates a renderer, or one that shows text in its place; drawing that fails shows text, too. */
export function orText(create: () => IRenderMime.IRenderer): IRenderMime.IRenderer {
  let renderer: IRenderMime.IRenderer;
  try {
    renderer = create();
  } catch (error) {
    console.error('deepseek-jupyter: shown as text', error);
    return new PlainText();
  }
  const draw = renderer.renderModel.bind(renderer);
  renderer.renderModel = async model => {
    try {
      await draw(model);
    } catch (error) {
      console.error('deepseek-jupyter: shown as text', error);
      showText(renderer.node, model);
    }
  };
  return renderer;
}

class PlainText extends Widget implements IRenderMime.IRenderer {
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    showText(this.node, model);
  }
}

function showText(node: HTMLElement, { data }: IRenderMime.IMimeModel): void {
  const text = data['text/markdown'] ?? data['text/plain'] ?? '';
  const shown = document.createElement('pre');
  shown.textContent = Array.isArray(text) ? text.join('') : String(text);
  shown.style.whiteSpace = 'pre-wrap';
  node.replaceChildren(shown);
}
