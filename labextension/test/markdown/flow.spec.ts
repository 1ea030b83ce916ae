import { describe, expect, it } from 'vitest';
import { Flow, morph } from '../../src/markdown/flow';
import type { IBlock } from '../../src/markdown/blocks';
import type { LabRenderer } from '../../src/markdown/labrenderer';

const BLOCKS = 100;

/** Draws a block as it is written, and counts. */
class Plain {
  drawn = 0;

  async render({ source }: IBlock): Promise<HTMLElement> {
    this.drawn++;
    const host = document.createElement('div');
    host.appendChild(document.createElement('p')).textContent = source.trim();
    return host;
  }

  async typeset(): Promise<void> {
    return;
  }
}

function paragraphs(count: number): string {
  return Array.from({ length: count }, (_, index) => `paragraph ${index}\n\n`).join('');
}

describe('a long text', () => {
  it('stands in groups, so that no block has many siblings', async () => {
    const host = document.createElement('div');
    const flow = new Flow(host, new Plain() as unknown as LabRenderer);
    await flow.set(paragraphs(BLOCKS), true);
    const blocks = [...host.querySelectorAll('.jp-DeepSeek-block')];
    expect(blocks.map(block => block.textContent)).toEqual(
      Array.from({ length: BLOCKS }, (_, index) => `paragraph ${index}`)
    );
    expect(host.childElementCount).toBeLessThanOrEqual(4);
    for (const group of host.children) {
      expect(group.childElementCount).toBeLessThanOrEqual(32);
    }
  });

  it('draws each block once, and its end where it stands', async () => {
    const host = document.createElement('div');
    const renderer = new Plain();
    const flow = new Flow(host, renderer as unknown as LabRenderer);
    await flow.set(paragraphs(BLOCKS), false);
    const [first] = host.querySelectorAll('.jp-DeepSeek-block');
    const before = renderer.drawn;
    await flow.set(paragraphs(BLOCKS) + 'the end', true);
    expect(renderer.drawn).toBe(before + 1);
    expect(host.querySelector('.jp-DeepSeek-block')).toBe(first);
    expect(host.lastElementChild!.lastElementChild!.textContent).toBe('the end');
  });
});

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
