/** What the panel knows of its conversation, kept true: read when it moves, told as it happens. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { isRunning } from '../record';
import { readNames } from './complete';
import { meter } from './meter';
import { fromFile, NOTHING, opened, reduce, withRecords } from './state';
import type { IName } from './complete';
import type { ILink } from './link';
import type { IState } from './state';

/** How many records are asked for at once. */
const BATCH = 24;

/** How long names that were read are good for, in milliseconds. */
const NAMES = 3000;

/** Whoever shows what is read. */
export interface IReader {
  /** The state is another. */
  changed(state: IState): void;
  /** What the conversation used and cost; empty for nothing. */
  used(line: string): void;
  /** Another turn runs. */
  begun(): void;
  failed(error: unknown): void;
}

/** Reads from a link, and listens to it. */
export class Reading {
  constructor(private _link: ILink, private _reader: IReader, private _trans: TranslationBundle) {
    _link.changed.connect(this._onLink, this);
    _link.told.connect(this._onTold, this);
  }

  get state(): IState {
    return this._state;
  }

  /** The turns that run and have not said how they ended, in the order in which they began. */
  get running(): string[] {
    const { running, records } = this._state;
    return running.filter(id => isRunning(records.get(id)?.status ?? 'done'));
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
    const missing = ids.filter(id => !records.has(id) && !this._reading.has(id)).slice(0, BATCH);
    if (!missing.length || this._link.presence !== 'live') {
      return;
    }
    missing.forEach(id => this._reading.add(id));
    try {
      const json = await this._link.request('turns', { ids: missing });
      this._set(withRecords(this._state, json));
    } catch {
      return; // the kernel went away; what takes its place reads again
    } finally {
      missing.forEach(id => this._reading.delete(id));
    }
  }

  /** The notebook's names, read again after a while. */
  async names(): Promise<readonly IName[]> {
    if (this._link.presence === 'live' && Date.now() - this._namesAt > NAMES) {
      this._namesAt = Date.now();
      this._known = readNames(await this._link.request('names'));
    }
    return this._known;
  }

  dispose(): void {
    this._disposed = true;
    this._link.changed.disconnect(this._onLink, this);
    this._link.told.disconnect(this._onTold, this);
  }

  private async _load(): Promise<void> {
    if (this._link.presence !== 'live') {
      this._set(fromFile(this._link.saved()));
      this._reader.used('');
      return;
    }
    try {
      const json = await this._link.request('conversation');
      this._set(opened(this._state, json));
      const missing = this._state.running.filter(id => !this._link.transcript(id));
      missing.forEach(id => this._link.resync(id));
      this._reader.used(meter(await this._link.request('usage'), this._trans));
    } catch (error) {
      if (this._link.presence === 'live') {
        this._again = false;
        this._reader.failed(error);
      }
    }
  }

  private _onLink(): void {
    this._reading.clear();
    void this.refresh();
  }

  private _onTold(_: ILink, message: unknown): void {
    const before = this.running.length;
    this._set(reduce(this._state, message));
    if (this.running.length > before) {
      this._reader.begun();
    }
    if (this._state.stale) {
      this._state = { ...this._state, stale: false };
      void this.refresh();
    }
  }

  private _set(state: IState): void {
    if (!this._disposed) {
      this._state = state;
      this._reader.changed(state);
    }
  }

  private _state: IState = NOTHING;
  private _reading = new Set<string>();
  private _known: readonly IName[] = [];
  private _namesAt = 0;
  private _refreshing = false;
  private _again = false;
  private _disposed = false;
}
