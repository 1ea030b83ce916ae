/** The turns in view, each drawn from its record and its transcript with the card's own parts. */
import { Clipboard } from '@jupyterlab/apputils';
import { caretLeftIcon, caretRightIcon, editIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Columns } from '../card/columns';
import { button, make, say } from '../card/dom';
import { FileTurns } from '../card/parts';
import { TurnParts } from '../card/turn';
import { announcement } from '../card/wording';
import { isRunning } from '../kernel/record';
import { merge } from '../kernel/transcript';
import { shown } from './state';
import { VirtualList } from './virtuallist';
import type { Consent, IConsentRequest, ITurnRecord } from '../kernel/record';
import type { ITranscript } from '../kernel/transcript';
import type { IBlockRenderer } from '../markdown/renderer';
import type { ICodeTarget, Link } from './model';
import type { IState, IStep } from './state';
import type { IEntry, IItem } from './virtuallist';

/** What the turns need. */
export interface ITurnsOptions {
  readonly link: Link;
  readonly actions: ITurnActions;
  readonly renderer: IBlockRenderer;
  readonly trans: TranslationBundle;
  /** The state that is shown. */
  state(): IState;
  /** Turns came into view. */
  inView(ids: readonly string[]): void;
  /** Words for a screen reader. */
  announce(words: string): void;
}

/** Shows the turns of a state. */
export class TurnList {
  constructor(private _options: ITurnsOptions) {
    const { actions, renderer, trans } = _options;
    this._list = new VirtualList(
      id => {
        const turn = new TurnView(actions, renderer, trans);
        this._turns.set(id, turn);
        this._show(id);
        return { node: turn.node, dispose: () => (turn.dispose(), void this._turns.delete(id)) };
      },
      ids => _options.inView(ids)
    );
    const { node } = this._list;
    node.tabIndex = 0;
    node.setAttribute('role', 'group');
    node.setAttribute('aria-label', trans.__('Conversation'));
    _options.link.transcriptChanged.connect(this._onTranscript, this);
    this._clock = window.setInterval(() => _options.state().running.forEach(id => this._show(id)), 1000);
  }

  get node(): HTMLElement {
    return this._list.node;
  }

  /** Show the state as it is now; the number of its turns. */
  update(): number {
    const steps = shown(this._options.state());
    this._steps = new Map(steps.map((step, index) => [step.id, [step, index]]));
    this._list.set(steps.map(entry));
    this.node.setAttribute('role', steps.length ? 'feed' : 'group'); // a feed has articles
    this._turns.forEach((_, id) => this._show(id));
    return steps.length;
  }

  /** The ids of the turns that are drawn. */
  get drawn(): readonly string[] {
    return [...this._turns.keys()];
  }

  /** Bring a turn into view. */
  reveal(id: string): void {
    this._list.reveal(id);
  }

  /** Go to the newest, and stay there. */
  toEnd(): void {
    this._list.toEnd();
  }

  dispose(): void {
    this._disposed = true;
    clearInterval(this._clock);
    this._options.link.transcriptChanged.disconnect(this._onTranscript, this);
    this._list.dispose();
  }

  private _onTranscript(_: Link, transcript: { id: string }): void {
    const { compare } = this._options.state().records.get(transcript.id) ?? {};
    const id = compare?.turns[0] ?? transcript.id;
    if (this._turns.has(id) && !this._pending.has(id)) {
      this._pending.add(id);
      requestAnimationFrame(() => {
        this._pending.delete(id);
        this._show(id);
      });
    }
  }

  /** Show a turn as it is now; one that is new to the page waits until the reader rests. */
  private _show(id: string, waited = false): void {
    const turn = this._turns.get(id);
    const [step, index] = this._steps.get(id) ?? [];
    if (!turn || !step) {
      return;
    }
    const { link, trans } = this._options;
    const state = this._options.state();
    const beside = (step.beside ?? []).map(id => this._beside(id));
    const live = state.running.includes(id) || beside.some(({ live }) => live);
    let record = state.records.get(id) ?? state.records.get(step.chosen ?? '') ?? null;
    step.beside?.some(id => !state.records.has(id)) && this._options.inView(step.beside);
    if (record && !turn.isDrawn && !live && !waited) {
      this._waiting.add(id);
      this._drawWaiting();
      record = null;
    }
    const transcript = live ? link.transcript(id) : null;
    turn.update(step, record, transcript, live);
    turn.compare(step, beside.filter(({ saved }) => saved));
    turn.position(index! + 1, this._steps.size);
    if (record && (live || this._heard === id)) {
      const status = isRunning(record.status) ? (transcript?.status ?? record.status) : record.status;
      const words = announcement({ ...record, status }, true, trans);
      if (words !== this._spoken || this._heard !== id) {
        this._spoken = words;
        this._options.announce(words);
      }
      this._heard = isRunning(status) ? id : '';
    }
  }

  private _beside(id: string): IBeside {
    const { running, records } = this._options.state();
    const live = running.includes(id);
    const transcript = live ? this._options.link.transcript(id) : null;
    return { saved: records.get(id) ?? null, transcript, live };
  }

  /** Draw the turns that wait, one a frame, while the list is not scrolled. */
  private _drawWaiting(): void {
    if (this._drawing || this._disposed || !this._waiting.size) {
      return;
    }
    this._drawing = true;
    requestAnimationFrame(() => {
      this._drawing = false;
      if (!this._list.isScrolling) {
        const [id] = this._waiting;
        this._waiting.delete(id);
        this._show(id, true);
      }
      this._drawWaiting();
    });
  }

  private _list: VirtualList;
  private _steps = new Map<string, [IStep, number]>();
  private _turns = new Map<string, TurnView>();
  private _pending = new Set<string>();
  private _waiting = new Set<string>();
  private _drawing = false;
  private _spoken = '';
  private _heard = ''; // the turn whose end is yet to be announced
  private _clock: number;
  private _disposed = false;
}

/** The height of a turn before it is drawn, by the length of its texts. */
function entry({ id, tokens }: IStep): IEntry {
  return { id, guess: 110 + Math.min(tokens, 4000) * 1.6 };
}

/** What the buttons at a turn do. */
export interface ITurnActions {
  edit(record: ITurnRecord): void;
  regenerate(record: ITurnRecord): void;
  stop(record: ITurnRecord): void;
  /** Ask the question of a turn again, in a new conversation if so. */
  again(record: ITurnRecord, fresh: boolean): void;
  goOn(): unknown;
  settings(): unknown;
  answerToolCall(record: ITurnRecord, call: string, consent: Consent): void;
  /** Go on from an alternative of a token. */
  branch(id: string, at: number, choice: number): void;
  step(id: string, by: number): void;
  /** Go on with another answer. */
  use(id: string): Promise<unknown>;
  stopTurn(id: string): void;
  /** Go to the last of the turns at a seam. */
  show(last: string): void;
  carryOver(id: string): void;
  readonly code: ICodeTarget | null;
  /** Whether a kernel is there to ask. */
  readonly canAsk: boolean;
}

/** A turn of a comparison. */
interface IBeside {
  readonly saved: ITurnRecord | null;
  readonly transcript: ITranscript | null;
  readonly live: boolean;
}

/** Shows a turn. */
export class TurnView implements IItem {
  readonly node = make('article', 'panel-turn');

  constructor(
    private _actions: ITurnActions,
    private _renderer: IBlockRenderer,
    private _trans: TranslationBundle
  ) {
    const trans = _trans;
    this.node.tabIndex = -1;
    const { code } = _actions;
    const at = (act: (record: ITurnRecord) => void) => this._record && act(this._record);
    this._parts = new TurnParts({
      renderer: _renderer,
      trans,
      header: {
        copy: () => Clipboard.copyToSystem(this._record?.answer ?? ''),
        regenerate: () => at(record => _actions.regenerate(record)),
        stop: () => at(record => _actions.stop(record))
      },
      branch: this._switch,
      code: code ?? { insert: nothing, replace: nothing, run: nothing },
      remedies: {
        again: () => at(record => _actions.again(record, false)),
        goOn: () => _actions.goOn(),
        fresh: () => at(record => _actions.again(record, true)),
        settings: () => _actions.settings()
      },
      seam: {
        show: last => _actions.show(last),
        carryOver: () => this._step && _actions.carryOver(this._step.chosen ?? this._step.id)
      },
      decide: (call, consent) => at(record => _actions.answerToolCall(record, call, consent)),
      choose: (place, choice) => at(({ id }) => this._canAsk && _actions.branch(id, place, choice)),
      changed: () => at(record => this._draw(record))
    });
    this._file = new FileTurns(trans, nothing);
    const question = make('div', 'panel-question');
    this._edit = button(editIcon, trans.__('Edit the question'), () => {
      this._record && _actions.edit(this._record);
    });
    question.append(this._prompt, this._edit);
    this._earlier = button(caretLeftIcon, trans.__('Earlier answer'), () => this._go(-1));
    this._later = button(caretRightIcon, trans.__('Later answer'), () => this._go(1));
    this._switch.append(this._earlier, this._place, this._later);
    const { header, attachments, log, notes, seam } = this._parts;
    const card = make('div', 'card');
    card.classList.toggle('jp-mod-inNotebook', code !== null);
    card.append(header.node, attachments.node, ...log, notes.node);
    this.node.append(question, card, seam.node);
    this._card = card;
    card.hidden = true;
  }

  /** Show a record and its transcript; the record is null while it is being read. */
  update(
    step: IStep,
    saved: ITurnRecord | null,
    transcript: ITranscript | null,
    live: boolean
  ): void {
    const trans = this._trans;
    this._step = step;
    this._switch.hidden = step.count < 2;
    say(this._place, `${step.index}/${step.count}`);
    this._place.title = trans.__('Answer %1 of %2 to this question', step.index, step.count);
    this._file.mark(this._card, step.foreign === true);
    const can = this._actions.canAsk && !step.foreign && !(saved && live && isRunning(saved.status));
    this._canAsk = can;
    this._earlier.disabled = !can || step.index <= 1;
    this._later.disabled = !can || step.index >= step.count;
    this._edit.hidden = !can || !saved;
    this._parts.seam.update(step.seam ?? null, can && !live);
    this.node.classList.toggle('jp-mod-reading', !saved);
    this.node.classList.toggle('jp-mod-readonly', !this._actions.canAsk || step.foreign === true);
    if (!saved) {
      return;
    }
    const record = (this._record = merge(saved, transcript));
    say(this._prompt, record.prompt);
    this._card.hidden = false;
    this._shown = [live, live ? (transcript?.asking ?? null) : null];
    const drawn = this._draw(record);
    const settle = () => void (this.node.style.minHeight = '');
    live && isRunning(record.status) ? settle() : void drawn.then(settle);
  }

  private _draw(record: ITurnRecord): Promise<unknown> {
    return this._parts.update(this._card, record, ...this._shown);
  }

  /** Show the turns of a comparison in place of the one. */
  compare(step: IStep, beside: readonly IBeside[]): void {
    this._card.hidden ||= beside.length > 0;
    if (beside.length && !this._columns) {
      const { use, stopTurn } = this._actions;
      this._columns = new Columns({ use, stop: stopTurn }, this._trans);
      this._card.after(this._columns.node);
    }
    const columns = beside.map(({ saved, transcript, live }, at) => {
      const view = (this._views[at] ??= new TurnView(this._actions, this._renderer, this._trans));
      view.update({ ...step, id: saved!.id, count: 1 }, saved, transcript, live);
      const record = view._record!;
      const runs = live && isRunning(record.status);
      return { name: record.compare?.variant ?? '', record, live: runs, node: view._card };
    });
    this._columns?.update(columns, step.chosen ?? '', this._actions.canAsk && !step.foreign);
  }

  /** Whether a record was shown. */
  get isDrawn(): boolean {
    return this._record !== null;
  }

  /** Set its place in the list, for a screen reader. */
  position(index: number, count: number): void {
    this.node.setAttribute('aria-posinset', String(index));
    this.node.setAttribute('aria-setsize', String(count));
    this.node.setAttribute('aria-label', this._trans.__('Turn %1 of %2', index, count));
  }

  dispose(): void {
    this._parts.dispose();
    this._views.forEach(view => view.dispose());
  }

  private _go(by: number): void {
    this._step && this._actions.step(this._step.id, by);
  }

  private _prompt = make('div', 'panel-prompt');
  private _edit: HTMLButtonElement;
  private _card: HTMLElement;
  private _parts: TurnParts;
  private _file: FileTurns;
  private _switch = make('div', 'panel-switch');
  private _place = make('span', 'panel-place');
  private _earlier: HTMLButtonElement;
  private _later: HTMLButtonElement;
  private _record: ITurnRecord | null = null;
  private _shown: readonly [live: boolean, asking: IConsentRequest | null] = [false, null];
  private _canAsk = false;
  private _step: IStep | null = null;
  private _columns: Columns | null = null;
  private _views: TurnView[] = [];
}

function nothing(): void {
  return;
}
