/** What draws a block of a model's Markdown, in JupyterLab (`labrenderer.ts`) and in a widget. */
import { closeFence } from './blocks';
import { extractMath, insertMath } from './math';
import { guardLinks } from './sanitizer';
import type { IBlock } from './blocks';

/** A fence with more than the language, as `python In[3]` or `{python}`: parsers take all of it for one. */
const INFO = /^(\s*(?:`{3,}|~{3,})[ \t]*)\{?\.?([\w+#-][\w+#.-]*)[^\n]*/;

/** Draws blocks of untrusted Markdown. Every such class is held to one corpus of attacks. */
export abstract class BlockRenderer {
  /**
   * Draw a block.
   *
   * @param definitions - Link definitions of other blocks, which this one may use.
   * @returns An element that is not on the page; its formulas wait for `typeset`.
   */
  async render({ kind, source }: IBlock, closed: boolean, definitions = ''): Promise<HTMLElement> {
    const host = document.createElement('div');
    // One kind of line break, and no marks of ours.
    const cleaned = source.replace(/\r\n?/g, '\n').replace(/[\uE000\uE001]/g, '');
    const isCode = kind === 'fence';
    const { text, formulas } = isCode
      ? { text: closeFence(cleaned.replace(INFO, '$1$2')), formulas: [] }
      : extractMath(cleaned);
    try {
      await this.draw(host, text, definitions, isCode, closed);
      guardLinks(host);
      insertMath(host, formulas);
    } catch {
      // Nesting too deep for the parser, or no parser; the text is what matters.
      host.replaceChildren(document.createElement('pre'));
      host.firstElementChild!.textContent = cleaned;
    }
    return host;
  }

  /** Typeset the formulas of an element on the page that are not typeset yet. */
  abstract typeset(host: HTMLElement): Promise<void>;

  /** Put the harmless part of Markdown without formulas into an element. */
  protected abstract draw(
    host: HTMLElement,
    text: string,
    definitions: string,
    isCode: boolean,
    closed: boolean
  ): Promise<void>;
}

/** What drawing a text takes of it. */
export type IBlockRenderer = Pick<BlockRenderer, 'render' | 'typeset'>;
