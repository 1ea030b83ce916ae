/**
 * Diagrams: which of them may be drawn.
 *
 * mermaid draws on the page before any sanitiser sees the result: an image in a label or a style
 * would already have been fetched. A diagram is therefore read before, and one that could reach out
 * is shown as its source.
 */

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

/** A fence that asks for a diagram, wherever it stands. */
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
