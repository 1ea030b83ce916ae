import { describe, expect, it } from 'vitest';
import { morph } from '../../src/markdown/morph';

function node(html: string): HTMLElement {
  const host = document.createElement('div');
  host.innerHTML = html;
  return host;
}

describe('morph', () => {
  it.each([
    ['<p>a</p>', '<p>ab</p>'],
    ['<p>a</p>', '<p>a <b>c</b></p><ul><li>x</li></ul>'],
    ['<p>a</p><p>b</p>', '<h1>a</h1>'],
    ['', '<p>a</p>'],
    ['<td align="left">a</td>', '<td>a</td>']
  ])('makes %j into %j', (before, after) => {
    const live = node(before);
    morph(live, node(after));
    expect(live.innerHTML).toBe(node(after).innerHTML);
  });

  it('keeps the nodes that are alike', () => {
    const live = node('<p>one</p><details><summary>s</summary></details>');
    const text = live.querySelector('p')!.firstChild;
    live.querySelector('details')!.open = true;
    morph(live, node('<p>one two</p><details><summary>s</summary>t</details>'));
    expect(live.querySelector('p')!.firstChild).toBe(text);
    expect(live.querySelector('details')!.open).toBe(true);
  });

  it('leaves a formula that is typeset', () => {
    const live = node('<p><span data-tex="$x$">typeset</span></p>');
    morph(live, node('<p><span data-tex="$x$">$x$</span> and more</p>'));
    expect(live.textContent).toBe('typeset and more');
    morph(live, node('<p><span data-tex="$y$">$y$</span></p>'));
    expect(live.textContent).toBe('$y$');
  });
});
