/**
 * What of a model's text may become part of the page.
 *
 * JupyterLab's own sanitizer stops scripts, but lets text load images and styles from anywhere: a
 * prompt hidden in a dataframe could make the model write an image address that carries the data
 * away. This one runs before the stock one (whose parser can lose the text behind a script) and
 * again behind it, on an inert document that loads nothing. It lets through only what the tables
 * below name:
 *
 *   - elements that are text, lists, tables, code and folds; the rest is unwrapped, its text kept;
 *   - images that carry their own bytes; another becomes a link that shows where it points;
 *   - links to http, https and mailto, opened in a new page that learns nothing of this one;
 *   - no style, no id, no name, and no class but those of highlighted code.
 *
 * DOMPurify is not used here: the tables and what becomes of images, links and task marks would remain
 * as its hooks, in as many lines; it drops the text of an svg, and adds 30 kB to page and widget.
 *
 * mermaid draws on the page before any sanitizer sees the result: an image in a label or a style
 * would already have been fetched. A diagram is therefore read before, and one that could reach out
 * is shown as its source.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

/** The class of a link that was an image. */
export const IMAGE_CLASS = 'jp-DeepSeek-image';

const ELEMENTS = new Set(
  (
    'a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em ' +
    'figcaption figure h1 h2 h3 h4 h5 h6 hr i img input ins kbd li mark ol p pre q s samp small ' +
    'span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr'
  ).split(' ')
);

/** Elements whose content is not text for a reader. */
const DROPPED = 'script, style, template, object, embed, link, meta, base, head';

const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  '*': ['class', 'dir', 'lang', 'title'],
  a: ['href'],
  col: ['span'],
  colgroup: ['span'],
  details: ['open'],
  img: ['src', 'alt', 'width', 'height'],
  input: ['type', 'checked', 'disabled'],
  li: ['value'],
  ol: ['start', 'reversed', 'type'],
  td: ['align', 'colspan', 'rowspan'],
  th: ['align', 'colspan', 'rowspan', 'scope']
};

/** Highlighted code: CodeMirror's generated names and the language; Lab's mermaid figure. */
const CLASS = /^(?:ͼ[0-9a-z]+|cm-[\w-]+|hljs[\w-]*|language-[\w+#.-]+|jp-RenderedMermaid|jp-sr-only)$/;
const CLASSED = new Set(['code', 'span', 'pre', 'div', 'figcaption']);

const LINK = /^(?:https?:\/\/|mailto:)/i;
const IMAGE = /^data:image\/(?:png|jpe?g|gif|webp|avif|bmp|svg\+xml)[;,]/i;

/** A sanitizer for text that a model wrote. */
export class CardSanitizer implements IRenderMime.ISanitizer {
  constructor(stock: IRenderMime.ISanitizer) {
    this._stock = stock;
  }

  /** Whether ids and names are let through: never. */
  readonly allowNamedProperties = false;

  /** Links are made where the model made them, not guessed. */
  getAutolink(): boolean {
    return false;
  }

  /** The part of an HTML text that is harmless. */
  sanitize(dirty: string, options?: IRenderMime.ISanitizerOptions): string {
    return hardened(this._stock.sanitize(hardened(dirty), options));
  }

  private _stock: IRenderMime.ISanitizer;
}

/** The harmless part of an HTML text as nodes, for a page that has no other sanitizer. */
export function harmlessNodes(html: string): Node[] {
  const { body } = new DOMParser().parseFromString(`<body>${hardened(html)}`, 'text/html');
  harden(body); // what parsing twice may have made of the text
  return [...body.childNodes];
}

/** Parse without loading or running anything, and write down what is harmless. */
function hardened(html: string): string {
  const { body } = new DOMParser().parseFromString(`<body>${html}`, 'text/html');
  harden(body);
  return body.innerHTML;
}

/** Leave only what the tables name. */
function harden(root: HTMLElement): void {
  for (const element of root.querySelectorAll(DROPPED)) {
    element.remove();
  }
  for (const element of [...root.querySelectorAll('*')]) {
    const name = element.localName;
    if (!ELEMENTS.has(name) || (name === 'input' && !isTaskMark(element))) {
      element.replaceWith(...element.childNodes);
      continue;
    }
    const source = element.getAttribute(name === 'img' ? 'src' : 'href') ?? '';
    filterAttributes(element, name);
    if (name === 'img' && !IMAGE.test(source)) {
      element.replaceWith(imageLink(element, source));
    } else if (name === 'a') {
      hardenLink(element, source.trim());
    }
  }
}

function filterAttributes(element: Element, name: string): void {
  for (const attribute of [...element.attributes]) {
    const allowed =
      element.namespaceURI === 'http://www.w3.org/1999/xhtml' &&
      (ATTRIBUTES['*'].includes(attribute.name) || ATTRIBUTES[name]?.includes(attribute.name));
    if (!allowed) {
      element.removeAttribute(attribute.name);
    }
  }
  const classes = CLASSED.has(name) ? [...element.classList].filter(item => CLASS.test(item)) : [];
  if (classes.length) {
    element.className = classes.join(' ');
  } else {
    element.removeAttribute('class');
  }
}

/** Only the box of a task list is an input that belongs to text. */
function isTaskMark(element: Element): boolean {
  element.setAttribute('disabled', '');
  return element.getAttribute('type') === 'checkbox' && element.closest('li') !== null;
}

/** A link says where it leads, or is no link. */
function hardenLink(link: Element, target: string): void {
  if (!LINK.test(target)) {
    link.replaceWith(...link.childNodes);
    return;
  }
  link.setAttribute('href', target);
  link.setAttribute('title', target);
  link.setAttribute('target', '_blank');
  link.setAttribute('rel', 'noopener noreferrer nofollow');
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

/** A link in the place of an image that would have to be fetched. */
function imageLink(image: Element, source: string): Element {
  const target = source.trim();
  const link = image.ownerDocument.createElement(LINK.test(target) ? 'a' : 'span');
  link.textContent = image.getAttribute('alt')?.trim() || target || 'image';
  if (link.localName === 'a' && !image.closest('a')) {
    hardenLink(link, target);
  }
  link.className = IMAGE_CLASS;
  return link;
}

/** What of a mermaid diagram can make the page fetch, link or restyle. */
const UNSAFE_DIAGRAM = new RegExp(
  [
    '[\\\\@]', // escapes; image and icon shapes, links, @import
    '//|https?:|javascript:|data:',
    'url\\s*\\(|image-set|\\bsrc\\b|\\bhref\\b',
    '%%\\s*\\{|^\\s*---\\s*$', // settings of its own
    '<(?=[a-z!/?])(?!br\\s*/?>)', // elements in labels
    '&#?\\w+;|#(?![0-9a-f]{3,8}\\b)\\w+;',
    '^\\s*(?:click|callback|links?)\\b'
  ].join('|'),
  'im'
);

/** A fence that asks for a diagram, anywhere in a text. */
const DIAGRAM_FENCE = /(`{3,}|~{3,})([^\S\n]*)mermaid/gi;

/** Whether a diagram may be handed to mermaid. */
export function isSafeDiagram(source: string): boolean {
  return !UNSAFE_DIAGRAM.test(source.replace(/<<\w+>>/g, ''));
}

/**
 * Let only harmless diagrams be drawn, and only when they are whole; the rest shows as its source.
 */
export function guardDiagrams(source: string, isCode: boolean, closed: boolean): string {
  if (!isCode) {
    return source.replace(DIAGRAM_FENCE, '$1$2text mermaid');
  }
  const [, fence, info, body] = /^\s*(`{3,}|~{3,})([^\n]*)\n?([\s\S]*)$/.exec(source) ?? [];
  if (info === undefined || !/^\s*mermaid/i.test(info)) {
    return source;
  }
  return closed && isSafeDiagram(body) ? source : `${fence}text\n${body}`;
}
