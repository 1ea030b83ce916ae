import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { nullTranslator } from '@jupyterlab/translation';
import { Listing, rows } from '../../src/card/listing';
import { Tools } from '../../src/card/steps';
import { readConsentRequest, readRecord } from '../../src/kernel/record';

const trans = nullTranslator.load('deepseek_jupyter');
const corpus = JSON.parse(readFileSync('../tests/data/listings.json', 'utf-8'));

describe('rows', () => {
  it.each(corpus.listings as { code: string; rows: unknown[] }[])('of $code', ({ code, rows: expected }) => {
    expect(rows(code).map(({ number, text, blanks }) => [number, blanks || text])).toEqual(expected);
  });
});

describe('a listing', () => {
  const drawn = (html: string) => ({
    render: async () => Object.assign(document.createElement('div'), { innerHTML: html }),
    typeset: async () => undefined
  });

  it('has the colours that the renderer gives, line by line', async () => {
    const coloured = drawn('<pre><code><span class="s">"a\nb"</span> <i>+</i> c\n</code></pre>');
    const { node } = new Listing('"a\nb" + c', 'python', coloured, trans);
    await vi.waitFor(() => expect(node.querySelectorAll('.s').length).toBe(2));
    expect([...node.children].map(row => row.textContent)).toEqual(['"a', 'b" + c']);
  });

  it('stays plain where colours would change the text', async () => {
    const { node } = new Listing('rm()', 'python', drawn('<pre><code><b>ls()</b></code></pre>'), trans);
    await new Promise(resolve => setTimeout(resolve));
    expect(node.textContent).toBe('rm()');
  });
});

describe('the question', () => {
  it('stands behind the whole code and says how many lines it has', () => {
    const tools = new Tools(trans, vi.fn());
    const code = `a()${'\n'.repeat(41)}evil()\u3164`;
    const step = { tool_calls: [{ id: 'c', name: 'run_python', arguments: JSON.stringify({ code }) }] };
    tools.update(readRecord({ steps: [step] }), { call: 'c', text: code });
    const { textContent } = tools.node;
    expect(textContent).toContain('40 blank linesevil()⟨U+3164⟩May run_python run? 42 linesApprove');
    expect(tools.node.querySelector('.jp-mod-asking')).not.toBeNull();
  });

  it('is about sending where the code has run', () => {
    const tools = new Tools(trans, vi.fn());
    const step = { tool_calls: [{ id: 'c', name: 'run_python', arguments: '{"code": "df"}' }] };
    const asking = readConsentRequest({ call: 'c', text: 'ann 1\nbob 2', kind: 'result' });
    tools.update(readRecord({ steps: [step] }), asking);
    expect(tools.node.textContent).toContain('May the result of run_python be sent? 2 lines');
  });
});
