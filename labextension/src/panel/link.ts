/** What the panel needs of the outside: a kernel that may be there, and a notebook's file. */
import { Signal } from '@lumino/signaling';
import type { JSONObject } from '@lumino/coreutils';
import type { Consent, ITurnRecord } from '../kernel/record';
import type { ITranscript } from '../kernel/transcript';

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

  /** Ask the kernel to stop a turn. */
  abstract stop(id: string): void;

  /** Answer a tool call that waits for consent. */
  abstract answerToolCall(id: string, call: string, consent: Consent): void;

  /** Ask for all of a turn that runs. */
  abstract resync(id: string): void;

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
