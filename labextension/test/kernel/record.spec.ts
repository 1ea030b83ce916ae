import { describe, expect, it } from 'vitest';
import { asMarkdown, readRecord } from '../../src/kernel/record';

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

describe('the calls of a record', () => {
  it('are those of all rounds, with what became of them, and those left open', () => {
    const { tool_calls } = readRecord({
      steps: [
        {
          answer: 'Let me look.',
          tool_calls: [
            { id: 'a', name: 'sql', arguments: '{}' },
            { id: 'b', name: 'run_python', arguments: '{}' }
          ],
          results: [
            { id: 'a', text: 'x\n1', decision: 'not asked' },
            { id: 'b', text: null, decision: 'asking' }
          ]
        },
        'nonsense'
      ],
      tool_calls: [{ id: 'c', name: 'open', arguments: '{}' }]
    });
    expect(tool_calls.map(call => [call.id, call.result, call.decision, call.said])).toEqual([
      ['a', 'x\n1', 'not asked', 'Let me look.'],
      ['b', null, 'asking', ''],
      ['c', null, '', '']
    ]);
  });
});
