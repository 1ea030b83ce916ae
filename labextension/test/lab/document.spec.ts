import { describe, expect, it } from 'vitest';
import { documentRequest, isQuestion } from '../../src/lab/document';
import { summarizeCell } from '../../src/kernel/requests';

describe('a question for the document', () => {
  it('is known by its type and number', () => {
    expect(documentRequest({ type: 'document', ask: 'x' })).toBe('x');
    for (const other of [null, 3, {}, { type: 'document' }, { type: 'notebook_status', ask: 'x' }]) {
      expect(documentRequest(other)).toBeNull();
    }
  });
});

describe('a cell that is sent', () => {
  it('is a code cell', () => {
    expect(summarizeCell({ cell_type: 'markdown', source: '# Title' })).toBeNull();
  });

  it('keeps source, id, number and short texts, and no picture', () => {
    const sent = summarizeCell({
      cell_type: 'code',
      id: 'a',
      source: ['x = 1\n', 'x'],
      execution_count: 3,
      metadata: { secret: 1 },
      outputs: [
        { output_type: 'stream', name: 'stdout', text: 'y'.repeat(9000) },
        { output_type: 'display_data', data: { 'image/png': 'aGk=', 'text/plain': ['a', 'b'] } },
        { output_type: 'error', ename: 'E', evalue: 'v', traceback: ['long'] }
      ]
    });
    expect(sent).toEqual({
      cell_type: 'code',
      id: 'a',
      source: 'x = 1\nx',
      execution_count: 3,
      outputs: [
        { output_type: 'stream', text: 'y'.repeat(4000) },
        { output_type: 'display_data', data: { 'image/png': '', 'text/plain': 'ab' } },
        { output_type: 'error', ename: 'E', evalue: 'v' }
      ]
    });
  });
});

describe('a cell is a question', () => {
  it.each(['%%ds', '%%deepseek', '%%ds --think\nWhy?', '%%deepseek -a df\n%%time', '%%ds\t-v'])(
    '%j',
    source => expect(isQuestion(source)).toBe(true)
  );
  it.each(['', 'x = 1', '%ds undo', ' %%ds', '%%dsx', '%%time\n%%ds', '# %%ds', '%%deepseek2'])(
    '%j is none',
    source => expect(isQuestion(source)).toBe(false)
  );
});
