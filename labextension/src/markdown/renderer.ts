/** What draws a block of a model's Markdown. */
import type { IBlock } from './blocks';

/**
 * Draws blocks of untrusted Markdown.
 *
 * In JupyterLab that is `labrenderer.ts`, in a widget `widget/widgetrenderer.ts`. Both are held to one
 * corpus of attacks.
 */
export interface IBlockRenderer {
  /**
   * Draw a block.
   *
   * @param definitions - Link definitions of other blocks, which this one may use.
   * @returns An element that is not on the page; its formulas wait for `typeset`.
   */
  render(block: IBlock, closed: boolean, definitions?: string): Promise<HTMLElement>;

  /** Typeset the formulas of an element on the page that are not typeset yet. */
  typeset(host: HTMLElement): Promise<void>;
}

/** Links of a drawn text lead to a page that learns nothing of this one, and name its host. */
export function guardLinks(host: HTMLElement): void {
  for (const link of host.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    const where = hostOf(link.href);
    const said = link.textContent!.trim().toLowerCase().replace(/^(?:https?:\/\/|mailto:)/, '');
    if (!said) {
      link.textContent = where;
    } else if (where && !(said.startsWith(where) && /^(?:$|[/?#:])/.test(said.slice(where.length)))) {
      link.after(` (${where})`);
    }
  }
}

/** Where an address leads: the part that a reader should judge it by. */
function hostOf(url: string): string {
  try {
    const { protocol, hostname, pathname } = new URL(url);
    return (protocol === 'mailto:' ? pathname : hostname).toLowerCase();
  } catch {
    return '';
  }
}

/** A text as it is, in place of one that cannot be drawn. */
export function asSource(host: HTMLElement, source: string): void {
  host.replaceChildren();
  host.appendChild(document.createElement('pre')).textContent = source;
}

/** The Markdown that is drawn: one kind of line break, and no marks of ours. */
export function cleaned(source: string): string {
  return source.replace(/\r\n?/g, '\n').replace(/[\uE000\uE001]/g, '');
}
