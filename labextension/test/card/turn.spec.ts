import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addCitations, withoutLines } from '../../src/card/turn';
import { readRecord } from '../../src/kernel/record';

const TRANS = nullTranslator.load('deepseek_jupyter');
const { cites } = readRecord({
  cites: [['talk.txt:2', 'Line 2: <b>loud</b>'], ['not found', ''], ['a (1).txt:3 ≈', 'Three'], 7]
});

describe('addCitations', () => {
  let host: HTMLElement;

  beforeEach(() => {
    host = document.createElement('div');
    document.body.append(host);
  });

  afterEach(() => host.remove());

  function drawn(html: string): HTMLButtonElement[] {
    host.innerHTML = html;
    addCitations(host, cites, TRANS);
    return [...host.querySelectorAll('button')];
  }

  it('makes a button of each mark that the record has, and of no other', () => {
    const text = '<p>It "is" [talk.txt:2], <em>was [a (1).txt:3 ≈]</em> [talk.txt:2] [talk.txt:9] [not found]</p>';
    const marks = drawn(text).map(node => node.textContent);
    expect(marks).toEqual(['[talk.txt:2]', '[a (1).txt:3 ≈]', '[talk.txt:2]']);
    expect(host.textContent).toContain('[talk.txt:9] [not found]');
    expect(host.querySelector('.jp-mod-missing')!.textContent).toBe('[not found]');
  });

  it('leaves code, links and the list below alone', () => {
    const code = '<pre>[talk.txt:2]</pre><p><code>[talk.txt:2]</code> <a>[talk.txt:2]</a></p>';
    expect(drawn(`${code}<ul><li>[talk.txt:2] <code>Line</code></li></ul>`)).toEqual([]);
  });

  it('shows the lines as text on a click, says so, and hides them on Escape', () => {
    const [mark] = drawn('<p>It "is" [talk.txt:2].</p>');
    expect([mark.title, mark.getAttribute('aria-expanded')]).toEqual([cites[0].lines, 'false']);
    mark.click();
    const shown = document.getElementById(mark.getAttribute('aria-controls')!)!;
    expect([shown.textContent, mark.getAttribute('aria-expanded')]).toEqual([cites[0].lines, 'true']);
    expect(shown.querySelector('b')).toBeNull();
    mark.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
    expect([shown.isConnected, mark.getAttribute('aria-expanded')]).toEqual([false, 'false']);
  });

  it('does nothing twice', () => {
    drawn('<p>It "is" [talk.txt:2].</p>');
    addCitations(host, cites, TRANS);
    expect(host.querySelectorAll('button').length).toBe(1);
  });
});

describe('withoutLines', () => {
  const list = '- [talk.txt:2] `Line 2`\n- [a (1).txt:3 ≈] `Three`';

  it('takes the list of lines away, and nothing else', () => {
    expect(withoutLines(`It is.\n\n---\n\n${list}`, cites)).toBe('It is.');
    for (const answer of ['It is.', `It is.\n\n---\n\n- [talk.txt:2] one`, `It is.\n\n---\n\n${list}\n\nAnd so on.`]) {
      expect(withoutLines(answer, cites)).toBe(answer);
    }
    expect(withoutLines(`It is.\n\n---\n\n${list}`, [])).toContain(list);
  });
});
