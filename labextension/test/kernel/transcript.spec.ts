import { describe, expect, it } from 'vitest';
import { readRecord } from '../../src/kernel/record';
import { emptyTranscript, merge, readMessage, reduce } from '../../src/kernel/transcript';
import type { ITranscript } from '../../src/kernel/transcript';

const delta = (seq: number, answer: string, reasoning = '') => ({
  type: 'delta',
  id: 't',
  seq,
  answer,
  reasoning
});

function after(messages: unknown[], from: ITranscript = emptyTranscript('t')): ITranscript {
  return messages.map(readMessage).reduce((state, message) => reduce(state, message!), from);
}

describe('reduce', () => {
  it('appends deltas in order', () => {
    const state = after([delta(0, '', 'hm'), delta(1, 'Hello'), delta(2, ' you')]);
    expect(state).toMatchObject({ reasoning: 'hm', answer: 'Hello you', next: 3, behind: false });
  });

  it('is behind after a gap, and whole again with the snapshot', () => {
    const gap = after([delta(0, 'a'), delta(2, 'c')]);
    expect(gap).toMatchObject({ answer: 'a', behind: true });
    const snapshot = {
      type: 'snapshot',
      id: 't',
      seq: 2,
      record: { id: 't', status: 'answering', answer: 'ab' }
    };
    expect(after([snapshot], gap)).toMatchObject({ answer: 'abc', next: 3, behind: false });
  });

  it('serves a page that came late', () => {
    const late = after([delta(7, 'h'), delta(8, 'i')]);
    expect(late.behind).toBe(true);
    const snapshot = {
      type: 'snapshot',
      id: 't',
      seq: 8,
      record: { id: 't', status: 'answering', answer: 'abcdefgh' }
    };
    expect(after([snapshot, delta(9, 'j')], late).answer).toBe('abcdefghij');
  });

  it('ignores what a snapshot already said', () => {
    expect(after([delta(0, 'a'), delta(0, 'a')]).answer).toBe('a');
  });

  it('takes the phase from a status', () => {
    expect(after([{ type: 'status', id: 't', status: 'thinking' }]).status).toBe('thinking');
  });
});

describe('readMessage', () => {
  it.each([null, 1, 'delta', {}, { type: 'delta' }, { type: 'run', id: 't' }])(
    'takes %j for no message',
    json => expect(readMessage(json)).toBeNull()
  );
});

describe('merge', () => {
  const saved = readRecord({ id: 't', status: 'answering', answer: 'Hel' });

  it('shows the longer text while the turn runs', () => {
    expect(merge(saved, after([delta(0, 'Hello')])).answer).toBe('Hello');
    expect(merge(saved, after([delta(0, 'H')])).answer).toBe('Hel');
  });

  it('leaves the last word to a record that is complete', () => {
    const done = readRecord({ id: 't', status: 'done', answer: 'Hello' });
    expect(merge(done, after([delta(0, 'Hello, more')]))).toBe(done);
  });
});

describe('calls', () => {
  const steps = (decision: string, text: string | null = null) => ({
    type: 'steps',
    id: 't',
    steps: [
      {
        tool_calls: [{ id: 'c', name: 'run_python', arguments: '{"code": "1"}' }],
        results: [{ id: 'c', text, decision }]
      }
    ],
    asking: decision === 'asking' ? { call: 'c', text: '1' } : null
  });

  it('are shown as they stand, and one may wait for the user', () => {
    const asked = after([steps('asking')]);
    expect(asked.asking).toEqual({ call: 'c', text: '1' });
    const done = after([steps('approved', '1')], asked);
    expect(done.asking).toBeNull();
    const saved = readRecord({ id: 't', status: 'waiting' });
    expect(merge(saved, done).tool_calls).toMatchObject([{ result: '1', decision: 'approved' }]);
  });

  it('of a snapshot take their place, and a new round begins with no text', () => {
    const before = after([delta(0, 'Let me look.'), steps('not asked', 'x')]);
    const snapshot = {
      type: 'snapshot',
      id: 't',
      seq: 1,
      record: { id: 't', status: 'waiting', answer: '', steps: steps('not asked', 'x').steps }
    };
    const state = after([snapshot], before);
    expect(state).toMatchObject({ answer: '', next: 1 });
    expect(state.calls).toHaveLength(1);
  });

  it('of a forged record never ask', () => {
    const saved = readRecord({ id: 't', status: 'waiting', asking: { call: 'c', text: 'rm' } });
    expect(merge(saved, null)).not.toHaveProperty('asking');
  });
});
