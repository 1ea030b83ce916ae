import { describe, expect, it } from 'vitest';
import { readNews } from '../../src/card/outputs';
import { MIME_TYPE } from '../../src/kernel/record';

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
