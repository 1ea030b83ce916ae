/** The parts of a card: header, attachments, tool calls, code buttons. */
import {
  addBelowIcon,
  copyIcon,
  editIcon,
  refreshIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import { Clipboard } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { isRunning } from '../kernel/record';
import { button, confirm, make, say } from './dom';
import { shareOf } from './share';
import { Listing } from './listing';
import { phase, waitingFor } from './wording';
import type {
  Consent,
  IAttachment,
  IConsentRequest,
  IToolCall,
  ITurnRecord
} from '../kernel/record';
import type { IBlockRenderer } from '../markdown/renderer';

/** What the header's buttons do. */
export interface IHeaderActions {
  copy(): void;
  regenerate(): void;
  stop(): void;
}

/** Shows who answered, the turn's status, and the buttons for the whole answer. */
export class Header {
  readonly node = make('header', 'header');

  /** `branch` leads to the other answers. */
  constructor(
    actions: IHeaderActions,
    branch: HTMLElement,
    private _trans: TranslationBundle
  ) {
    const trans = this._trans;
    this._copy = button(copyIcon, trans.__('Copy the answer'), () => {
      actions.copy();
      confirm(this._copy, copyIcon);
    });
    this._regenerate = button(refreshIcon, trans.__('Ask again'), () => actions.regenerate());
    this._regenerate.classList.add('jp-mod-notebook');
    this._stop = button(stopIcon, trans.__('Stop'), () => {
      this._stop.disabled = true;
      actions.stop();
    });
    this._stop.classList.add('jp-DeepSeek-stop');
    const buttons = make('div', 'buttons');
    buttons.append(this._copy, this._regenerate, this._stop);
    this.node.append(this._model, branch, this._phase, buttons);
  }

  /** Show a record's header. */
  update(record: ITurnRecord, live: boolean): void {
    const { model, served_model, provider, status } = record;
    const running = live && isRunning(status);
    say(this._model, served_model || model);
    this._model.title = provider;
    // While it thinks, the fold says so.
    const silent = running && status === 'thinking';
    say(this._phase, silent ? '' : this._words(record, running));
    this._phase.dataset.status = running ? 'running' : status;
    this._stop.hidden = !running;
    this._stop.disabled &&= running;
    this._copy.hidden = !record.answer;
    this._regenerate.hidden = running;
  }

  private _words(record: ITurnRecord, running: boolean): string {
    const waits = running && record.status === 'waiting';
    const key = waits ? JSON.stringify(record.waiting) : '';
    if (this._waits !== key) {
      this._waits = key;
      this._since = Date.now();
    }
    return waits
      ? waitingFor(record, (Date.now() - this._since) / 1000, this._trans)
      : phase(record.status, running, this._trans);
  }

  private _waits = '';
  private _since = 0;
  private _model = make('span', 'model');
  private _phase = make('span', 'phase');
  private _copy: HTMLButtonElement;
  private _regenerate: HTMLButtonElement;
  private _stop: HTMLButtonElement;
}

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

  private _chip({ name, kind, policy, tokens, cut }: IAttachment): HTMLElement {
    const chip = make('li', 'chip', name);
    const framed = kind === 'frame' || kind === 'series';
    const note = cut || (framed ? shareOf(policy, this._trans) : '');
    const size = tokens === null ? '' : this._trans._n('%1 token', '%1 tokens', tokens);
    chip.title = [kind, policy, size].filter(Boolean).join(' · ');
    if (note) {
      chip.appendChild(make('span', 'chip-note', note));
    }
    return chip;
  }

  private _shown = '[]';
}

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

  update({ tool_calls }: ITurnRecord, asking: IConsentRequest | null = null): void {
    this.node.hidden = !tool_calls.length;
    tool_calls.forEach((call, index) => {
      const waits = asking !== null && asking.call === call.id && call.result === null;
      const key = JSON.stringify([call, waits && asking]);
      if (this._shown[index] !== key) {
        this._shown[index] = key;
        const { fold, count } = this._fold(call, waits ? asking.text : null);
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
          item.appendChild(this._question(call, count, asking));
        }
      }
    });
    while (this.node.children.length > tool_calls.length) {
      this._shown.pop();
      this.node.lastElementChild!.remove();
    }
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
      button.type = 'button';
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

  private _fold(call: IToolCall, asked: string | null): { fold: HTMLDetailsElement; count: number } {
    const fold = make('details', 'tool');
    const summary = make('summary', 'tool-summary', call.name);
    const note = this._note(call);
    if (note) {
      summary.appendChild(make('span', 'chip-note', note));
    }
    const { text, language } = written(call.arguments);
    const code = new Listing(asked ?? text, language, this._renderer, this._trans);
    code.node.classList.toggle('jp-mod-asking', asked !== null);
    fold.append(summary, code.node);
    if (call.result !== null) {
      fold.appendChild(make('pre', 'tool-text', call.result));
    }
    return { fold, count: code.count };
  }

  private _shown: string[] = [];
}

/** The arguments of a call for a reader: code or a query as such, anything else as JSON. */
function written(json: string): { text: string; language: string } {
  const languages: Record<string, string> = { code: 'python', query: 'sql' };
  try {
    const [[name, text], ...others] = Object.entries(JSON.parse(json));
    if (!others.length && typeof text === 'string' && languages[name]) {
      return { text, language: languages[name] };
    }
  } catch {
    // no object, or none yet
  }
  return { text: json, language: 'json' };
}

/** Asks what becomes of the turns that came with the file; the line for such a turn is here too. */
export class FileTurns {
  readonly node = make('div', 'consent');

  constructor(private _trans: TranslationBundle, answer: (take: boolean) => void) {
    const trans = _trans;
    this.node.hidden = true;
    this.node.setAttribute('role', 'alertdialog');
    this.node.setAttribute('aria-label', trans.__('Turns that came with the file'));
    const choice = (label: string, take: boolean) => {
      const button = make('button', 'word', label);
      button.type = 'button';
      button.dataset['word'] = take ? 'approve' : 'deny';
      button.addEventListener('click', () => answer(take));
      return button;
    };
    this._text.classList.add('jp-DeepSeek-tool-text');
    this.node.append(
      this._text,
      choice(trans.__('Start without them'), false),
      choice(trans.__('Go on with them'), true)
    );
  }

  /** Show the question; empty for none. */
  ask(text: string): void {
    say(this._text, text);
    this.node.hidden = !text;
  }

  /** Show a turn as one that came with the file, or as one of this conversation. */
  mark(node: HTMLElement, foreign: boolean): void {
    node.classList.toggle('jp-mod-foreign', foreign);
    const line = this._trans.__('Came with the file; not sent to the model');
    foreign ? node.setAttribute('data-foreign', line) : node.removeAttribute('data-foreign');
  }

  private _text = make('div', 'file-text');
}

/** What the buttons do with the code. */
export interface ICodeActions {
  insert(code: string): void;
  replace(code: string): void;
  run(code: string): void;
}

/** Languages that a cell of the notebook runs; code without one may be meant for it. */
const RUNNABLE = /^(?:|i?python[\d.]*|py[\d.]*|ipython3|pycon)$/i;

/** Give each block of code in an element its buttons. */
export function addCodeBars(
  host: HTMLElement,
  actions: ICodeActions,
  trans: TranslationBundle
): void {
  for (const pre of host.querySelectorAll<HTMLElement>('pre')) {
    if (pre.closest('.jp-RenderedMermaid, figure')) {
      continue;
    }
    if (!pre.previousElementSibling?.classList.contains('jp-DeepSeek-codebar')) {
      pre.before(bar(pre, actions, trans));
    }
  }
}

function bar(pre: HTMLElement, actions: ICodeActions, trans: TranslationBundle): HTMLElement {
  const node = make('div', 'codebar');
  const code = () => (pre.textContent ?? '').replace(/\n$/, '');
  const language = /\blanguage-([^\s]+)/.exec(pre.querySelector('code')?.className ?? '')?.[1] ?? '';
  const copy = button(copyIcon, trans.__('Copy this code'), () => {
    Clipboard.copyToSystem(code());
    confirm(copy, copyIcon);
  });
  node.append(copy);
  if (RUNNABLE.test(language)) {
    const forNotebook = [
      button(addBelowIcon, trans.__('Insert this code below'), () => actions.insert(code())),
      button(editIcon, trans.__('Replace this cell with the code'), () => actions.replace(code())),
      button(runIcon, trans.__('Run this code below'), () => actions.run(code()))
    ];
    for (const item of forNotebook) {
      item.classList.add('jp-mod-notebook');
      node.append(item);
    }
  }
  return node;
}
