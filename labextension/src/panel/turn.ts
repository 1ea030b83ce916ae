/** One turn in the panel: the question, and the answer made of the card's own parts. */
import { Clipboard } from '@jupyterlab/apputils';
import { caretLeftIcon, caretRightIcon, editIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { addCodeBars } from '../codebar';
import { Attachments, Notes, Tools } from '../details';
import { button, make, say } from '../dom';
import { Flow } from '../flow';
import { Header } from '../header';
import { asMarkdown, isRunning } from '../record';
import { Thinking } from '../thinking';
import { merge } from '../transcript';
import type { Word } from '../details';
import type { IBlockRenderer } from '../renderer';
import type { ITurnRecord } from '../record';
import type { ITranscript } from '../transcript';
import type { ICodeTarget } from './link';
import type { IItem } from './list';
import type { IStep } from './state';

/** What the buttons at a turn do. */
export interface ITurnActions {
  edit(record: ITurnRecord): void;
  regenerate(record: ITurnRecord): void;
  stop(record: ITurnRecord): void;
  decide(record: ITurnRecord, call: string, word: Word): void;
  step(id: string, by: number): void;
  readonly code: ICodeTarget | null;
  /** Whether a kernel is there to ask. */
  readonly canAsk: boolean;
}

/** Shows a turn. */
export class TurnView implements IItem {
  readonly node = make('article', 'panel-turn');

  constructor(
    private _actions: ITurnActions,
    renderer: IBlockRenderer,
    private _trans: TranslationBundle
  ) {
    const trans = _trans;
    this.node.tabIndex = -1;
    const answer = make('div', 'flow');
    answer.classList.add('jp-RenderedHTMLCommon', 'jp-RenderedMarkdown');
    const { code } = _actions;
    const target = code ?? { insert: nothing, replace: nothing, run: nothing };
    this._answer = new Flow(answer, renderer, node => addCodeBars(node, target, trans));
    this._thinking = new Thinking(renderer, trans);
    this._header = new Header(
      {
        copy: () => Clipboard.copyToSystem(this._record?.answer ?? ''),
        regenerate: () => this._record && _actions.regenerate(this._record),
        stop: () => this._record && _actions.stop(this._record)
      },
      this._switch,
      trans
    );
    this._attachments = new Attachments(trans);
    this._tools = new Tools(trans, (call, word) => {
      this._record && _actions.decide(this._record, call, word);
    });
    const question = make('div', 'panel-question');
    this._edit = button(editIcon, trans.__('Edit the question'), () => {
      this._record && _actions.edit(this._record);
    });
    question.append(this._prompt, this._edit);
    this._earlier = button(caretLeftIcon, trans.__('Earlier answer'), () => this._go(-1));
    this._later = button(caretRightIcon, trans.__('Later answer'), () => this._go(1));
    this._switch.append(this._earlier, this._place, this._later);
    const card = make('div', 'card');
    card.classList.toggle('jp-mod-inNotebook', code !== null);
    card.append(
      this._header.node,
      this._attachments.node,
      this._thinking.node,
      this._tools.node,
      answer,
      this._notes.node
    );
    this.node.append(question, card);
    this._card = card;
    card.hidden = true;
  }

  /** Show a record, and what was heard of it since; `null` while the record is read. */
  update(step: IStep, saved: ITurnRecord | null, heard: ITranscript | null, live: boolean): void {
    const trans = this._trans;
    this._step = step;
    this._switch.hidden = step.count < 2;
    say(this._place, `${step.index}/${step.count}`);
    this._place.title = trans.__('Answer %1 of %2 to this question', step.index, step.count);
    const can = this._actions.canAsk && !(saved && live && isRunning(saved.status));
    this._earlier.disabled = !can || step.index <= 1;
    this._later.disabled = !can || step.index >= step.count;
    this._edit.hidden = !can || !saved;
    this.node.classList.toggle('jp-mod-reading', !saved);
    this.node.classList.toggle('jp-mod-readonly', !this._actions.canAsk);
    if (!saved) {
      return;
    }
    this.node.classList.toggle('jp-mod-noCode', saved.policy.includes('no_code'));
    const record = (this._record = merge(saved, heard));
    say(this._prompt, record.prompt);
    this._card.hidden = false;
    this._header.update(record, live);
    this._attachments.update(record);
    this._tools.update(record, live ? (heard?.asking ?? null) : null);
    this._notes.update(record);
    const running = live && isRunning(record.status);
    const drawn = [this._thinking.update(record, live), this._answer.set(asMarkdown(record), !running)];
    const settle = () => void (this.node.style.minHeight = '');
    running ? settle() : void Promise.all(drawn).then(settle);
  }

  /** Whether a record was shown. */
  get isDrawn(): boolean {
    return this._record !== null;
  }

  /** Say where in the list it stands. */
  position(index: number, count: number): void {
    this.node.setAttribute('aria-posinset', String(index));
    this.node.setAttribute('aria-setsize', String(count));
    this.node.setAttribute('aria-label', this._trans.__('Turn %1 of %2', index, count));
  }

  dispose(): void {
    this._answer.dispose();
    this._thinking.dispose();
  }

  private _go(by: number): void {
    this._step && this._actions.step(this._step.id, by);
  }

  private _prompt = make('div', 'panel-prompt');
  private _edit: HTMLButtonElement;
  private _card: HTMLElement;
  private _header: Header;
  private _attachments: Attachments;
  private _thinking: Thinking;
  private _tools: Tools;
  private _answer: Flow;
  private _notes = new Notes();
  private _switch = make('div', 'panel-switch');
  private _place = make('span', 'panel-place');
  private _earlier: HTMLButtonElement;
  private _later: HTMLButtonElement;
  private _record: ITurnRecord | null = null;
  private _step: IStep | null = null;
}

function nothing(): void {
  return;
}
