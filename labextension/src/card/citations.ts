/**
 * The marks behind an answer's quotes: each is a button that shows the lines that stand at its place.
 *
 * The kernel finds the places (`deepseek_jupyter/context/quotes.py`) and writes marks into the answer.
 * Only what the record has becomes a button, so a place that a model made up stays text.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ICite } from '../kernel/record';
import { make } from './dom';

/** Where a mark is not looked for. */
const APART = 'pre, code, a, button, .jp-DeepSeek-source';

let sources = 0;

/** Make buttons of the marks in a drawn block. */
export function addCitations(
  host: HTMLElement,
  cites: readonly ICite[],
  trans: TranslationBundle
): void {
  if (!cites.length) {
    return;
  }
  const lines = new Map(cites.map(cite => [`[${cite.mark}]`, cite.lines]));
  const texts: Text[] = [];
  const walker = document.createTreeWalker(host, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    texts.push(walker.currentNode as Text);
  }
  for (const text of texts) {
    // The list below the answer is for places without buttons; there the lines follow their mark.
    if (!text.parentElement?.closest(APART) && text.nextSibling?.nodeName !== 'CODE') {
      split(text, lines, trans);
    }
  }
}

/** Put the marks of a text into elements of their own. */
function split(text: Text, lines: ReadonlyMap<string, string>, trans: TranslationBundle): void {
  for (const found of text.data.matchAll(/\[[^[\]\n]{1,500}\]/g)) {
    const source = lines.get(found[0]);
    if (source === undefined) {
      continue;
    }
    const at = text.data.indexOf(found[0]);
    const rest = text.splitText(at).splitText(found[0].length);
    text.nextSibling!.replaceWith(source ? button(found[0], source, trans) : missing(found[0]));
    text = rest;
  }
}

function missing(mark: string): HTMLElement {
  const node = make('span', 'cite', mark);
  node.classList.add('jp-mod-missing');
  return node;
}

function button(mark: string, source: string, trans: TranslationBundle): HTMLElement {
  const node = make('button', 'cite', mark);
  node.type = 'button';
  node.title = source;
  node.setAttribute('aria-expanded', 'false');
  const shown = make('span', 'source', source);
  shown.id = `jp-DeepSeek-source-${++sources}`;
  shown.setAttribute('role', 'note');
  shown.setAttribute('aria-label', trans.__('What stands at %1', mark.slice(1, -1)));
  const show = (open: boolean) => {
    open ? (node.closest('p, li, td') ?? node.parentElement!).append(shown) : shown.remove();
    open ? node.setAttribute('aria-controls', shown.id) : node.removeAttribute('aria-controls');
    node.setAttribute('aria-expanded', String(open));
  };
  node.addEventListener('click', () => show(!shown.isConnected));
  node.addEventListener('keydown', event => {
    if (event.key === 'Escape' && shown.isConnected) {
      event.stopPropagation();
      show(false);
    }
  });
  return node;
}
