/**
 * Draw one block of a model's Markdown with JupyterLab's own renderers.
 *
 * The block is drawn into an element that is not on the page, always as untrusted, through the
 * card's sanitizer; formulas and diagrams are let through only if they cannot reach out.
 */
import { renderMarkdown } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { closeFence } from './blocks';
import { extractMath, insertMath, MATH_CLASS, scrubMath } from './math';
import { asSource, cleaned, guardLinks } from './renderer';
import { CardSanitizer, guardDiagrams } from './sanitizer';
import type { IBlock } from './blocks';
import type { IBlockRenderer } from './renderer';

/** Draws blocks of Markdown. */
export class LabRenderer implements IBlockRenderer {
  constructor(options: IRenderMime.IRendererOptions) {
    this._options = options;
    this._sanitizer = new CardSanitizer(options.sanitizer);
  }

  async render(block: IBlock, closed: boolean, definitions = ''): Promise<HTMLElement> {
    const host = document.createElement('div');
    const source = cleaned(block.source);
    if (!this._options.markdownParser) {
      asSource(host, source);
      return host;
    }
    try {
      await this._render(host, block.kind === 'fence', source, closed, definitions);
    } catch {
      asSource(host, source); // nesting too deep for the parser; the text is what matters
    }
    return host;
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

  private async _render(
    host: HTMLElement,
    isCode: boolean,
    source: string,
    closed: boolean,
    definitions: string
  ): Promise<void> {
    const { markdownParser, translator } = this._options;
    const { text, formulas } = isCode
      ? { text: closeFence(source), formulas: [] }
      : extractMath(source);
    await renderMarkdown({
      host,
      source: guardDiagrams(text, isCode, closed) + definitions,
      trusted: false,
      sanitizer: this._sanitizer,
      resolver: null,
      linkHandler: null,
      shouldTypeset: false,
      latexTypesetter: null,
      markdownParser: markdownParser ?? null,
      translator
    });
    tidy(host);
    insertMath(host, formulas);
  }

  private _options: IRenderMime.IRendererOptions;
  private _sanitizer: CardSanitizer;
}

/** Take off what Lab adds for documents: anchors at headings, and links in this page. */
function tidy(host: HTMLElement): void {
  for (const anchor of host.querySelectorAll('a.jp-InternalAnchorLink')) {
    anchor.remove();
  }
  for (const node of host.querySelectorAll('[data-jupyter-id]')) {
    node.removeAttribute('data-jupyter-id');
  }
  guardLinks(host);
}
