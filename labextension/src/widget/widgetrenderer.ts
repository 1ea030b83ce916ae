/**
 * Draw one block of a model's Markdown where there is no JupyterLab.
 *
 * The parser is the one that JupyterLab has; what it makes goes through the card's sanitizer, twice,
 * on documents that load nothing. Nothing typesets formulas here: they are shown as they were
 * written.
 */
import { Marked } from 'marked';
import { closeFence } from '../markdown/blocks';
import { extractMath, insertMath } from '../markdown/math';
import { asSource, cleaned, guardLinks } from '../markdown/renderer';
import { harmlessNodes } from '../markdown/sanitizer';
import type { IBlock } from '../markdown/blocks';
import type { IBlockRenderer } from '../markdown/renderer';

/** Draws blocks of Markdown. */
export class WidgetRenderer implements IBlockRenderer {
  async render(block: IBlock, _closed: boolean, definitions = ''): Promise<HTMLElement> {
    const host = document.createElement('div');
    const source = cleaned(block.source);
    const { text, formulas } =
      block.kind === 'fence' ? { text: closeFence(source), formulas: [] } : extractMath(source);
    try {
      host.append(...harmlessNodes(this._marked.parse(text + definitions, { async: false })));
      guardLinks(host);
      insertMath(host, formulas);
    } catch {
      asSource(host, source); // nesting too deep for the parser; the text is what matters
    }
    return host;
  }

  async typeset(): Promise<void> {
    return;
  }

  private _marked = new Marked({ gfm: true });
}
