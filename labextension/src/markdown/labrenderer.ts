/**
 * Draws Markdown with JupyterLab's own renderers.
 *
 * A block is drawn into an element that is not on the page, always as untrusted, through the
 * card's sanitizer; formulas and diagrams are let through only if they cannot reach out.
 */
import { renderMarkdown } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { MATH_CLASS, scrubMath } from './math';
import { BlockRenderer } from './renderer';
import { CardSanitizer, guardDiagrams } from './sanitizer';

/** Draws blocks of Markdown. */
export class LabRenderer extends BlockRenderer {
  constructor(private _options: IRenderMime.IRendererOptions) {
    super();
    this._sanitizer = new CardSanitizer(_options.sanitizer);
  }

  async typeset(host: HTMLElement): Promise<void> {
    const { latexTypesetter } = this._options;
    if (!latexTypesetter) {
      return;
    }
    const waiting = `.${MATH_CLASS}:not(.jp-mod-source):not(.jp-mod-typeset)`;
    for (const node of host.querySelectorAll<HTMLElement>(waiting)) {
      node.classList.add('jp-mod-typeset');
      await latexTypesetter.typeset(node);
      scrubMath(node);
    }
  }

  protected async draw(
    host: HTMLElement,
    text: string,
    definitions: string,
    isCode: boolean,
    closed: boolean
  ): Promise<void> {
    const { markdownParser, translator } = this._options;
    if (!markdownParser) {
      throw new Error('no parser');
    }
    await renderMarkdown({
      host,
      source: guardDiagrams(text, isCode, closed) + definitions,
      trusted: false,
      sanitizer: this._sanitizer,
      resolver: null,
      linkHandler: null,
      shouldTypeset: false,
      latexTypesetter: null,
      markdownParser,
      translator
    });
    // What Lab adds for documents: anchors at headings, and links in this page.
    host.querySelectorAll('a.jp-InternalAnchorLink').forEach(anchor => anchor.remove());
    host.querySelectorAll('[data-jupyter-id]').forEach(node => node.removeAttribute('data-jupyter-id'));
  }

  private _sanitizer: CardSanitizer;
}
