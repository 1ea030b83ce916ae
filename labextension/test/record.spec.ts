import { describe, expect, it } from 'vitest';
import { asMarkdown, readRecord } from '../src/record';

describe('readRecord', () => {
  it.each([null, 3, 'text', [], { answer: 5, reasoning: {}, notices: 'no', tool_calls: [1, null] }])(
    'makes something of %j',
    json => {
      const record = readRecord(json);
      expect(record.answer).toBe('');
      expect(record.status).toBe('done');
    }
  );

  it('keeps the result of a tool apart from none', () => {
    const { tool_calls } = readRecord({
      tool_calls: [
        { name: 'a', arguments: { x: 1 } },
        { name: 'b', arguments: '{}', result: '' }
      ]
    });
    expect(tool_calls.map(call => call.result)).toEqual([null, '']);
    expect(tool_calls[0].arguments).toContain('"x": 1');
  });
});

describe('asMarkdown', () => {
  it('makes JSON and plain text one block of code', () => {
    expect(asMarkdown(readRecord({ answer: '{}', format: 'json' }))).toMatch(/^`{16}json\n\{\}$/);
    expect(asMarkdown(readRecord({ answer: '**a**', format: 'md' }))).toBe('**a**');
  });
});
