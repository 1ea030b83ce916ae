/** What the panel needs of the world: a kernel that may be there, and a file. */
import type { JSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import type { Word } from '../details';
import type { ITurnRecord } from '../record';
import type { ITranscript } from '../transcript';

/**
 * Who is at the other end.
 *
 * - `live`: a kernel that answers.
 * - `unloaded`: a kernel that has not loaded deepseek_jupyter, and can.
 * - `none`: no kernel; only the file can be read.
 */
export type Presence = 'live' | 'unloaded' | 'none';

/** The other end of a panel. */
export interface ILink {
  /** What the panel is about, for its title. */
  readonly name: string;
  readonly presence: Presence;
  /** What to say where nobody answers, if it is not that there is no kernel. */
  readonly absence?: string;
  /** A signal emitted when `presence` changed, or the kernel is another one. */
  readonly changed: ISignal<ILink, void>;
  /** A signal emitted with each message of the kernel that is not about a turn's text. */
  readonly told: ISignal<ILink, unknown>;
  /** A signal emitted when more was heard of a turn. */
  readonly heard: ISignal<ILink, ITranscript>;
  /** What was heard of a turn so far. */
  transcript(id: string): ITranscript | null;
  /** Ask the kernel. */
  request(type: string, body?: JSONObject): Promise<JSONObject>;
  /** Tell the kernel to stop a turn. */
  stop(id: string): void;
  /** Say whether a call that waits for the user may run. */
  decide(id: string, call: string, word: Word): void;
  /** Ask for all that a running turn has said. */
  resync(id: string): void;
  /** Load deepseek_jupyter into the kernel; false where it cannot be. */
  load(): Promise<boolean>;
  /** The turns that the file holds, in its order. */
  saved(): readonly ITurnRecord[];
  /** What the buttons at a block of code do; null where there is no notebook. */
  readonly code: ICodeTarget | null;
  dispose(): void;
}

/** Where code of an answer may go. */
export interface ICodeTarget {
  insert(code: string): void;
  replace(code: string): void;
  run(code: string): void;
}
