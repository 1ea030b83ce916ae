/** What stands around the answer: what went out with the question, tools, notices, the footer. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { make, say } from './dom';
import type { IAttachment, IToolCall, ITurnRecord } from './record';

/** Shows a turn's attachments. */
export class Attachments {
  readonly node = make('ul', 'chips');

  constructor(private _trans: TranslationBundle) {
    this.node.setAttribute('aria-label', _trans.__('Attached'));
    this.node.hidden = true;
  }

  update({ attachments }: ITurnRecord): void {
    if (this._shown !== attachments.length) {
      this._shown = attachments.length;
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

  private _shown = 0;
}

/** Shows the functions a model asked for, each a fold with what went in and came out. */
export class Tools {
  readonly node = make('div', 'tools');

  constructor(private _trans: TranslationBundle) {
    this.node.hidden = true;
  }

  update({ tool_calls }: ITurnRecord): void {
    this.node.hidden = !tool_calls.length;
    tool_calls.forEach((call, index) => {
      const key = JSON.stringify(call);
      if (this._shown[index] !== key) {
        this._shown[index] = key;
        const fold = this._fold(call);
        const old = this.node.children[index] as HTMLDetailsElement | undefined;
        fold.open = old?.open ?? false;
        old ? old.replaceWith(fold) : this.node.appendChild(fold);
      }
    });
  }

  private _fold(call: IToolCall): HTMLDetailsElement {
    const fold = make('details', 'tool');
    const summary = make('summary', 'tool-summary', call.name);
    const note = call.result === null ? this._trans.__('no result yet') : '';
    if (note) {
      summary.appendChild(make('span', 'chip-note', note));
    }
    fold.append(summary, make('pre', 'tool-text', call.arguments));
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
