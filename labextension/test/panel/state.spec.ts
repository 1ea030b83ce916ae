import { describe, expect, it } from 'vitest';
import { MIME_TYPE } from '../../src/kernel/record';
import { fromFile, left, NOTHING, opened, reduce, savedTurns, shown, withRecords } from '../../src/panel/state';
import type { IState } from '../../src/panel/state';

const CONVERSATION = {
  conversation: 'c',
  active: 'main',
  tip: 'b',
  way: [['a', 10, 1, 1], ['b', 20, 2, 2]],
  running: [],
  settings: { model: 'm', think: 'on', effort: '', temperature: 0.5, max_tokens: null, tools: ['sql'] }
};

const record = (id: string, parent: string | null, more = {}) => ({
  schema: 1, id, parent, conversation: 'c', prompt: `${id}?`, status: 'waiting', answer: '', ...more
});

const turn = (event: string, id: string, parent: string | null, more = {}) => ({
  type: 'turn', event, record: record(id, parent, more)
});

const ids = (state: IState) => shown(state).map(step => step.id);

describe('the state of the panel', () => {
  const start = opened(NOTHING, CONVERSATION);

  it('is the active branch', () => {
    expect(ids(start)).toEqual(['a', 'b']);
    expect(start.way[1]).toEqual({ id: 'b', tokens: 20, index: 2, count: 2 });
    expect(start.settings.temperature).toBe(0.5);
    expect(start.settings.tools).toEqual(['sql']);
  });

  it('shows a turn that begins behind its parent, and what followed gives way', () => {
    expect(ids(reduce(start, turn('begun', 'n', 'b')))).toEqual(['a', 'b', 'n']);
    expect(ids(reduce(start, turn('begun', 'n', 'a')))).toEqual(['a', 'n']);
    expect(ids(reduce(start, turn('begun', 'n', null)))).toEqual(['n']);
  });

  it('shows two that run at once beside each other', () => {
    const one = reduce(start, turn('begun', 'n', 'b'));
    expect(ids(reduce(one, turn('begun', 'o', 'b')))).toEqual(['a', 'b', 'n', 'o']);
  });

  it('keeps a turn in its place from its end until the branch is read again', () => {
    const begun = reduce(start, turn('begun', 'n', 'b'));
    const ended = reduce(begun, turn('ended', 'n', 'b', { status: 'done', answer: 'Yes.' }));
    expect(ids(ended)).toEqual(['a', 'b', 'n']);
    expect(ended.stale).toBe(true);
    const way = [...CONVERSATION.way, ['n', 5, 1, 1]];
    const read = opened(ended, { ...CONVERSATION, tip: 'n', way });
    expect(ids(read)).toEqual(['a', 'b', 'n']);
    expect(read.running).toEqual([]);
    expect(read.records.get('n')?.answer).toBe('Yes.');
  });

  it('shows what failed until something else happens', () => {
    const begun = reduce(start, turn('begun', 'n', 'b'));
    const failed = reduce(begun, turn('ended', 'n', 'b', { status: 'error' }));
    expect(ids(failed)).toEqual(['a', 'b', 'n']);
    expect(ids(reduce(failed, turn('begun', 'o', 'b')))).toEqual(['a', 'b', 'o']);
    expect(ids(opened(failed, { ...CONVERSATION, tip: 'a', way: [['a', 1, 1, 1]] }))).toEqual(['a']);
  });

  it('is read again when a cell moved the tip, and not otherwise', () => {
    const moved = { ...CONVERSATION, type: 'moved' };
    expect(reduce(start, moved).stale).toBe(false);
    expect(reduce(start, { ...moved, tip: 'a' }).stale).toBe(true);
    expect(reduce(start, { ...moved, conversation: 'd' }).stale).toBe(true);
  });

  it('forgets the records of another conversation', () => {
    const known = withRecords(start, { records: [record('a', null)] });
    expect(opened(known, CONVERSATION).records.size).toBe(1);
    expect(opened(known, { ...CONVERSATION, conversation: 'd' }).records.size).toBe(0);
  });

  it.each([null, 3, 'x', [], { type: 'turn' }, { type: 'moved' }, { way: 7 }, { way: [7, null] }])(
    'is a state whatever comes: %j',
    json => {
      expect(Array.isArray(shown(reduce(start, json)))).toBe(true);
      expect(Array.isArray(shown(opened(start, json)))).toBe(true);
      expect(Array.isArray(shown(withRecords(start, json)))).toBe(true);
    }
  );

  it('without a kernel is what the file holds', () => {
    const cell = (id: string, more = {}) => ({
      outputs: [{ data: { [MIME_TYPE]: record(id, null, { status: 'done', ...more }) } }]
    });
    const other = cell('0', { conversation: 'before' });
    const saved = savedTurns([cell('2'), other, cell('1'), { outputs: [null, {}, { data: {} }] }]);
    expect(ids(fromFile(saved))).toEqual(['1', '2']);
    expect(ids(left(NOTHING, saved))).toEqual(['1', '2']);
    expect(savedTurns([])).toEqual([]);
  });

  it('keeps what was read of a kernel that is gone, and nothing runs', () => {
    const read = withRecords(start, { records: [record('b', null)] });
    expect(ids(left(reduce(read, turn('begun', 'x', 'b')), []))).toEqual(['b']);
    const ended = { status: 'done', answer: 'Hello.' };
    const state = left(reduce(reduce(read, turn('begun', 'x', 'b')), turn('ended', 'x', 'b', ended)), []);
    expect(ids(state)).toEqual(['b', 'x']);
  });
});
