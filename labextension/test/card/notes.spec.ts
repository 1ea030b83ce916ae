/** What is below an answer. */
import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { Notes, page } from '../../src/card/notes';
import { readRecord } from '../../src/kernel/record';

describe('an answer that a small model gave for want of a key', () => {
  it('has a button to enter one, and others have none', () => {
    let entered = 0;
    page.enterKey = () => (entered += 1);
    for (const offer of ['key', '']) {
      const notes = new Notes(nullTranslator.load(''), {});
      notes.update(readRecord({ id: 'a', answer: 'Hello.', status: 'done', offer }));
      const buttons = [...notes.node.querySelectorAll('button')];
      expect(buttons.map(button => button.textContent)).toEqual(offer ? ['Enter key'] : []);
      buttons.forEach(button => button.click());
    }
    expect(entered).toBe(1);
  });
});

it('the panel has its settings where a hint names flags, and the sentences without any', () => {
  const hint = 'Top up the account. -p asks another provider. %deepseek balance shows what is left.';
  const details = 'deepseek, HTTP 402';
  for (const settings of [undefined, () => undefined]) {
    const notes = new Notes(nullTranslator.load(''), { again: () => undefined, settings });
    const error = { type: 'InsufficientBalanceError', message: 'Used up.', hint, details };
    notes.update(readRecord({ id: 'a', status: 'error', error }));
    const read = (part: string) => notes.node.querySelector(`.jp-DeepSeek-error-${part}`)!.textContent;
    const labels = [...notes.node.querySelectorAll('button')].map(button => button.textContent);
    expect(labels).toEqual(settings ? ['Try again', 'Settings'] : ['Try again']);
    const short = 'Top up the account. %deepseek balance shows what is left.';
    expect(read('hint')).toBe(settings ? short : hint);
    expect(read('details')).toBe(settings ? `${details}\n${hint}` : details);
  }
});

describe('a question that is too long', () => {
  it('shows the choices and their prices beside the button, and else the button alone', () => {
    for (const hint of ['--fit parts sends the most relevant parts (up to 2,250 tokens)', '--new begins']) {
      const notes = new Notes(nullTranslator.load(''), { fresh: () => undefined });
      const error = { type: 'ContextLengthError', message: 'Too long.', hint, details: '17,017 tokens' };
      notes.update(readRecord({ id: 'a', status: 'error', error }));
      const shown = notes.node.querySelector<HTMLElement>('.jp-DeepSeek-error-hint')!;
      expect(shown.textContent).toBe(hint.startsWith('--fit') ? hint : '');
      expect(notes.node.querySelector('button')!.textContent).toBe('New conversation');
    }
  });
});
