/**
 * The `< 2/3 >` of a card: the other answers to its question.
 *
 * They are shown in place, which changes nothing. "Go on from this answer" makes one of them the
 * conversation's, with what was asked after it, and the output of the cell shows it from then on.
 */
import { caretLeftIcon, caretRightIcon } from '@jupyterlab/ui-components';
import type { JSONObject } from '@lumino/coreutils';
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { asOutput, MIME_TYPE, readOutput } from '../kernel/record';
import { RequestError } from '../kernel/requests';
import { object, text } from '../kernel/json';
import { merge } from '../kernel/transcript';
import { button, make, say, textButton } from './dom';
import { kernelOf } from './hostcell';
import type { ITurnRecord } from '../kernel/record';
import type { ICommHub, ICommMessage } from '../tokens';
import type { IHostCell } from './hostcell';

/** When a request that no kernel answered is sent again, in milliseconds. */
const AGAIN = 1200;

/** A sibling that is shown in the place of the output's record. */
interface ILooked {
  readonly record: ITurnRecord;
  readonly bundle: JSONObject;
  /** Whether the next question goes on from it. */
  readonly active: boolean;
}

/** What a turn that is on its way does not have yet. */
const NOTHING_YET = {
  status: 'waiting',
  answer: '',
  reasoning: '',
  tokens: null,
  tool_calls: [],
  notices: [],
  footer: '',
  branch: null,
  error: null
} as const;

/** What the switch needs of its card. */
export interface ISiblingCard {
  hostCell(): IHostCell | null;
  /** Called when another record is to be shown. */
  changed(): void;
}

/** Shows which of the answers is on the card, with buttons for the others. */
export class SiblingSwitch {
  readonly node = make('span', 'branch');

  /** The line under the header: what was asked, where it is something else, and the choice. */
  readonly bar = make('div', 'looked');

  constructor(
    private _hub: ICommHub | null,
    private _card: ISiblingCard,
    private _trans: TranslationBundle
  ) {
    const trans = this._trans;
    this._back = button(caretLeftIcon, trans.__('Previous answer'), () => this._step(-1));
    this._next = button(caretRightIcon, trans.__('Next answer'), () => this._step(1));
    this._use = textButton('use', trans.__('Go on from this answer'), () => void this._choose());
    this._trouble.setAttribute('role', 'alert');
    this.node.append(this._back, this._label, this._next);
    this.node.hidden = true;
    this.bar.append(this._asked, this._use, this._trouble);
    // No signal reaches the card when a kernel starts or dies.
    this.node.addEventListener('pointerenter', () => this._enable());
    this.node.addEventListener('focusin', () => this._enable());
  }

  /** The record to show in place of the output's own. */
  get looked(): ITurnRecord | null {
    const saved = this._saved;
    if (saved && this._branching) {
      const begun = { ...saved, ...NOTHING_YET, id: this._branching };
      return merge(begun, this._hub?.transcript(this._branching) ?? null);
    }
    return this._looked?.record ?? null;
  }

  /** The id of the turn that is on its way; empty for none. */
  get branching(): string {
    return this._branching;
  }

  /** Have the model go on from an alternative of a token; the notebook keeps what comes of it. */
  async branch(at: number, choice: number): Promise<void> {
    const turn = this._looked?.record.id ?? this._saved?.id ?? '';
    const begun = (_: ICommHub, { message }: ICommMessage) => {
      const { type, turn } = object(message);
      if (type === 'asked') {
        this._branching = text(turn);
        this._card.changed();
      }
    };
    if (!this._busy) {
      this._hub?.messageReceived.connect(begun);
      await this._keep(this._ask('branch', { turn, at, choice }));
      this._hub?.messageReceived.disconnect(begun);
    }
  }

  /** Go back to the output's own record, which is a new one. */
  reset(): void {
    this._looked = null;
    this._branching = '';
    say(this._trouble, '');
  }

  /** Show the place among its siblings of the output's record, or of the one shown instead. */
  update(saved: ITurnRecord, running: boolean): void {
    this._saved = saved;
    const branch = this._looked?.record.branch ?? saved.branch;
    this._running = running;
    this.node.hidden = !branch;
    if (branch) {
      const { index, count } = branch;
      say(this._label, `${index}/${count}`);
      this._label.title = this._trans.__('Answer %1 of %2 to this question', index, count);
    }
    const other = this._looked && this._looked.record.id !== saved.id ? this._looked : null;
    const prompt = other && other.record.prompt !== saved.prompt ? other.record.prompt : '';
    say(this._asked, prompt && this._trans.__('Asked: %1', prompt));
    this._use.hidden = !this._looked || this._looked.active;
    this.bar.hidden = !prompt && this._use.hidden && this._trouble.hidden;
    this._enable();
  }

  private _enable(): void {
    const branch = this._looked?.record.branch ?? this._saved?.branch;
    const kernel = kernelOf(this._card.hostCell());
    const able = !!this._hub && !!kernel && kernel.status !== 'dead' && !this._running;
    const why = this._running ? '' : this._trans.__('The other answers need a running kernel');
    const set = (node: HTMLButtonElement, here: boolean, label: string) => {
      node.disabled = !able || !here || this._busy;
      node.title = able || !why ? label : why;
    };
    set(this._back, !!branch && branch.index > 1, this._trans.__('Previous answer'));
    set(this._next, !!branch && branch.index < branch.count, this._trans.__('Next answer'));
    this._use.disabled = !able || this._busy;
  }

  private _step(step: number): void {
    const id = this._looked?.record.id ?? this._saved?.id ?? '';
    void this._ask('sibling', { id, step });
  }

  private async _choose(): Promise<void> {
    await this._keep(this._ask('use', { id: this._looked?.record.id ?? '' }));
  }

  private async _keep(asked: Promise<ILooked | null>): Promise<void> {
    const id = this._saved?.id ?? '';
    const used = await asked;
    const host = this._card.hostCell();
    if (used && host) {
      keep(host, id, used.bundle);
    }
  }

  private async _ask(type: string, body: JSONObject): Promise<ILooked | null> {
    const kernel = kernelOf(this._card.hostCell());
    if (!this._hub || !kernel) {
      return null;
    }
    this._busy = true;
    this._enable();
    const saved = this._saved?.id;
    try {
      const { bundle, active } = await this._request(this._hub, kernel, type, body);
      const data = bundle as JSONObject;
      say(this._trouble, '');
      if (this._saved?.id !== saved) {
        return null; // the cell has asked again meanwhile
      }
      this._looked = { record: readOutput(data), bundle: data, active: active === true };
      return this._looked;
    } catch (error) {
      const known = error instanceof RequestError ? [error.message, error.hint] : [];
      const silent = this._trans.__('The kernel does not answer: run %load_ext deepseek_jupyter');
      say(this._trouble, known.filter(Boolean).join(' ') || silent);
      return null;
    } finally {
      this._busy = false;
      this._branching = '';
      this._card.changed();
    }
  }

  /** Ask, and once more after a moment: a kernel that has just started refuses until it has the extension. */
  private async _request(
    hub: ICommHub,
    kernel: Kernel.IKernelConnection,
    type: string,
    body: JSONObject
  ): Promise<JSONObject> {
    try {
      return await hub.request(kernel, type, body);
    } catch (error) {
      if (error instanceof RequestError || this._branching) {
        throw error; // a turn that has begun is not asked for again
      }
      await new Promise(resolve => setTimeout(resolve, AGAIN));
      return hub.request(kernel, type, body);
    }
  }

  private _back: HTMLButtonElement;
  private _next: HTMLButtonElement;
  private _label = make('span', 'branch-label');
  private _asked = make('p', 'looked-prompt');
  private _use: HTMLButtonElement;
  private _trouble = make('p', 'error-hint');
  private _saved: ITurnRecord | null = null;
  private _looked: ILooked | null = null;
  private _busy = false;
  private _branching = '';
  private _running = false;
}

/** Put a bundle in the place of the output that shows a turn; it is saved with the notebook. */
export function keep({ cell }: IHostCell, id: string, bundle: JSONObject): void {
  const { outputs } = cell.model;
  for (let index = 0; index < outputs.length; index++) {
    const output = outputs.get(index).toJSON();
    const data = output['data'] as JSONObject | undefined;
    if (data?.[MIME_TYPE] && readOutput(data, output['metadata']).id === id) {
      outputs.set(index, { ...output, ...asOutput(bundle) } as never);
      return;
    }
  }
}
