/** The kernel's words in the page's language, by the examples that hold the kernel too. */
import { afterEach, describe, expect, it } from 'vitest';
import { said, speak, Translator } from '../src/said';
import { Notes } from '../src/card/notes';
import { readRecord } from '../src/kernel/record';
import { readAnswer } from '../src/kernel/requests';
import { wordsIn } from '../src/words';
import table from '../../tests/data/words.json';
import entries from '../locale/zh_CN/kernel.json';

afterEach(() => speak(null));

describe('said', () => {
  it.each(table.examples)('%j', (text, shown) => {
    expect(new Translator(table.catalogue).said(text)).toBe(shown);
  });

  it('leaves English without a catalogue, and where the catalogue is broken', () => {
    expect(said('Thinking…')).toBe('Thinking…');
    speak({ '{0} x': null as unknown as string });
    expect(said('a x')).toBe('a x');
  });

  it('draws the words of a card in Chinese, and keeps the record as it is', () => {
    speak(entries);
    const record = readRecord({
      id: 't1',
      status: 'error',
      notices: ['The provider’s own words.', 'The context is full.', 'The server is overloaded.'],
      details: ['The model returned only whitespace; asked once more.'],
      error: { type: 'ServerError', message: 'The server failed.', hint: 'Try again in a moment, or choose another provider.' },
      footer: 'm-1 · 1,200 new + 3 out tokens · 0.4 s · failed'
    });
    const notes = new Notes(wordsIn(null), {});
    notes.update(record);
    const { textContent } = notes.node;
    for (const shown of ['服务器出错。', '请稍后重试，或选择其他提供商。', '服务器过载。', '已再次询问', '1,200 新 + 3 输出 token · 0.4 秒 · 失败']) {
      expect(textContent).toContain(shown);
    }
    expect(textContent).toContain('The provider’s own words.');
    expect(record.error?.message).toBe('The server failed.');
  });

  it('says the error of a request in Chinese', () => {
    speak(entries);
    const error = { type: 'CellError', message: 'No change is offered.', hint: '' };
    const answer = readAnswer({ type: 'answer', to: 'r', ok: false, error });
    expect(answer?.error?.message).toBe('没有提出修改。');
  });
});
