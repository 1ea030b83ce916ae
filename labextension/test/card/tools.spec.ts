import { describe, expect, it, vi } from 'vitest';
import { nullTranslator } from '@jupyterlab/translation';
import cases from '../../../tests/data/tables.json';
import { recordsIn, tableIn, tableOf, TypedAnswer } from '../../src/card/listing';
import { Tools } from '../../src/card/steps';
import { MIME_TYPE, readOutput, readRecord } from '../../src/kernel/record';

const trans = nullTranslator.load('deepseek_jupyter');

const step = (result: object, args = '{"query": "SELECT 1"}') => ({
  tool_calls: [{ id: 'c', name: 'sql', arguments: args }],
  results: [{ id: 'c', text: 'n\n1\n2\n(2 rows)', decision: 'not asked', ...result }]
});
const shown = (result: object, args?: string) => {
  const tools = new Tools(trans, vi.fn());
  tools.update(readRecord({ steps: [step(result, args)] }));
  return tools.node;
};

describe('the folded line of a call', () => {
  it('says rows and time', () => {
    const node = shown({ rows: 2, seconds: 0.012 });
    expect(node.querySelector('summary')!.textContent).toBe('sql · 2 rows · 12 ms');
    expect(node.querySelector('details')!.open).toBe(false);
  });

  it('says that it failed, so that it can be seen unopened', () => {
    const node = shown({ text: 'Error: no', failed: true, seconds: 2 });
    expect(node.querySelector('summary')!.textContent).toBe('sql · failed · 2.0 s');
    expect(node.querySelector<HTMLElement>('.jp-DeepSeek-tool-state')!.dataset['state']).toBe('failed');
  });

  it('has the query as such, and its result as a table of text', () => {
    const node = shown({ rows: 1, text: 'a,b\n<img src=x>,2\n(1 row)' });
    expect(node.querySelector('.jp-DeepSeek-listing')!.textContent).toBe('SELECT 1');
    expect([...node.querySelectorAll('td')].map(cell => cell.textContent)).toEqual(['<img src=x>', '2']);
    expect(node.querySelector('img')).toBeNull();
    expect(node.textContent!.match(/1 row/g)).toHaveLength(1); // in the folded line
  });

  it('keeps the time that an output has apart', () => {
    const more = JSON.stringify({ model: 'm', steps: [step({ rows: 2 })] });
    const run = JSON.stringify({ id: 't', took: { c: 0.5 } });
    const record = readOutput({ [MIME_TYPE]: { schema: 3, more, run } });
    expect(record.tool_calls[0].seconds).toBe(0.5);
  });
});

describe('tables', () => {
  it.each(cases.tables)('are found in $text', ({ text, rows, rest }) => {
    expect(tableIn(text)).toEqual({ rows, rest });
  });

  it.each(cases.records)('are made of $json', ({ json, rows }) => {
    expect(recordsIn(json)).toEqual(rows);
  });

  it('draw two hundred lines, and the others when asked', () => {
    const rows = [['n'], ...Array.from({ length: 300 }, (_, n) => [String(n)])];
    const node = tableOf(rows, trans);
    expect(node.querySelectorAll('td').length).toBe(200);
    node.querySelector('button')!.click();
    expect(node.querySelectorAll('td').length).toBe(300);
  });
});

describe('a typed list', () => {
  it('is a table, with its JSON in a fold', () => {
    const text = document.createElement('p');
    const typed = new TypedAnswer(text, trans);
    const update = (status: string) =>
      typed.update(readRecord({ answer: '[{"city": "Ulm"}]', format: 'json', status }));
    update('answering');
    expect(typed.node.firstChild).toBe(text);
    update('done');
    expect(typed.node.querySelector('td')!.textContent).toBe('Ulm');
    expect(typed.node.querySelector('details')!.open).toBe(false);
    expect(typed.node.querySelector('details')!.contains(text)).toBe(true);
  });
});
