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
