/**
 * What the panel shows, as a value; every message gives the next one.
 *
 * The active branch is known by its ids; records are read when they come into view. Turns that run
 * hang under their parent: what followed it on the branch gives way to them.
 */
import { list, maybeText, number, object } from '../kernel/json';
import { isRunning, readRecord, readRecords, readSeam, readWaiting } from '../kernel/record';
import type { ISeam, ITurnRecord } from '../kernel/record';

/** A turn's place on the active branch. */
export interface IStep {
  readonly id: string;
  /** An estimate, for its height before it is drawn. */
  readonly tokens: number;
  /** Which of how many siblings it is, from 1. */
  readonly index: number;
  readonly count: number;
  /** What is out of sight after it. */
  readonly seam?: ISeam;
  /** Whether it came with the notebook's file, and is not sent. */
  readonly foreign?: boolean;
  /** Where it is of a comparison: the turn of that which is on the branch, and all of its turns. */
  readonly chosen?: string;
  readonly beside?: readonly string[];
}

/** The kernel's settings that the panel has controls for. */
export interface ISettings {
  /** The provider that is set; empty where the first one with a key is asked. */
  readonly provider: string;
  readonly model: string;
  readonly think: string;
  readonly effort: string;
  readonly temperature: number | null;
  readonly max_tokens: number | null;
  /** Names of the tools that questions of the panel may call. */
  readonly tools: readonly string[];
  /** What of a frame leaves where the question says nothing of it. */
  readonly data: string;
  /** Where a question goes on to, in this order, when its host turns it away. */
  readonly fallback: readonly string[];
}

/** What the panel knows. */
export interface IState {
  readonly conversation: string;
  readonly tip: string | null;
  readonly active: string;
  readonly way: readonly IStep[];
  /** Turns that came with the file. */
  readonly foreign: readonly IStep[];
  /** Whether the user has yet to say what becomes of them. */
  readonly undecided: boolean;
  readonly records: ReadonlyMap<string, ITurnRecord>;
  /** Turns that run, in the order in which they began. */
  readonly running: readonly string[];
  /** A turn that ended without an answer, and so is no part of the branch. */
  readonly failed: string | null;
  readonly settings: ISettings;
  /** Whether the branch that is known is not the kernel's any more. */
  readonly stale: boolean;
}

/** The id of the question that was sent and of which the kernel has not said that it begins. */
export const ASKED = 'asked';

/** Nothing yet. */
export const NOTHING: IState = {
  conversation: '',
  tip: null,
  active: 'main',
  way: [],
  foreign: [],
  undecided: false,
  records: new Map(),
  running: [],
  failed: null,
  settings: readSettings(null),
  stale: false
};

/** The state after the answer to `conversation`. */
export function opened(state: IState, json: unknown): IState {
  const raw = object(json);
  const running = list(raw['running']).map(readRecord);
  const same = raw['conversation'] === state.conversation;
  const records = new Map(same ? state.records : []);
  const foreign = list(raw['foreign']).map(readRecord);
  for (const record of [...running, ...foreign]) {
    records.set(record.id, record);
  }
  const asked = same ? state.running.filter(id => id === ASKED) : [];
  const way = list(raw['way']).map(readStep);
  const failed = raw['failed'] ? readRecord(raw['failed']) : null;
  if (failed) {
    records.set(failed.id, failed);
  }
  return {
    conversation: String(raw['conversation'] ?? ''),
    tip: maybeText(raw['tip']),
    active: String(raw['active'] ?? 'main'),
    way,
    foreign: foreign.map(record => ({ ...fileStep(record), foreign: true })),
    undecided: raw['undecided'] === true,
    records,
    running: [...running.map(record => record.id), ...asked],
    failed: failed?.id ?? null,
    settings: readSettings(raw['settings']),
    stale: false
  };
}

/** The state with records that were read. */
export function withRecords(state: IState, json: unknown): IState {
  const records = new Map(state.records);
  for (const record of list(object(json)['records']).map(readRecord)) {
    records.set(record.id, record);
  }
  return { ...state, records };
}

/** The state for a notebook without a kernel: what its file holds. */
export function fromFile(saved: readonly ITurnRecord[]): IState {
  return {
    ...NOTHING,
    way: saved.map(fileStep),
    records: new Map(saved.map(record => [record.id, record]))
  };
}

/** The state once the kernel is gone: what was read of it stays; where there was none, the file's turns. */
export function left(state: IState, saved: readonly ITurnRecord[]): IState {
  if (!state.conversation) {
    return fromFile(saved);
  }
  const records = new Map([...saved.map(record => [record.id, record] as const), ...state.records]);
  const way = state.way.filter(({ id }) => records.has(id));
  // One that ended just now keeps its place, though the branch was not read again.
  const running = state.running.filter(id => !isRunning(records.get(id)?.status ?? 'waiting'));
  return { ...state, records, way, running, stale: false };
}

function fileStep({ id, branch, prompt, answer }: ITurnRecord): IStep {
  const tokens = Math.ceil((prompt.length + answer.length) / 4);
  return { id, tokens, index: branch?.index ?? 1, count: 1 };
}

/** The state after a message of the kernel. */
export function reduce(state: IState, json: unknown): IState {
  const raw = object(json);
  if (raw['type'] === 'turn') {
    return turn(state, raw['event'] === 'begun', readRecord(raw['record']));
  }
  const asked = state.records.get(ASKED);
  if (raw['type'] === 'waiting' && asked && raw['prompt'] === asked.prompt) {
    const records = new Map(state.records);
    return { ...state, records: records.set(ASKED, { ...asked, waiting: readWaiting(raw['waiting']) }) };
  }
  if (raw['type'] === 'foreign') {
    return { ...state, stale: true };
  }
  if (raw['type'] === 'moved') {
    const moved =
      raw['conversation'] !== state.conversation ||
      maybeText(raw['tip']) !== state.tip ||
      maybeText(raw['failed']) !== state.failed ||
      raw['active'] !== state.active;
    return {
      ...state,
      stale: state.stale || moved,
      settings: readSettings(raw['settings'])
    };
  }
  return state;
}

/** The state with a question that was sent just now, in place of the answer `insteadOf`. */
export function withAsked(state: IState, prompt: string, insteadOf: string | null): IState {
  const { conversation, tip, running } = state;
  const replaced = insteadOf ? state.records.get(insteadOf) : undefined;
  const parent = replaced ? replaced.parent : tip;
  const record = readRecord({ id: ASKED, prompt, conversation, parent, status: 'waiting' });
  const records = new Map(state.records).set(ASKED, record);
  return { ...state, records, running: [...running.filter(id => id !== ASKED), ASKED], failed: null };
}

/** The state without it: its turn has begun, or it was refused. */
export function withoutAsked(state: IState): IState {
  const records = new Map(state.records);
  records.delete(ASKED);
  return { ...state, records, running: state.running.filter(id => id !== ASKED) };
}

/** The turns to show, in their order; those that came with the file before all others. */
export function shown(state: IState): readonly IStep[] {
  const seen = new Set<string>();
  return [...state.foreign, ...conversation(state)].flatMap(step => {
    const beside = state.records.get(step.id)?.compare?.turns;
    const id = beside?.[0] ?? step.id; // one entry for all of them, whichever is on the branch
    const isNew = !seen.has(id);
    seen.add(id);
    return isNew ? [beside ? { ...step, id, chosen: step.id, beside } : step] : [];
  });
}

function conversation(state: IState): readonly IStep[] {
  const loose = [...state.running, ...(state.failed ? [state.failed] : [])].filter(
    id => !state.way.some(step => step.id === id)
  );
  const last = state.records.get(loose[loose.length - 1]);
  if (!last) {
    return state.way;
  }
  const at = state.way.findIndex(step => step.id === last.parent);
  const kept = last.parent === null ? [] : at < 0 ? state.way : state.way.slice(0, at + 1);
  const together = loose.filter(id => state.records.get(id)?.parent === last.parent);
  const hidden = state.way.slice(kept.length + 1);
  const seam = hidden.length ? { left: hidden.length, last: hidden[hidden.length - 1].id } : undefined;
  return [...kept, ...together.map(id => ({ id, tokens: 40, index: 1, count: 1, seam }))];
}

function turn(before: IState, begun: boolean, record: ITurnRecord): IState {
  const isAsked = begun && before.records.get(ASKED)?.prompt === record.prompt;
  const state = isAsked ? withoutAsked(before) : before;
  if (record.conversation !== state.conversation) {
    return { ...state, stale: true };
  }
  const records = new Map(state.records).set(record.id, record);
  const others = state.running.filter(id => id !== record.id);
  if (begun) {
    return { ...state, records, running: [...others, record.id], failed: null };
  }
  const kept = record.answer !== '' || record.tool_calls.length > 0;
  return {
    ...state,
    records,
    // Until the branch is read again it keeps its place, so that nothing jumps.
    running: kept ? state.running : others,
    failed: kept ? state.failed : record.id,
    stale: true
  };
}

function readStep(json: unknown): IStep {
  const [id, tokens, index, siblings, ...seam] = list(json);
  const step = { id: String(id), tokens: count(tokens), index: count(index), count: count(siblings) };
  return seam.length ? { ...step, seam: readSeam(seam) } : step;
}

function readSettings(json: unknown): ISettings {
  const raw = object(json);
  return {
    provider: String(raw['provider'] ?? ''),
    model: String(raw['model'] ?? ''),
    think: String(raw['think'] ?? 'auto'),
    effort: String(raw['effort'] ?? ''),
    temperature: number(raw['temperature']),
    max_tokens: number(raw['max_tokens']),
    tools: list(raw['tools']).map(String),
    data: String(raw['data'] ?? ''),
    fallback: list(raw['fallback']).map(String)
  };
}

/** A number that counts something; 1 for anything else. */
function count(value: unknown): number {
  return Math.max(0, Math.floor(number(value) ?? 1));
}

/** Something with outputs, as nbformat writes them. */
export interface IOutputs {
  readonly outputs: readonly unknown[];
}

/**
 * The records in the outputs of cells, in an order in which each follows its parent.
 *
 * #### Notes
 * What the last of them belongs to is shown; the notebook may hold several conversations.
 */
export function savedTurns(cells: readonly IOutputs[]): ITurnRecord[] {
  const found = new Map<string, ITurnRecord>();
  for (const output of cells.flatMap(cell => cell.outputs)) {
    const { data, metadata } = (output ?? {}) as { data?: Record<string, unknown>; metadata?: unknown };
    for (const record of data ? readRecords(data, metadata) : []) {
      if (record.id && record.prompt) {
        found.set(record.id, record);
      }
    }
  }
  const records = [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1)); // ids tell the time
  const last = records[records.length - 1];
  return records.filter(record => record.conversation === last.conversation);
}
