/**
 * The panel: one conversation, whoever is at the other end of its link.
 *
 * What it shows is a pure function of `state.ts`; messages of the kernel give the next state, and
 * the next frame shows it. Side bar and widget use the same view.
 */
import type { JSONObject } from '@lumino/coreutils';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { TranslationBundle } from '@jupyterlab/translation';
import { make, say } from '../dom';
import { BlockRenderer } from '../markdown';
import { isRunning } from '../record';
import { RequestError } from '../requests';
import { announcement } from '../words';
import { Attached } from './attached';
import { Bar } from './bar';
import { readNames } from './complete';
import { Composer } from './composer';
import { takeCells } from './drop';
import { List } from './list';
import { meter } from './meter';
import { fromFile, NOTHING, opened, reduce, shown, withRecords } from './state';
import { TurnView } from './turn';
import type { Word } from '../details';
import type { ITurnRecord } from '../record';
import type { IName } from './complete';
import type { ILink } from './link';
import type { IEntry } from './list';
import type { IState, IStep } from './state';

/** How many records are asked for at once. */
const BATCH = 24;

/** How long names that were read are good for, in milliseconds. */
const NAMES = 3000;

/** Shows a conversation, and asks. */
export class PanelView {
  readonly node = make('div', 'panel');

  constructor(
    private _link: ILink,
    rendererOptions: IRenderMime.IRendererOptions,
    private _trans: TranslationBundle
  ) {
    const trans = _trans;
    const renderer = new BlockRenderer(rendererOptions);
    this._list = new List(
      id => {
        const turn = new TurnView(this._actions, renderer, trans);
        this._turns.set(id, turn);
        this._show(id);
        return { node: turn.node, dispose: () => (turn.dispose(), void this._turns.delete(id)) };
      },
      ids => void this._read(ids)
    );
    const { node } = this._list;
    node.tabIndex = 0;
    node.setAttribute('role', 'feed');
    node.setAttribute('aria-label', trans.__('Conversation'));
    this._composer = new Composer(
      {
        send: prompt => void this._ask(prompt),
        stop: () => this._stopLast(),
        cancel: () => this._edit(null),
        names: () => this._names(),
        changed: (prompt, names) => this._attached.update(prompt, names)
      },
      trans
    );
    this._attached = new Attached(() => void this._bar.preview(this._question()), trans);
    takeCells(this.node, () => this._link.presence !== 'none', cells => {
      this._attached.add(cells);
      this.focus();
    });
    this._bar = new Bar(
      {
        request: (type, body) => this._request(type, body),
        go: id => void this._checkout(id),
        failed: error => this._fail(error)
      },
      trans
    );
    this._status.setAttribute('role', 'status');
    this._notice.setAttribute('role', 'alert');
    this._notice.hidden = true;
    this._meter.title = trans.__('What this conversation used; money is an estimate');
    const foot = make('div', 'panel-foot');
    foot.append(this._attached.node, this._composer.node, this._meter);
    this.node.append(
      this._bar.node,
      this._bar.drawer.node,
      this._about,
      node,
      this._notice,
      foot,
      this._status
    );
    _link.changed.connect(this._onLink, this);
    _link.told.connect(this._onTold, this);
    _link.heard.connect(this._onHeard, this);
    void this._refresh();
  }

  /** Put the caret into the composer. */
  focus(): void {
    this._composer.field.focus();
  }

  /** Write something into the composer, behind what is there. */
  write(text: string): void {
    const before = this._composer.text;
    this._composer.text = before && !before.endsWith('\n') ? `${before}\n${text}` : before + text;
    this.focus();
  }

  dispose(): void {
    this._disposed = true;
    this._link.changed.disconnect(this._onLink, this);
    this._link.told.disconnect(this._onTold, this);
    this._link.heard.disconnect(this._onHeard, this);
    this._list.dispose();
  }

  // Reading

  /** Read the conversation again; once more if it was asked for meanwhile. */
  private async _refresh(): Promise<void> {
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

  private async _load(): Promise<void> {
    const { presence } = this._link;
    if (presence !== 'live') {
      this._set(fromFile(this._link.saved()));
      say(this._meter, '');
      return;
    }
    try {
      const json = await this._link.request('conversation');
      this._set(opened(this._state, json));
      const missing = this._state.running.filter(id => !this._link.transcript(id));
      missing.forEach(id => this._link.resync(id));
      say(this._meter, meter(await this._link.request('usage'), this._trans));
    } catch (error) {
      if (this._link.presence === 'live') {
        this._again = false;
        this._fail(error);
      }
    }
  }

  /** Read the records of turns that came into view. */
  private async _read(ids: readonly string[]): Promise<void> {
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

  private async _names(): Promise<readonly IName[]> {
    if (this._link.presence === 'live' && Date.now() - this._namesAt > NAMES) {
      this._namesAt = Date.now();
      this._known = readNames(await this._link.request('names'));
    }
    return this._known;
  }

  // Asking

  private async _ask(prompt: string): Promise<void> {
    const body = { ...this._question(), prompt };
    this._say('');
    if (this._link.presence !== 'live' && !(await this._link.load())) {
      this._composer.text = prompt;
      this._say(this._trans.__('The kernel cannot load deepseek_jupyter.'));
      return;
    }
    this._edit(null);
    this._list.toEnd();
    const cells = this._attached.release();
    await this._request('ask', body, () => {
      this._composer.text ||= prompt; // what was refused is not lost
      this._attached.add(cells);
    });
  }

  /** What would be sent now. */
  private _question(): JSONObject {
    return {
      prompt: this._composer.text,
      ...(this._editing ? { instead_of: this._editing } : {}),
      ...this._attached.fields
    };
  }

  private _edit(record: ITurnRecord | null): void {
    const began = record !== null;
    if (!began && this._editing === null) {
      return;
    }
    this._editing = record?.id ?? null;
    this._composer.note = began
      ? this._trans.__('Asks anew from here; the old answer stays beside it.')
      : '';
    if (began) {
      this._composer.text = record.prompt;
      this.focus();
    } else {
      this._composer.text = '';
    }
  }

  private _stopLast(): void {
    const id = this._running().pop();
    if (id) {
      this._link.stop(id);
    }
  }

  private async _checkout(id: string): Promise<void> {
    await this._request('checkout', { to: id });
    this._list.reveal(id);
  }

  /** Ask the kernel; an error is shown, and gives null. */
  private async _request(
    type: string,
    body: JSONObject = {},
    refused: () => void = () => undefined
  ): Promise<JSONObject | null> {
    try {
      return await this._link.request(type, body);
    } catch (error) {
      refused();
      this._fail(error);
      return null;
    }
  }

  private _fail(error: unknown): void {
    const hint = error instanceof RequestError ? error.hint : '';
    this._say([(error as Error).message, hint].filter(Boolean).join(' '));
  }

  private _say(text: string): void {
    say(this._notice, text);
  }

  // Hearing

  private _onLink(): void {
    this._reading.clear();
    void this._refresh();
  }

  private _onTold(_: ILink, message: unknown): void {
    const before = this._running().length;
    this._set(reduce(this._state, message));
    if (this._running().length > before) {
      this._list.toEnd();
    }
    if (this._state.stale) {
      this._state = { ...this._state, stale: false };
      void this._refresh();
    }
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

  // Showing

  private _set(state: IState): void {
    if (this._disposed) {
      return;
    }
    this._state = state;
    const steps = shown(state);
    this._steps = new Map(steps.map((step, index) => [step.id, [step, index]]));
    this._list.set(steps.map(entry));
    this._turns.forEach((_, id) => this._show(id));
    const live = this._link.presence === 'live';
    this._bar.update(this._link.name, live, state.settings);
    this._composer.enabled = this._link.presence !== 'none';
    this._composer.running = this._running().length > 0;
    say(this._about, this._aboutText(steps.length));
    void this._read([...this._turns.keys()]);
  }

  /** Show a turn as it is now; one that is new to the page waits until the reader rests. */
  private _show(id: string, waited = false): void {
    const turn = this._turns.get(id);
    const [step, index] = this._steps.get(id) ?? [];
    if (!turn || !step) {
      return;
    }
    const live = this._state.running.includes(id);
    let record = this._state.records.get(id) ?? null;
    if (record && !turn.isDrawn && !live && !waited) {
      this._waiting.add(id);
      this._drawWaiting();
      record = null;
    }
    const heard = live ? this._link.transcript(id) : null;
    turn.update(step, record, heard, live);
    turn.position(index! + 1, this._steps.size);
    if (live && record) {
      const words = announcement(heard?.status ? { ...record, status: heard.status } : record, true, this._trans);
      if (words !== this._spoken) {
        this._spoken = words;
        say(this._status, words);
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

  private _aboutText(count: number): string {
    const trans = this._trans;
    switch (this._link.presence) {
      case 'none':
        return trans.__('No kernel: the turns that the file holds, to be read only.');
      case 'unloaded':
        return trans.__('The kernel has not loaded deepseek_jupyter; the first question loads it.');
      case 'live':
        return count ? '' : trans.__('Nothing was asked yet. What cells ask appears here, too.');
    }
  }

  private _running(): string[] {
    const { running, records } = this._state;
    return running.filter(id => isRunning(records.get(id)?.status ?? 'done'));
  }

  private readonly _actions = {
    edit: (record: ITurnRecord) => this._edit(record),
    regenerate: (record: ITurnRecord) => void this._request('regenerate', { turn: record.id }),
    stop: (record: ITurnRecord) => this._link.stop(record.id),
    decide: (record: ITurnRecord, call: string, word: Word) =>
      this._link.decide(record.id, call, word),
    step: (turn: string, step: number) => void this._request('switch', { turn, step }),
    link: () => this._link,
    get code() {
      return this.link().code;
    },
    get canAsk(): boolean {
      return this.link().presence === 'live';
    }
  };

  private _bar: Bar;
  private _list: List;
  private _composer: Composer;
  private _attached: Attached;
  private _about = make('p', 'panel-about');
  private _notice = make('p', 'panel-error');
  private _meter = make('div', 'panel-meter');
  private _status = make('div', 'status');
  private _state: IState = NOTHING;
  private _steps = new Map<string, [IStep, number]>();
  private _turns = new Map<string, TurnView>();
  private _reading = new Set<string>();
  private _heard = new Set<string>();
  private _waiting = new Set<string>();
  private _drawing = false;
  private _known: readonly IName[] = [];
  private _namesAt = 0;
  private _editing: string | null = null;
  private _spoken = '';
  private _refreshing = false;
  private _again = false;
  private _disposed = false;
}

/** The height of a turn before it is drawn, by the length of its texts. */
function entry({ id, tokens }: IStep): IEntry {
  return { id, guess: 110 + Math.min(tokens, 4000) * 1.6 };
}
