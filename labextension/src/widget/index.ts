/**
 * `ds.panel()` as a widget: the module that anywidget loads in whatever front end shows it.
 *
 * It is bundled by itself, without a package of JupyterLab: `widget.mjs` says what takes their
 * place. Nothing here looks for anything outside of the element that the host gives, which may be
 * in a shadow root (marimo) or in a frame of its own (VS Code, Colab).
 */
import { Marked } from 'marked';
import { make } from '../card/dom';
import { BlockRenderer } from '../markdown/renderer';
import { harmlessNodes } from '../markdown/sanitizer';
import { PanelView } from '../panel/view';
import { catalogueFor, wordsOf } from './substitutes';
import { WidgetLink } from './widgetlink';
import type { Catalogue } from './substitutes';
import type { IModel } from './widgetlink';

/** The catalogues, put here by the build. */
declare const CATALOGUES: Record<string, Catalogue>;

/** The least and the greatest height, in pixels. */
const BOUNDS = [240, 1600];

/** Classes by which MathJax leaves a text alone: formulas of a model are not its to run. */
const NO_MATH = ['tex2jax_ignore', 'mathjax_ignore'];

/** Show the panel in an element; gives what takes it down again. */
function render({ model, el }: { model: IModel; el: HTMLElement }): () => void {
  const host = make('div', 'panelOutput');
  host.classList.add('jp-DeepSeek-widget', ...NO_MATH);
  // Keys that are typed here are not the notebook's.
  host.setAttribute('data-lm-suppress-shortcuts', 'true');
  host.addEventListener('keydown', event => event.stopPropagation());
  const resize = () => {
    const height = Number(model.get('height')) || 480;
    host.style.height = `${Math.min(Math.max(height, BOUNDS[0]), BOUNDS[1])}px`;
  };
  resize();
  model.on('change:height', resize);
  el.append(host);
  host.style.colorScheme = isDark(el) ? 'dark' : 'light';
  const words = wordsOf(catalogueFor(navigator.languages, CATALOGUES));
  const link = new WidgetLink(model, words);
  const view = new PanelView(link, new WidgetRenderer(), words);
  host.append(view.node);
  return () => {
    model.off('change:height', resize);
    view.dispose();
    link.dispose();
    host.remove();
  };
}

/** Whether the host writes light on dark: the colours of a host that sets none follow it. */
function isDark(el: HTMLElement): boolean {
  const [red, green, blue] = (getComputedStyle(el).color.match(/\d+/g) ?? []).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 128;
}

/**
 * Draws Markdown where there is no JupyterLab.
 *
 * The parser is the one that JupyterLab has; what it makes goes through the card's sanitizer, twice,
 * on documents that load nothing. Nothing typesets formulas here: they are shown as they were
 * written.
 */
export class WidgetRenderer extends BlockRenderer {
  async typeset(): Promise<void> {
    return;
  }

  protected async draw(host: HTMLElement, text: string, definitions: string): Promise<void> {
    host.append(...harmlessNodes(this._marked.parse(text + definitions, { async: false })));
  }

  private _marked = new Marked({ gfm: true });
}

export default { render };
