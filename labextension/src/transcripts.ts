/** The turns that a page hears of, and the gaps in what it heard, which are asked for again. */
import { emptyTranscript, readMessage, reduce } from './transcript';
import type { ITranscript } from './transcript';

/** How long a snapshot may take before it is asked for again, in milliseconds. */
const RESYNC = 1000;

/** How many turns are kept in mind. */
const KEPT = 64;

/** Where messages come from. */
export interface ISource {
  /** Ask for all of a turn that runs. */
  resync(id: string): void;
  /** Whether nothing will come from it any more. */
  readonly isGone: boolean;
}

/** Keeps what was heard, by turn. */
export class Transcripts {
  /** What was heard of a turn so far. */
  get(id: string): ITranscript | null {
    return this._transcripts.get(id) ?? null;
  }

  forget(id: string): void {
    this._transcripts.delete(id);
  }

  /** Take a message; what is known of its turn then, or null where it is about none. */
  receive(json: unknown, source: ISource): ITranscript | null {
    const message = readMessage(json);
    if (!message) {
      return null;
    }
    const before = this._transcripts.get(message.id) ?? emptyTranscript(message.id);
    const after = reduce(before, message);
    this._transcripts.set(message.id, after);
    if (this._transcripts.size > KEPT) {
      this._transcripts.delete(this._transcripts.keys().next().value!);
    }
    if (after.behind) {
      this._catchUp(message.id, source);
    }
    return after;
  }

  /** Ask for a snapshot, and again if it does not come. */
  private _catchUp(id: string, source: ISource): void {
    if (this._asking.has(id)) {
      return;
    }
    this._asking.add(id);
    source.resync(id);
    setTimeout(() => {
      this._asking.delete(id);
      if (this._transcripts.get(id)?.behind && !source.isGone) {
        this._catchUp(id, source);
      }
    }, RESYNC);
  }

  private _transcripts = new Map<string, ITranscript>();
  private _asking = new Set<string>();
}
