/**
 * What the page knows of a turn from the data comm.
 *
 * `reduce` is pure: a transcript and a message give the next transcript. Deltas carry a number that
 * counts from 0 without gaps. A page that came late, or missed one, sees a number it did not expect:
 * the transcript is then `behind`, keeps what arrives aside, and is whole again with the next
 * snapshot, which `Transcripts` asks for. The counterpart is `deepseek_jupyter/display/`.
 */
import { object } from './json';
import {
  isRunning,
  readConsentRequest,
  readOutput,
  readRecord,
  readStatus,
  readSteps,
  readWaiting
} from './record';
import type { IConsentRequest, IToolCall, ITurnRecord, IWaiting, Status } from './record';
import type { TurnMessage } from './requests';

/** A turn as the page knows it. */
export interface ITranscript {
  readonly id: string;
  /** The number of the delta that comes next. */
  readonly next: number;
  readonly reasoning: string;
  readonly answer: string;
  readonly status: Status | null;
  readonly waiting: IWaiting | null;
  /** The record of the last snapshot. */
  readonly record: ITurnRecord | null;
  /** The tool calls so far; null where the kernel has sent none. */
  readonly calls: readonly IToolCall[] | null;
  /** The call that waits for consent. */
  readonly asking: IConsentRequest | null;
  /** Whether a delta is missing. */
  readonly behind: boolean;
  /** Deltas that wait for the snapshot. */
  readonly aside: readonly IDelta[];
}

/** Text to append. */
export interface IDelta {
  readonly seq: number;
  readonly reasoning: string;
  readonly answer: string;
}

/** A message of the data comm. */
export type Message =
  | { readonly type: 'delta'; readonly id: string; readonly delta: IDelta }
  | { readonly type: 'status'; readonly id: string; readonly status: Status; readonly waiting: IWaiting | null }
  | {
      readonly type: 'steps';
      readonly id: string;
      readonly calls: readonly IToolCall[];
      readonly asking: IConsentRequest | null;
    }
  | {
      readonly type: 'snapshot';
      readonly id: string;
      readonly seq: number;
      readonly record: ITurnRecord;
      readonly asking: IConsentRequest | null;
    };

/** Read a message of the data comm; null for anything that is none. */
export function readMessage(json: unknown): Message | null {
  const raw = object(json);
  const id = raw['id'];
  if (typeof id !== 'string') {
    return null;
  }
  const seq = typeof raw['seq'] === 'number' ? raw['seq'] : -1;
  switch (raw['type']) {
    case 'delta':
      return {
        type: 'delta',
        id,
        delta: { seq, reasoning: String(raw['reasoning'] ?? ''), answer: String(raw['answer'] ?? '') }
      };
    case 'status': {
      const status = readStatus(raw['status']);
      return status && { type: 'status', id, status, waiting: readWaiting(raw['waiting']) };
    }
    case 'steps':
      return {
        type: 'steps',
        id,
        calls: readSteps(raw['steps']),
        asking: readConsentRequest(raw['asking'])
      };
    case 'snapshot': {
      const record = raw['record'];
      return {
        type: 'snapshot',
        id,
        seq,
        record: readRecord(record),
        asking: readConsentRequest(object(record)['asking'])
      };
    }
    case 'final': {
      const record = readOutput(object(raw['bundle']) as never);
      return { type: 'snapshot', id, seq: Number.MAX_SAFE_INTEGER, record, asking: null };
    }
    default:
      return null;
  }
}

/** A turn of which nothing is known yet. */
export function emptyTranscript(id: string): ITranscript {
  return {
    id,
    next: 0,
    reasoning: '',
    answer: '',
    status: null,
    waiting: null,
    record: null,
    calls: null,
    asking: null,
    behind: false,
    aside: []
  };
}

/** The transcript after a message. */
export function reduce(state: ITranscript, message: Message): ITranscript {
  switch (message.type) {
    case 'delta':
      return append(state, message.delta);
    case 'status':
      return { ...state, status: message.status, waiting: message.waiting };
    case 'steps':
      return { ...state, calls: message.calls, asking: message.asking };
    case 'snapshot': {
      const { record, seq, asking } = message;
      const caughtUp: ITranscript = {
        ...state,
        next: seq,
        reasoning: record.reasoning,
        answer: record.answer,
        status: record.status,
        waiting: record.waiting,
        record,
        calls: record.tool_calls,
        asking,
        behind: false,
        aside: []
      };
      return state.aside.reduce(append, caughtUp);
    }
  }
}

/**
 * The record to show: the saved one, with what arrived over the comm since.
 *
 * A record that says how the turn ended is final. While the turn runs, the longer text is
 * the newer one.
 */
export function merge(saved: ITurnRecord, transcript: ITranscript | null): ITurnRecord {
  if (!transcript || !isRunning(saved.status)) {
    return saved;
  }
  const { record, reasoning, answer, calls, status, waiting } = transcript;
  const base = record && !isRunning(record.status) ? record : saved;
  return {
    ...base,
    reasoning: longer(base.reasoning, reasoning),
    answer: longer(base.answer, answer),
    tool_calls: calls ?? base.tool_calls,
    status: status ?? base.status,
    waiting
  };
}

function append(state: ITranscript, delta: IDelta): ITranscript {
  if (delta.seq < state.next) {
    return state; // a snapshot held it already
  }
  if (state.behind || delta.seq > state.next) {
    return { ...state, behind: true, aside: [...state.aside, delta] };
  }
  return {
    ...state,
    next: delta.seq + 1,
    reasoning: state.reasoning + delta.reasoning,
    answer: state.answer + delta.answer
  };
}

function longer(one: string, other: string): string {
  return other.length > one.length ? other : one;
}

/** How long a snapshot may take before it is asked for again, in milliseconds. */
const RESYNC = 1000;

/** How many transcripts are kept. */
const KEPT = 64;

/** Where messages come from. */
export interface ISource {
  /** Say something of a turn that has no answer. */
  send(message: TurnMessage): void;
  /** Whether nothing will come from it any more. */
  readonly isGone: boolean;
}

/** Keeps the transcripts, and asks for snapshots of those that are behind. */
export class Transcripts {
  /** What is known of a turn so far. */
  get(id: string): ITranscript | null {
    return this._transcripts.get(id) ?? null;
  }

  forget(id: string): void {
    this._transcripts.delete(id);
  }

  /** Take a message; returns the new transcript of its turn, or null where it is about none. */
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
    source.send({ type: 'resync', id });
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
