import { describe, expect, it } from 'vitest';
import { comparisonOf, readNews, withNews } from '../../src/card/hostcell';
import { COMPARE_MIME, MIME_TYPE, readComparison } from '../../src/kernel/record';

const bundle = { 'text/plain': 'end' };

describe('readNews', () => {
  it('takes the last word on a turn', () => {
    const message = { type: 'final', id: 't', cell: 'c', bundle, rank: 1 };
    expect(readNews(message)).toEqual({ id: 't', cell: '', bundle, rank: 1 });
  });

  it('names the cell only for a page that is alone', () => {
    const message = { type: 'final', id: 't', cell: 'c', bundle, rank: 0, alone: true };
    expect(readNews(message)?.cell).toBe('c');
  });

  it('takes a running turn of which no page may have the output', () => {
    const record = { id: 't', cell_id: 'c#2', status: 'answering' };
    const news = readNews({ type: 'snapshot', id: 't', seq: 3, record, alone: true });
    expect(news?.cell).toBe('c#2');
    expect(news?.bundle[MIME_TYPE]).toEqual(record);
    expect(readNews({ type: 'snapshot', id: 't', seq: 3, record })).toBeNull();
  });

  it.each([null, 7, {}, { type: 'final', id: 't' }, { type: 'delta', id: 't', bundle }])(
    'leaves %j',
    message => expect(readNews(message)).toBeNull()
  );
});

describe('withNews', () => {
  const turn = (id: string, status: string, answer = '') => ({ [MIME_TYPE]: { schema: 1, id, status, answer } });
  const output = (...turns: object[]) => ({
    [COMPARE_MIME]: { schema: 1, id: 'c', names: ['one', 'two'], turns },
    'text/markdown': 'A.'
  });

  it('puts a turn into the comparison that it is of', () => {
    const data = output(turn('t1', 'answering'), turn('t2', 'done', 'B.')) as never;
    const now = withNews(data, 't1', turn('t1', 'done', 'All.') as never)!;
    expect(readComparison(now)!.turns.map(({ record }) => record.answer)).toEqual(['All.', 'B.']);
    expect(withNews(now, 't1', turn('t1', 'done', 'Late.') as never)).toBe(now);
  });

  it('puts the last word on all in its place while one runs', () => {
    const last = output(turn('t1', 'done'), turn('t2', 'done')) as never;
    const growing = output(turn('t1', 'done'), turn('t2', 'thinking')) as never;
    expect(withNews(growing, 'c', last)).toBe(last);
    expect(withNews(last, 'c', growing)).toBe(last);
  });

  it('leaves the outputs of others', () => {
    expect(withNews(output(turn('t1', 'answering')) as never, 't9', bundle)).toBeNull();
    expect(withNews(turn('t1', 'answering') as never, 't9', bundle)).toBeNull();
    expect(withNews({ 'text/plain': '2' }, 't9', bundle)).toBeNull();
  });

  it('makes an output of a turn that was asked beside others', () => {
    const compare = { id: 'c', variant: 'one', turns: ['t1', 't2'] };
    const record = { id: 't2', cell_id: 'c', status: 'answering', answer: 'So', compare };
    const news = readNews({ type: 'snapshot', id: 't2', seq: 3, record, alone: true })!;
    const made = comparisonOf(news.bundle);
    const { id, turns } = readComparison(made)!;
    expect(id).toBe('c');
    expect(turns.map(({ record }) => [record.id, record.answer])).toEqual([['t1', ''], ['t2', 'So']]);
    expect(withNews(made, 't1', turn('t1', 'done', 'A.') as never)).not.toBe(made);
    expect(comparisonOf(bundle)).toBe(bundle);
  });
});
