/**
 * What comes before an answer: the model's thinking, and the functions it asked for.
 *
 * The fold with the thinking opens while the model thinks and closes when the answer starts, as long
 * as the reader has not touched it; from then on it stays as the reader put it. A closed fold draws
 * nothing. A policy file may want the thinking always shown: then it cannot be closed.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { object, parsed } from '../kernel/json';
import { isRunning } from '../kernel/record';
import { Flow } from '../markdown/flow';
import { make, say } from './dom';
import { Listing, tableIn, tableOf } from './listing';
import { thought, took } from './wording';
import type { Consent, IConsentRequest, IToolCall, ITurnRecord } from '../kernel/record';
import type { IBlockRenderer } from '../markdown/renderer';

/** How near to its end, in pixels, the thinking is followed as it grows. */
const NEAR = 24;

/** Shows a turn's thinking. */
export class Thinking {
  readonly node = make('details', 'thinking');

  constructor(private _renderer: IBlockRenderer, private _trans: TranslationBundle) {
    const body = make('div', 'thinking-body');
    body.tabIndex = 0;
    body.setAttribute('role', 'region');
    body.setAttribute('aria-label', this._trans.__('Thinking'));
    const host = make('div', 'flow');
    host.classList.add('jp-RenderedHTMLCommon', 'jp-RenderedMarkdown');
    body.append(host, this._steps);
    this._host = host;
    this._body = body;
    this._summary = make('summary', 'thinking-summary');
    this._summary.addEventListener('click', event => {
      this._touched = true;
      if (this._pinned) {
        event.preventDefault();
      }
    });
    this.node.append(this._summary, body);
    this.node.addEventListener('toggle', () => void this._draw());
    this.node.hidden = true;
    this._flow = new Flow(host, this._renderer);
  }

  /** Show a record's thinking. */
  update(record: ITurnRecord, live: boolean): Promise<void> {
    const { status, reasoning } = record;
    const running = live && isRunning(status);
    const thinking = running && status !== 'answering' && !record.answer;
    this.node.hidden = !reasoning && !(live && status === 'thinking');
    if (thinking && status === 'thinking') {
      this._since ??= Date.now();
    } else if (this._since !== null && this._took === null) {
      this._took = (Date.now() - this._since) / 1000;
    }
    const elapsed = this._since === null ? null : (Date.now() - this._since) / 1000;
    const seconds = record.timing.thinking ?? this._took ?? (thinking ? elapsed : null);
    say(this._summary, thought(thinking ? 'thinking' : 'done', seconds, live, this._trans));
    this.node.classList.toggle('jp-mod-running', thinking);
    this._pinned = record.policy.includes('thinking');
    if (this._pinned) {
      this.node.open = true;
    } else if (!this._touched && !this._holdsSelection() && this.node.open !== thinking) {
      this.node.open = thinking;
    }
    this._source = reasoning;
    this._starts = record.outline;
    this._finished = !thinking;
    return this._draw();
  }

  dispose(): void {
    [this._flow, ...this._flows].forEach(flow => flow.dispose());
  }

  private async _draw(): Promise<void> {
    if (!this.node.open) {
      return;
    }
    const body = this._body;
    this._steps.hidden = !this._outlined;
    this._host.hidden = this._outlined;
    if (this._outlined) {
      this._outline();
      return;
    }
    const follow = body.scrollHeight - body.scrollTop - body.clientHeight < NEAR;
    await this._flow.set(this._source, this._finished);
    if (follow && !this._finished) {
      body.scrollTop = body.scrollHeight;
    }
  }

  /** The steps as folds, each drawn when it is opened. */
  private _outline(): void {
    const key = JSON.stringify([this._starts, this._source]);
    if (this._drawn === key) {
      return;
    }
    this._drawn = key;
    this._flows.forEach(flow => flow.dispose());
    this._flows = [];
    const lines = this._source.split('\n');
    const folds = this._starts.map((start, at) => {
      const fold = make('details', 'step');
      const host = this._host.cloneNode() as HTMLElement;
      host.hidden = false;
      const flow = new Flow(host, this._renderer);
      this._flows.push(flow);
      fold.append(make('summary', 'step-summary', lines[start]?.replace(/^[#>\s]+|[*`]/g, '')), host);
      const text = lines.slice(start, this._starts[at + 1]).join('\n');
      fold.addEventListener('toggle', () => void (fold.open && flow.set(text, true)));
      fold.open = this._pinned;
      return fold;
    });
    this._steps.replaceChildren(...folds);
  }

  /** Whether it is shown in steps: once it has ended. */
  private get _outlined(): boolean {
    return this._finished && this._starts.length > 0;
  }

  /** Whether the reader has marked some of the thinking. */
  private _holdsSelection(): boolean {
    const selection = document.getSelection();
    return !!selection && !selection.isCollapsed && selection.containsNode(this._body, true);
  }

  private _summary: HTMLElement;
  private _body: HTMLElement;
  private _flow: Flow;
  private _host: HTMLElement;
  private _steps = make('div', 'steps');
  private _flows: Flow[] = [];
  private _starts: readonly number[] = [];
  private _drawn = '';
  private _source = '';
  private _finished = false;
  private _touched = false;
  private _pinned = false;
  private _since: number | null = null;
  private _took: number | null = null;
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
