/** The turns in view: each drawn from its record and from what was heard of it since. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { announcement } from '../words';
import { List } from './list';
import { shown } from './state';
import { TurnView } from './turn';
import type { IBlockRenderer } from '../renderer';
import type { ILink } from './link';
import type { IEntry } from './list';
import type { IState, IStep } from './state';
import type { ITurnActions } from './turn';

/** What the turns need. */
export interface ITurnsOptions {
  readonly link: ILink;
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
export class Turns {
  constructor(private _options: ITurnsOptions) {
    const { actions, renderer, trans } = _options;
    this._list = new List(
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
    node.setAttribute('role', 'feed');
    node.setAttribute('aria-label', trans.__('Conversation'));
    _options.link.heard.connect(this._onHeard, this);
  }

  get node(): HTMLElement {
    return this._list.node;
  }

  /** Show the state as it is now; the number of its turns. */
  update(): number {
    const steps = shown(this._options.state());
    this._steps = new Map(steps.map((step, index) => [step.id, [step, index]]));
    this._list.set(steps.map(entry));
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
    this._options.link.heard.disconnect(this._onHeard, this);
    this._list.dispose();
  }

  private _onHeard(_: ILink, { id }: { id: string }): void {
    if (this._turns.has(id) && !this._heard.has(id)) {
      this._heard.add(id);
      requestAnimationFrame(() => {
        this._heard.delete(id);
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
    const live = state.running.includes(id);
    let record = state.records.get(id) ?? null;
    if (record && !turn.isDrawn && !live && !waited) {
      this._waiting.add(id);
      this._drawWaiting();
      record = null;
    }
    const heard = live ? link.transcript(id) : null;
    turn.update(step, record, heard, live);
    turn.position(index! + 1, this._steps.size);
    if (live && record) {
      const now = heard?.status ? { ...record, status: heard.status } : record;
      const words = announcement(now, true, trans);
      if (words !== this._spoken) {
        this._spoken = words;
        this._options.announce(words);
      }
    }
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

  private _list: List;
  private _steps = new Map<string, [IStep, number]>();
  private _turns = new Map<string, TurnView>();
  private _heard = new Set<string>();
  private _waiting = new Set<string>();
  private _drawing = false;
  private _spoken = '';
  private _disposed = false;
}

/** The height of a turn before it is drawn, by the length of its texts. */
function entry({ id, tokens }: IStep): IEntry {
  return { id, guess: 110 + Math.min(tokens, 4000) * 1.6 };
}
