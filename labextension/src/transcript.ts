/**
 * What the page has heard of a turn over the data comm.
 *
 * A pure reducer: a transcript and a message give the next transcript. Deltas carry a number that
 * counts from 0 without gaps. A page that came late, or missed one, sees a number it did not
 * expect: the transcript is then `behind`, keeps what arrives aside, and is whole again with the
 * next snapshot.
 */
import { isRunning, readAsking, readRecord, readStatus, readSteps } from './record';
import type { IAsking, IToolCall, ITurnRecord, Status } from './record';

/** A turn as the page knows it. */
export interface ITranscript {
  readonly id: string;
  /** The number of the delta that comes next. */
  readonly next: number;
  readonly reasoning: string;
  readonly answer: string;
  readonly status: Status | null;
  /** The record of the last snapshot. */
  readonly record: ITurnRecord | null;
  /** The calls as they stand, where the kernel has told of any. */
  readonly calls: readonly IToolCall[] | null;
  /** The call that waits for the user. */
  readonly asking: IAsking | null;
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
  | { readonly type: 'status'; readonly id: string; readonly status: Status }
  | {
      readonly type: 'steps';
      readonly id: string;
      readonly calls: readonly IToolCall[];
      readonly asking: IAsking | null;
    }
  | {
      readonly type: 'snapshot';
      readonly id: string;
      readonly seq: number;
      readonly record: ITurnRecord;
      readonly asking: IAsking | null;
    };

/** Read a message of the data comm; null for anything that is none. */
export function readMessage(json: unknown): Message | null {
  if (json === null || typeof json !== 'object') {
    return null;
  }
  const raw = json as Record<string, unknown>;
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
      return status && { type: 'status', id, status };
    }
    case 'steps':
      return {
        type: 'steps',
        id,
        calls: readSteps(raw['steps']),
        asking: readAsking(raw['asking'])
      };
    case 'snapshot': {
      const record = raw['record'];
      const told = (record ?? {}) as Record<string, unknown>;
      return {
        type: 'snapshot',
        id,
        seq,
        record: readRecord(record),
        asking: readAsking(told['asking'])
      };
    }
    default:
      return null;
  }
}

/** A turn of which nothing was heard. */
export function emptyTranscript(id: string): ITranscript {
  return {
    id,
    next: 0,
    reasoning: '',
    answer: '',
    status: null,
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
      return { ...state, status: message.status };
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
 * The record to show: the saved one, with what was heard since.
 *
 * A record that says how the turn ended is the last word. While the turn runs, the longer text is
 * the newer one.
 */
export function merge(saved: ITurnRecord, heard: ITranscript | null): ITurnRecord {
  if (!heard || !isRunning(saved.status)) {
    return saved;
  }
  const base = heard.record && !isRunning(heard.record.status) ? heard.record : saved;
  return {
    ...base,
    reasoning: longer(base.reasoning, heard.reasoning),
    answer: longer(base.answer, heard.answer),
    tool_calls: heard.calls ?? base.tool_calls,
    status: heard.status ?? base.status
  };
}

function append(state: ITranscript, delta: IDelta): ITranscript {
  if (delta.seq < state.next) {
    return state; // said already, by a snapshot
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
