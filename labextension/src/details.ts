/** What stands around the answer: what went out with the question, tools, notices, the footer. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { make, say } from './dom';
import type { IAsking, IAttachment, IToolCall, ITurnRecord } from './record';

/** Shows a turn's attachments. */
export class Attachments {
  readonly node = make('ul', 'chips');

  constructor(private _trans: TranslationBundle) {
    this.node.setAttribute('aria-label', _trans.__('Attached'));
    this.node.hidden = true;
  }

  update({ attachments }: ITurnRecord): void {
    const key = JSON.stringify(attachments);
    if (this._shown !== key) {
      this._shown = key;
      this.node.hidden = !attachments.length;
      this.node.replaceChildren(...attachments.map(item => this._chip(item)));
    }
  }

  private _chip({ name, kind, policy, tokens }: IAttachment): HTMLElement {
    const chip = make('li', 'chip', name);
    const size = tokens === null ? '' : this._trans._n('%1 token', '%1 tokens', tokens);
    chip.title = [kind, policy, size].filter(Boolean).join(' · ');
    if (policy) {
      chip.appendChild(make('span', 'chip-note', policy));
    }
    return chip;
  }

  private _shown = '[]';
}

/** What a user may say to a call. */
export type Word = 'approve' | 'deny' | 'always';

/**
 * Shows the functions a model asked for, each a fold with what went in and came out.
 *
 * A call that waits for the user is open, shows all that would run, and has buttons.
 */
export class Tools {
  readonly node = make('div', 'tools');

  constructor(
    private _trans: TranslationBundle,
    private _decide: (call: string, word: Word) => void
  ) {
    this.node.hidden = true;
  }

  update({ tool_calls }: ITurnRecord, asking: IAsking | null = null): void {
    this.node.hidden = !tool_calls.length;
    tool_calls.forEach((call, index) => {
      const waits = asking !== null && asking.call === call.id && call.result === null;
      const key = JSON.stringify([call, waits && asking]);
      if (this._shown[index] !== key) {
        this._shown[index] = key;
        const fold = this._fold(call, waits ? asking.text : null);
        const old = this.node.children[index] as HTMLElement | undefined;
        fold.open = waits || (old?.querySelector('details')?.open ?? false);
        const item = make('div', 'call');
        if (call.said) {
          item.appendChild(make('p', 'tool-said', call.said));
        }
        item.appendChild(fold);
        const focused = old?.contains(document.activeElement) ?? false;
        old ? old.replaceWith(item) : this.node.appendChild(item);
        focused && fold.querySelector('summary')!.focus();
        if (waits) {
          item.appendChild(this._question(call));
        }
      }
    });
    while (this.node.children.length > tool_calls.length) {
      this._shown.pop();
      this.node.lastElementChild!.remove();
    }
  }

  private _question(call: IToolCall): HTMLElement {
    const question = make('div', 'consent');
    question.setAttribute('role', 'alertdialog');
    question.setAttribute('aria-label', this._trans.__('May %1 run?', call.name));
    const say = (label: string, word: Word) => {
      const button = make('button', 'word', label);
      button.type = 'button';
      button.dataset['word'] = word;
      button.addEventListener('click', () => {
        // Whoever answers by keyboard stays with the call: what has no button any more has no focus.
        question.parentElement?.querySelector('summary')?.focus();
        for (const other of question.querySelectorAll('button')) {
          other.disabled = true;
        }
        this._decide(call.id, word);
      });
      return button;
    };
    question.append(
      say(this._trans.__('Approve'), 'approve'),
      say(this._trans.__('Deny'), 'deny'),
      say(this._trans.__('Always in this conversation'), 'always')
    );
    return question;
  }

  private _note({ result, decision }: IToolCall): string {
    switch (decision) {
      case 'asking':
        return this._trans.__('waits for your word');
      case 'denied':
      case 'nobody to ask':
        return this._trans.__('denied');
      case 'not run':
        return this._trans.__('not run');
      case 'approved':
      case 'approved for the conversation':
        return this._trans.__('approved');
    }
    return result === null ? this._trans.__('no result yet') : '';
  }

  private _fold(call: IToolCall, asked: string | null): HTMLDetailsElement {
    const fold = make('details', 'tool');
    const summary = make('summary', 'tool-summary', call.name);
    const note = this._note(call);
    if (note) {
      summary.appendChild(make('span', 'chip-note', note));
    }
    fold.append(summary, make('pre', 'tool-text', asked ?? call.arguments));
    if (call.result !== null) {
      fold.appendChild(make('pre', 'tool-text', call.result));
    }
    return fold;
  }

  private _shown: string[] = [];
}

/** Shows a turn's notices, its error and its footer. */
export class Notes {
  readonly node = make('div', 'notes');

  constructor() {
    this._error.append(this._message, this._hint);
    this.node.append(this._notices, this._error, this._footer);
  }

  update({ notices, error, footer }: ITurnRecord): void {
    const text = notices.join('\n');
    if (this._shown !== text) {
      this._shown = text;
      this._notices.replaceChildren(...notices.map(notice => make('p', 'notice', notice)));
    }
    this._error.hidden = !error;
    say(this._message, error ? error.message || error.type : '');
    say(this._hint, error?.hint ?? '');
    say(this._footer, footer);
  }

  private _notices = make('div', 'notices');
  private _error = make('div', 'error');
  private _message = make('p', 'error-message');
  private _hint = make('p', 'error-hint');
  private _footer = make('footer', 'footer');
  private _shown = '';
}
