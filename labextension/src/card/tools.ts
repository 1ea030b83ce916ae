/** The functions a model asked for, each a fold: what ran, what came out, what was decided. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { object, parsed } from '../kernel/json';
import { make } from './dom';
import { Listing, tableIn, tableOf } from './listing';
import { thought, took } from './wording';
import type { Consent, IConsentRequest, IToolCall, ITurnRecord } from '../kernel/record';
import type { IBlockRenderer } from '../markdown/renderer';

/**
 * Shows the functions a model asked for, each a fold with what went in and came out.
 *
 * A call that waits for the user is open, shows all that would run, and has buttons.
 */
export class Tools {
  readonly node = make('div', 'tools');

  constructor(
    private _trans: TranslationBundle,
    private _answer: (call: string, consent: Consent) => void,
    private _renderer: IBlockRenderer | null = null
  ) {
    this.node.hidden = true;
  }

  update({ tool_calls, policy }: ITurnRecord, asking: IConsentRequest | null = null): void {
    this.node.hidden = !tool_calls.length;
    tool_calls.forEach((call, index) => {
      const waits = asking !== null && asking.call === call.id && call.result === null;
      const key = JSON.stringify([call, waits && asking]);
      if (this._shown[index] !== key) {
        this._shown[index] = key;
        const { fold, count } = this._fold(call, waits ? asking : null);
        const old = this.node.children[index] as HTMLElement | undefined;
        const was = old?.querySelector<HTMLDetailsElement>('details:not(.jp-DeepSeek-thinking)');
        fold.open = waits || (was?.open ?? false);
        const item = make('div', 'call');
        if (call.thought) {
          const before = old?.querySelector<HTMLDetailsElement>('.jp-DeepSeek-thinking');
          item.appendChild(this._thought(call.thought, before?.open ?? policy.includes('thinking')));
        }
        if (call.said) {
          item.appendChild(make('p', 'tool-said', call.said));
        }
        item.appendChild(fold);
        const focused = old?.contains(document.activeElement) ?? false;
        old ? old.replaceWith(item) : this.node.appendChild(item);
        focused && fold.querySelector('summary')!.focus();
        if (waits) {
          item.appendChild(this._question(call, count, asking));
        }
      }
    });
    while (this.node.children.length > tool_calls.length) {
      this._shown.pop();
      this.node.lastElementChild!.remove();
    }
  }

  /** What the model thought before it called, a fold as that of the answer's own thinking. */
  private _thought(text: string, open: boolean): HTMLElement {
    const fold = make('details', 'thinking');
    fold.open = open;
    const body = make('div', 'thinking-body', text);
    body.classList.add('jp-mod-plain');
    body.tabIndex = 0;
    fold.append(make('summary', 'thinking-summary', thought('done', null, false, this._trans)), body);
    return fold;
  }

  private _question(call: IToolCall, count: number, asking: IConsentRequest): HTMLElement {
    const question = make('div', 'consent');
    const lines = this._trans._n('%1 line', '%1 lines', count);
    const words = asking.ofResult
      ? this._trans.__('May the result of %1 be sent? %2', call.name, lines)
      : this._trans.__('May %1 run? %2', call.name, lines);
    question.setAttribute('role', 'alertdialog');
    question.setAttribute('aria-label', words);
    question.append(make('span', 'consent-words', words));
    const choice = (label: string, consent: Consent) => {
      const button = make('button', 'word', label);
      button.dataset['word'] = consent;
      button.addEventListener('click', () => {
        // The buttons are about to go: keep the keyboard's focus at the call.
        question.parentElement?.querySelector('summary')?.focus();
        for (const other of question.querySelectorAll('button')) {
          other.disabled = true;
        }
        this._answer(call.id, consent);
      });
      return button;
    };
    question.append(
      choice(this._trans.__('Approve'), 'approve'),
      choice(this._trans.__('Deny'), 'deny'),
      choice(this._trans.__('Always in this conversation'), 'always')
    );
    return question;
  }

  /** What became of a call, in the folded line. */
  private _state(call: IToolCall): string {
    const { failed, rows, more, seconds } = call;
    const count = rows ?? 0;
    const came = more
      ? this._trans.__('%1+ rows', count)
      : this._trans._n('%1 row', '%1 rows', count);
    return [
      this._decision(call),
      failed ? this._trans.__('failed') : '',
      rows === null || failed ? '' : came,
      seconds === null ? '' : took(seconds, this._trans)
    ]
      .filter(Boolean)
      .join(' · ');
  }

  private _decision({ result, decision }: IToolCall): string {
    switch (decision) {
      case 'asking':
        return this._trans.__('waits for you');
      case 'denied':
      case 'nobody to ask':
        return this._trans.__('denied');
      case 'not run':
        return this._trans.__('not run');
      case 'approved':
      case 'approved for the conversation':
        return this._trans.__('approved');
      case 'result kept here':
        return this._trans.__('result kept here');
      case 'by the server':
        if (result !== null) {
          return this._trans.__('on the server');
        }
    }
    return result === null ? this._trans.__('no result yet') : '';
  }

  private _fold(
    call: IToolCall,
    asking: IConsentRequest | null
  ): { fold: HTMLDetailsElement; count: number } {
    const fold = make('details', 'tool');
    const summary = make('summary', 'tool-summary', call.name);
    const state = this._state(call);
    if (state) {
      const note = make('span', 'tool-state', ` · ${state}`);
      note.dataset['state'] = call.failed ? 'failed' : call.decision;
      summary.appendChild(note);
    }
    const { text, language } = written(call.arguments);
    // Of a call that is asked about, what is shown is what would run; a result is no code.
    const asks = asking !== null && !asking.ofResult;
    const code = new Listing(asks ? asking.text : text, language, this._renderer, this._trans);
    code.node.classList.toggle('jp-mod-asking', asks);
    fold.append(summary, code.node);
    let { count } = code;
    if (asking?.ofResult) {
      const result = new Listing(asking.text, '', null, this._trans);
      result.node.classList.add('jp-mod-asking');
      fold.append(result.node);
      count = result.count;
    } else if (call.result !== null) {
      const { rows, rest } = call.rows === null ? { rows: [], rest: call.result } : tableIn(call.result);
      rows.length && fold.append(tableOf(rows, this._trans));
      // How many rows came is in the folded line.
      const others = rows.length ? rest.trim().replace(/^\([\d,]+ rows?\)\s*/, '') : rest.trim();
      others && fold.appendChild(make('pre', 'tool-text', others));
    }
    return { fold, count };
  }

  private _shown: string[] = [];
}

/** The arguments of a call for a reader: code or a query as such, anything else as JSON. */
function written(json: string): { text: string; language: string } {
  const languages: Record<string, string> = { code: 'python', query: 'sql' };
  const [[name, text], ...others] = Object.entries(object(parsed(json))).concat([['', null]]);
  return others.length === 1 && typeof text === 'string' && languages[name]
    ? { text: text.replace(/^\n+|\n+$/g, ''), language: languages[name] }
    : { text: json, language: 'json' };
}
