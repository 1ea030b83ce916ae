import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { complete, matches, mention, mentioned } from '../src/panel/complete';
import { savedTurns } from '../src/panel/file';
import { History } from '../src/panel/history';
import { layOut } from '../src/panel/lists';
import { meter } from '../src/panel/meter';
import { fromFile, NOTHING, opened, reduce, shown, withRecords } from '../src/panel/state';
import { Heights } from '../src/panel/window';
import { MIME_TYPE } from '../src/record';
import type { IState } from '../src/panel/state';

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

  it('is read again when somebody moved the tip, and not otherwise', () => {
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
    expect(savedTurns([])).toEqual([]);
  });
});

describe('the heights of a list', () => {
  const heights = new Heights();
  heights.set(Array.from({ length: 2000 }, (_, index) => ({ id: String(index), guess: 100 })));

  it('draw only what is in view and around it', () => {
    expect(heights.range(50_000, 800, 600)).toEqual([494, 515]);
    expect(heights.range(0, 800, 600)).toEqual([0, 15]);
    expect(heights.range(199_200, 800, 600)).toEqual([1986, 2000]);
  });

  it('are measured, and stay with their item in another list', () => {
    expect(heights.measure('3', 500)).toBe(true);
    expect(heights.measure('3', 500.2)).toBe(false);
    expect(heights.offset(4)).toBe(800);
    expect(heights.at(750)).toBe(3);
    heights.set([{ id: '3', guess: 1 }, { id: 'new', guess: 7 }]);
    expect([heights.offset(1), heights.offset(2)]).toEqual([500, 507]);
  });

  it('of nothing are nothing', () => {
    const none = new Heights();
    expect(none.range(0, 100, 100)).toEqual([0, 0]);
    expect(none.offset(0)).toBe(0);
  });
});

describe('completion', () => {
  const names = ['sales', 'sales_2', 'old_sales', 'n'].map(name => ({ name, type: 't', shape: '' }));

  it.each([
    ['@', 1, { start: 0, query: '' }],
    ['look at @sa', 11, { start: 8, query: 'sa' }],
    ['(@größe', 7, { start: 1, query: 'größe' }],
    ['me@example', 10, null],
    ['@sales and', 10, null],
    ['@@x', 3, null],
    ['no', 2, null]
  ])('finds the @ that is being written: %s', (text, caret, found) => {
    expect(mention(text, caret)).toEqual(found);
  });

  it('offers what begins with it, then what holds it', () => {
    expect(matches(names, 'SALES').map(({ name }) => name)).toEqual(['sales', 'sales_2', 'old_sales']);
    expect(matches(names, '', 2)).toHaveLength(2);
  });

  it('replaces the word that is being written, and no more', () => {
    expect(complete('see @sa now', 7, { start: 4, query: 'sa' }, 'sales')).toEqual({
      text: 'see @sales now',
      caret: 10
    });
    expect(complete('@salXX', 4, { start: 0, query: 'sal' }, 'sales').text).toBe('@sales ');
  });

  it('knows what a prompt mentions', () => {
    const found = mentioned('@sales, @n and me@old_sales or @gone', names);
    expect(found.map(({ name }) => name)).toEqual(['sales', 'n']);
  });
});

describe('the history of prompts', () => {
  it('goes back, and forward to what was being written', () => {
    const history = new History();
    expect(history.step(-1, 'draft')).toBeNull();
    ['one', 'two', 'one'].forEach(prompt => history.add(prompt));
    expect(history.step(-1, 'draft')).toBe('one');
    expect(history.step(-1, '')).toBe('two');
    expect(history.step(-1, '')).toBeNull();
    expect(history.step(1, '')).toBe('one');
    expect(history.step(1, '')).toBe('draft');
    expect(history.step(1, 'draft')).toBeNull();
  });
});

describe('the tree', () => {
  const node = (id: string, parent: string | null) => ({ id, parent, head: `${id}?` });

  it('steps to the right where answers part', () => {
    const nodes = [node('a', null), node('b', 'a'), node('c', 'b'), node('d', 'a'), node('e', 'd')];
    const rows = layOut({ nodes, tip: 'e', branches: { main: 'e', old: 'c' } });
    expect(rows.map(row => [row.id, row.depth])).toEqual([
      ['a', 0], ['b', 1], ['c', 1], ['d', 1], ['e', 1]
    ]);
    expect(rows.filter(row => row.onWay).map(row => row.id)).toEqual(['a', 'd', 'e']);
    expect(rows[2].branches).toEqual(['old']);
  });

  it('begins at nodes whose parents are not there', () => {
    expect(layOut({ nodes: [node('b', 'gone')], tip: 'b' })).toHaveLength(1);
  });

  it.each([null, {}, { nodes: [null] }, { nodes: [node('a', 'a')], tip: 'a' }])('ends: %j', json => {
    expect(Array.isArray(layOut(json))).toBe(true);
  });
});

describe('the meter', () => {
  const trans = nullTranslator.load('deepseek_jupyter');

  it('says what was used', () => {
    const used = { turns: 2, prompt: 20_000, cached: 15_000, out: 1500, cost: { USD: '0.0123' } };
    expect(meter(used, trans)).toBe('2 turns · 22k tokens · 75 % cached · ~$0.012');
    expect(meter({ turns: 0 }, trans)).toBe('');
    expect(meter(null, trans)).toBe('');
  });
});
