/** The other end of a panel, and its model, which reads the conversation from there and keeps its state up to date. */
import { Signal } from '@lumino/signaling';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';
import { money } from '../card/wording';
import { number, object } from '../kernel/json';
import { isRunning } from '../kernel/record';
import { readNames } from './composer';
import { ASKED, left, NOTHING, opened, reduce, withAsked, withoutAsked, withRecords } from './state';
import type { ITurnRecord } from '../kernel/record';
import type { TurnMessage } from '../kernel/requests';
import type { ITranscript } from '../kernel/transcript';
import type { IName } from './composer';
import type { IState } from './state';

/**
 * The state of the other end.
 *
 * - `live`: a kernel that answers.
 * - `unloaded`: a kernel that has not loaded deepseek_jupyter, and can.
 * - `connecting`: a kernel of which it is not known yet.
 * - `none`: no kernel; only the file can be read.
 */
export type Presence = 'live' | 'unloaded' | 'connecting' | 'none';

/** The other end of a panel. */
export abstract class Link {
  /** A signal emitted when `presence` changed, or the kernel is another one. */
  readonly changed = new Signal<Link, void>(this);

  /** A signal emitted when text or status of a turn arrived; its argument is all that is known of it. */
  readonly transcriptChanged = new Signal<Link, ITranscript>(this);

  /** A signal emitted with every other message of the kernel. */
  readonly messageReceived = new Signal<Link, unknown>(this);

  /** What the panel is about, for its title. */
  abstract readonly name: string;

  abstract readonly presence: Presence;

  /** What the panel says when nothing answers, where the reason is not that there is no kernel. */
  get absence(): string | null {
    return null;
  }

  /** What the buttons at a block of code do; null where there is no notebook. */
  abstract readonly code: ICodeTarget | null;

  /** What is known of a turn so far. */
  abstract transcript(id: string): ITranscript | null;

  /** Send a request to the kernel, and wait for its answer. */
  abstract request(type: string, body?: JSONObject): Promise<JSONObject>;

  /** Say something of a turn that has no answer. */
  abstract send(message: TurnMessage): void;

  /** Load deepseek_jupyter into the kernel; false where it cannot be. */
  abstract load(): Promise<boolean>;

  /** The turns that the file holds, in its order. */
  abstract saved(): readonly ITurnRecord[];

  /** The last error of the notebook, with the cell that it is of; null for none. */
  lastError(): string | null {
    return null;
  }

  dispose(): void {
    Signal.clearData(this);
  }
}

/** Where code of an answer may go. */
export interface ICodeTarget {
  insert(code: string): void;
  replace(code: string): void;
  run(code: string): void;
}

/** How many records are asked for at once. */
const BATCH = 24;

/** How long names that were read are good for, in milliseconds. */
const NAMES = 3000;

/** What the model reports to its view. */
export interface IModelEvents {
  /** The state is another. */
  changed(state: IState): void;
  /** What the conversation used and cost; empty for nothing. */
  used(line: string): void;
  /** Another turn runs. */
  begun(): void;
  failed(error: unknown): void;
}

/** Keeps the state of the conversation at the other end of a link. */
export class PanelModel {
  constructor(private _link: Link, private _view: IModelEvents, private _trans: TranslationBundle) {
    _link.changed.connect(this._onLink, this);
    _link.messageReceived.connect(this._onMessage, this);
  }

  get state(): IState {
    return this._state;
  }

  /** The turns that run and have not said how they ended, in the order in which they began. */
  get running(): string[] {
    const { running, records } = this._state;
    return running.filter(id => isRunning(records.get(id)?.status ?? 'done'));
  }

  /** Show a question that is being sent, until its turn begins or `done` is called. */
  asked(prompt: string, insteadOf: string | null): { done(): void } {
    this._set(withAsked(this._state, prompt, insteadOf));
    const mine = this._state.records.get(ASKED);
    const isThere = () => this._state.records.get(ASKED)?.prompt === mine?.prompt;
    return { done: () => void (isThere() && this._set(withoutAsked(this._state))) };
  }

  /** Read the conversation again; once more if it was asked for meanwhile. */
  async refresh(): Promise<void> {
    if (this._refreshing) {
      this._again = true;
      return;
    }
    this._refreshing = true;
    try {
      do {
        this._again = false;
        await this._load();
      } while (this._again && !this._disposed);
    } finally {
      this._refreshing = false;
    }
  }

  /** Read the records of turns that came into view. */
  async read(ids: readonly string[]): Promise<void> {
    const { records } = this._state;
    const missing = ids.filter(id => !records.has(id) && !this._requested.has(id)).slice(0, BATCH);
    if (!missing.length || this._link.presence !== 'live') {
      return;
    }
    missing.forEach(id => this._requested.add(id));
    try {
      const json = await this._link.request('turns', { ids: missing });
      this._set(withRecords(this._state, json));
    } catch {
      return; // the kernel went away; what takes its place reads again
    } finally {
      missing.forEach(id => this._requested.delete(id));
    }
  }

  /** The notebook's names, read again after a while. */
  async names(): Promise<readonly IName[]> {
    if (this._link.presence === 'live' && Date.now() - this._namesAt > NAMES) {
      this._namesAt = Date.now();
      this._known = this._link.request('names').then(readNames);
    }
    return this._known;
  }

  dispose(): void {
    this._disposed = true;
    this._link.changed.disconnect(this._onLink, this);
    this._link.messageReceived.disconnect(this._onMessage, this);
  }

  private async _load(): Promise<void> {
    if (this._link.presence !== 'live') {
      this._set(left(this._state, this._link.saved()));
      this._view.used('');
      return;
    }
    try {
      const json = await this._link.request('conversation');
      this._set(opened(this._state, json));
      const missing = this._state.running.filter(id => !this._link.transcript(id));
      missing.forEach(id => this._link.send({ type: 'resync', id }));
      this._view.used(meter(await this._link.request('usage'), this._trans));
    } catch (error) {
      if (this._link.presence === 'live') {
        this._again = false;
        this._view.failed(error);
      }
    }
  }

  private _onLink(): void {
    this._requested.clear();
    void this.refresh();
  }

  private _onMessage(_: Link, message: unknown): void {
    const before = this.running;
    this._set(reduce(this._state, message));
    if (this.running.some(id => !before.includes(id))) {
      this._view.begun();
    }
    if (this._state.stale) {
      this._state = { ...this._state, stale: false };
      void this.refresh();
    }
  }

  private _set(state: IState): void {
    if (!this._disposed) {
      this._state = state;
      this._view.changed(state);
    }
  }

  private _state: IState = NOTHING;
  private _requested = new Set<string>();
  private _known: Promise<readonly IName[]> = Promise.resolve([]);
  private _namesAt = 0;
  private _refreshing = false;
  private _again = false;
  private _disposed = false;
}

/** The line; empty before the first turn. */
export function meter(json: unknown, trans: TranslationBundle): string {
  const raw = object(json);
  const count = (name: string) => number(raw[name]) ?? 0;
  const turns = count('turns');
  if (!turns) {
    return '';
  }
  const prompt = count('prompt');
  const cached = prompt ? Math.round((100 * count('cached')) / prompt) : 0;
  const costs = Object.entries(object(raw['cost']));
  return [
    trans._n('%1 turn', '%1 turns', turns),
    trans.__('%1 tokens', short(prompt + count('out'))),
    prompt ? trans.__('%1% cached', cached) : '',
    ...costs.map(([currency, amount]) => `~${money(Number(amount), currency)}`)
  ]
    .filter(Boolean)
    .join(' · ');
}

function short(count: number): string {
  if (count < 10_000) {
    return count.toLocaleString('en');
  }
  return count < 1_000_000 ? `${Math.round(count / 1000)}k` : `${(count / 1e6).toFixed(1)}M`;
}
