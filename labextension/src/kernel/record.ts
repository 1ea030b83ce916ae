/**
 * The turn record: what one output of a cell holds.
 *
 * The fields are those of `docs/record.md`; the kernel's side is `deepseek_jupyter/display/`. A record
 * may come from a file that was edited by hand, so reading one never trusts a type.
 */
import type { JSONObject } from '@lumino/coreutils';
import { joined, list, number, object, parsed, text } from './json';

/** The MIME type of the record. */
export const MIME_TYPE = 'application/vnd.deepseek.turn+json';

/** The MIME type of several turns side by side. */
export const COMPARE_MIME = 'application/vnd.deepseek.compare+json';

/** The newest form of an output that this reader understands. */
export const SCHEMA = 3;

/** Our field in metadata: of an output what no other run gives again, of a cell who wrote it, of a notebook its id. */
export const METADATA = 'deepseek';

const STATUSES = [
  'waiting',
  'thinking',
  'answering',
  'done',
  'interrupted',
  'truncated',
  'error'
] as const;

/** The status of a turn. */
export type Status = (typeof STATUSES)[number];

/** An object of the notebook that was sent with the prompt. */
export interface IAttachment {
  readonly name: string;
  readonly kind: string;
  readonly policy: string;
  readonly tokens: number | null;
  /** How much of it was sent, in words; empty for all of it. */
  readonly cut: string;
  /** Of a frame: how many of how many rows have values in what was sent; empty where unknown. */
  readonly rows: readonly number[];
}

/** Turns that are out of sight after a turn. */
export interface ISeam {
  readonly left: number;
  /** The last of them. */
  readonly last: string;
}

/** A seam as the kernel writes it: how many, and the last of them. */
export function readSeam(json: unknown): ISeam {
  const [left, last] = list(json);
  return { left: number(left) ?? 0, last: text(last) };
}

/** A function the model asked for. */
export interface IToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  readonly result: string | null;
  /** What was decided about it; see `docs/tools.md`. */
  readonly decision: string;
  /** What the model said with the first call of a round, and what it had thought before. */
  readonly said: string;
  readonly thought: string;
  /** Whether it raised an error. */
  readonly failed: boolean;
  /** How many rows came out, if a table did; `more` of them if those are not all. */
  readonly rows: number | null;
  readonly more: boolean;
  readonly seconds: number | null;
}

/** What a user may answer to a call that waits. */
export type Consent = 'approve' | 'deny' | 'always';

/** A call that waits for consent: all that would run, in characters that hide nothing. */
export interface IConsentRequest {
  readonly call: string;
  readonly text: string;
  /** Whether it is no call, but the question what becomes of the turns that came with the file. */
  readonly ofFile?: boolean;
  /** Whether the call has run, and what came out waits to be sent. */
  readonly ofResult?: boolean;
}

/** What went wrong, and what to do. `details` are the server's own words, address and status. */
export interface ITurnError {
  readonly type: string;
  readonly message: string;
  readonly hint: string;
  readonly details: string;
}

/** What a turn waits for before its first word; see `docs/record.md`. */
export interface IWaiting {
  readonly reason: 'start' | 'read' | 'retry';
  readonly name: string;
  readonly rows: number;
  /** The class of the error, the seconds until the next try, which one that is, of how many. */
  readonly kind: string;
  readonly seconds: number;
  readonly number: number;
  readonly of: number;
}

/** Money, always an estimate. */
export interface ICost {
  readonly amount: number;
  readonly currency: string;
}

/** A mark behind a quote and the lines that stand there; empty where it was not found. */
export interface ICite {
  readonly mark: string;
  readonly lines: string;
}

/** Which of the answers to one question this is, counted from 1. */
export interface IBranch {
  readonly index: number;
  readonly count: number;
}

/** A turn's place in a comparison: what its column is called, and the ids of all the turns. */
export interface ICompared {
  readonly variant: string;
  readonly turns: readonly string[];
}

/** The part of a record that the card shows. */
export interface ITurnRecord {
  readonly schema: number;
  readonly id: string;
  readonly parent: string | null;
  readonly conversation: string;
  readonly cell_id: string | null;
  readonly prompt: string;
  readonly status: Status;
  readonly model: string;
  readonly served_model: string | null;
  readonly provider: string;
  readonly attachments: readonly IAttachment[];
  readonly reasoning: string;
  /** The numbers of its lines with which steps begin. */
  readonly outline: readonly number[];
  /** How sure the model was, and its tokens; see `card/tokenview.ts`. */
  readonly tokens: { readonly says: string; readonly packed: string } | null;
  readonly answer: string;
  readonly cites: readonly ICite[];
  /** What the answer was asked to be: `md`, `code`, `json` or `text`. */
  readonly format: string;
  readonly tool_calls: readonly IToolCall[];
  readonly timing: {
    readonly first_token: number | null;
    readonly thinking: number | null;
    readonly total: number | null;
  };
  readonly cost: ICost | null;
  readonly finish_reason: string;
  readonly replayed: boolean;
  /** When a kept answer came; empty for another. */
  readonly recorded: string;
  readonly waiting: IWaiting | null;
  readonly notices: readonly string[];
  /** Sentences of which nothing follows for the reader. */
  readonly details: readonly string[];
  /** The rules of a policy file that hold for it: `thinking`, `no_code` and others. */
  readonly policy: readonly string[];
  /** What the card has a button for besides: `key`. */
  readonly offer: string;
  readonly error: ITurnError | null;
  readonly footer: string;
  readonly branch: IBranch | null;
  readonly compare: ICompared | null;
  /** A proposal for cells that the answer makes, as JSON; see `card/proposal.ts`. */
  readonly changes: unknown;
}

/**
 * Read the record of an output, or of a bundle on its way, of schema 1 to 3; the kernel writes and
 * reads them in `deepseek_jupyter/protocol/output.py`.
 */
export function readOutput(data: Record<string, unknown>, metadata: unknown = null): ITurnRecord {
  const saved = object(data[MIME_TYPE]);
  const schema = number(saved['schema']) ?? 0;
  if (schema < 2 || schema > SCHEMA) {
    return readRecord(saved);
  }
  const { more, run: own, ...texts } = schema === 2 ? object(saved['content']) : saved;
  const written = object(parsed(more));
  const { took, ...run } = object(parsed(saved['run'] ?? own ?? object(metadata)[METADATA]));
  const steps = objects(written['steps']).map(step => ({
    ...step,
    results: objects(step['results']).map(result => ({
      seconds: object(took)[text(result['id'])],
      ...result
    }))
  }));
  return readRecord({
    answer: joined(data['text/plain']),
    served_model: written['model'],
    ...texts,
    ...written,
    ...answerOf(written, joined(data['text/markdown'])),
    ...run,
    steps,
    schema
  });
}

/**
 * Read a comparison, whatever the JSON may be; null for none, and for one of a later schema.
 *
 * #### Notes
 * Of each turn: what its column is called, its mimebundle, its record. `remark` is said of all, and
 * `chosen` the id of the turn that the user goes on with; empty for the first that answered.
 */
export function readComparison(data: Record<string, unknown>) {
  const raw = object(data[COMPARE_MIME]);
  const names = list(raw['names']).map(text);
  // A turn that a page wrote later has texts of its own.
  const shared = { 'text/markdown': data['text/markdown'], 'text/plain': '' };
  const turns = list(raw['turns']).map((turn, at) => {
    const bundle = { ...shared, ...object(turn) } as JSONObject;
    const record = readOutput(bundle);
    return { name: names[at] ?? record.compare?.variant ?? '', bundle, record };
  });
  const { id, remark, chosen } = raw;
  const known = turns.length > 0 && raw['schema'] === 1;
  return known ? { id: text(id), turns, remark: text(remark), chosen: text(chosen) } : null;
}

/** The records in an output's mimebundle. */
export function readRecords(data: Record<string, unknown>, metadata: unknown = null): ITurnRecord[] {
  const turns = data[MIME_TYPE] ? [] : (readComparison(data)?.turns ?? []);
  return data[MIME_TYPE] ? [readOutput(data, metadata)] : turns.map(({ record }) => record);
}

/** A bundle as an output of the notebook, in whose metadata is what no other run gives again. */
export function asOutput(bundle: JSONObject): { data: JSONObject; metadata: JSONObject } {
  const { run, ...kept } = object(bundle[MIME_TYPE]) as JSONObject;
  return typeof run === 'string' && kept['schema'] === SCHEMA
    ? { data: { ...bundle, [MIME_TYPE]: kept }, metadata: { [METADATA]: run } }
    : { data: bundle, metadata: {} };
}

/**
 * The answer where it is written as texts and ranges of the Markdown's lines; before, as texts and
 * numbers of its paragraphs.
 */
function answerOf({ lines, answer }: Record<string, unknown>, markdown: string) {
  if (Array.isArray(lines)) {
    const shown = asWritten(markdown);
    const cut = (range: unknown) => {
      const [start, stop] = list(range).map(at => Math.max(0, number(at) ?? 0));
      return shown.slice(start ?? 0, stop ?? 0).join('\n');
    };
    return { answer: lines.map(part => (Array.isArray(part) ? cut(part) : text(part))).join('\n') };
  }
  const shown = markdown.split(GAP);
  const put = (part: unknown) => (typeof part === 'number' ? (shown[part] ?? '') : text(part));
  return Array.isArray(answer) ? { answer: answer.map(put).join(GAP) } : {};
}

/** The lines of the kernel's Markdown as the answer has them; its twin is in `protocol/output.py`. */
function asWritten(markdown: string): string[] {
  const fence = (_: string, indent: string, language: string | undefined, code: string) =>
    `${indent}\`\`\`${language ?? ''}&#10;${code}&#10;\`\`\``.replaceAll('&#10;', `\n${indent}`);
  return markdown
    .replace(CODE, fence)
    .replace(/<(\/?code|\/?span)>/g, (_, tag: string) => (tag.endsWith('code') ? '`' : ''))
    .replace(/&(?:#([0-9]{1,3})|(amp|lt|gt));/g, (_, code: string | undefined, name: string) =>
      code ? String.fromCharCode(Number(code)) : ({ amp: '&', lt: '<', gt: '>' }[name] ?? '')
    )
    .split('\n');
}

const CODE = /^( *)<pre[^>]*><code(?: class="language-([^"]+)")?>(.*)<\/code><\/pre>/gm;
const GAP = '\n\n';

/** Read a record, whatever the JSON may be. */
export function readRecord(json: unknown): ITurnRecord {
  const raw = object(json);
  const timing = object(raw['timing']);
  const cost = object(raw['cost']);
  return {
    schema: number(raw['schema']) ?? SCHEMA,
    id: text(raw['id']),
    parent: text(raw['parent']) || null,
    conversation: text(raw['conversation']),
    cell_id: text(raw['cell_id']) || null,
    prompt: text(raw['prompt']),
    status: readStatus(raw['status']) ?? 'done',
    model: text(raw['model']),
    served_model: text(raw['served_model']) || null,
    provider: text(raw['provider']),
    attachments: objects(raw['attachments']).map(item => ({
      name: text(item['name']),
      kind: text(item['kind']),
      policy: text(item['policy']),
      tokens: number(item['tokens']),
      cut: text(item['cut']),
      rows: list(item['rows']).map(count => number(count) ?? 0)
    })),
    reasoning: text(raw['reasoning']),
    outline: list(raw['outline']).map(line => number(line) ?? 0),
    tokens: readTokens(raw['tokens']),
    answer: text(raw['answer']),
    cites: list(raw['cites']).map(item => {
      const [mark, lines] = list(item);
      return { mark: text(mark), lines: text(lines) };
    }),
    format: text(raw['format']),
    tool_calls: [...readSteps(raw['steps']), ...objects(raw['tool_calls']).map(item => readCall(item))],
    timing: {
      first_token: number(timing['first_token']),
      thinking: number(timing['thinking']),
      total: number(timing['total'])
    },
    cost: cost['currency']
      ? { amount: Number(cost['amount']) || 0, currency: text(cost['currency']) }
      : null,
    finish_reason: text(raw['finish_reason']),
    replayed: raw['replayed'] === true,
    recorded: text(raw['recorded']),
    waiting: readWaiting(raw['waiting']),
    notices: list(raw['notices']).map(text).filter(Boolean),
    details: list(raw['details']).map(text).filter(Boolean),
    policy: list(raw['policy']).map(text).filter(Boolean),
    offer: text(raw['offer']),
    error: raw['error'] ? readError(raw['error']) : null,
    footer: text(raw['footer']),
    branch: readBranch(raw['branch']),
    compare: readCompared(raw['compare']),
    changes: raw['changes'] ?? null
  };
}

function readTokens(json: unknown): ITurnRecord['tokens'] {
  const { says, packed } = object(json);
  return text(packed) ? { says: text(says), packed: text(packed) } : null;
}

/** Read an error, whatever the JSON may be. */
export function readError(json: unknown): ITurnError {
  const raw = object(json);
  return {
    type: text(raw['type']),
    message: text(raw['message']),
    hint: text(raw['hint']),
    details: text(raw['details'])
  };
}

/** Read what a turn waits for; null for nothing in particular. */
export function readWaiting(json: unknown): IWaiting | null {
  const raw = object(json);
  const reason = (['start', 'read', 'retry'] as const).find(known => known === raw['reason']);
  const count = (name: string) => number(raw[name]) ?? 0;
  return reason
    ? {
        reason,
        name: text(raw['name']),
        rows: count('rows'),
        kind: text(raw['kind']),
        seconds: count('seconds'),
        number: count('number'),
        of: count('of')
      }
    : null;
}

/** The calls of all rounds, in order, each with what became of it. */
export function readSteps(json: unknown): IToolCall[] {
  return objects(json).flatMap(step => {
    const results = new Map(objects(step['results']).map(item => [text(item['id']), item]));
    return objects(step['tool_calls']).map((item, index) => {
      const result = results.get(text(item['id']));
      const before = index ? {} : { said: text(step['answer']), thought: text(step['reasoning']) };
      return readCall({ ...item, result: result?.['text'] ?? undefined }, result, before);
    });
  });
}

/** Read the call that waits for consent, or null. */
export function readConsentRequest(json: unknown): IConsentRequest | null {
  const raw = object(json);
  const call = text(raw['call']);
  const kinds: Record<string, object> = { file: { ofFile: true }, result: { ofResult: true } };
  return call ? { call, text: text(raw['text']), ...kinds[text(raw['kind'])] } : null;
}

/** A status, or null for anything else. */
export function readStatus(value: unknown): Status | null {
  return STATUSES.find(status => status === value) ?? null;
}

/** The answer as Markdown: JSON and plain text become one block of code. */
export function asMarkdown({ answer, format, status, tool_calls }: ITurnRecord): string {
  const said = tool_calls.map(call => call.said).filter(Boolean).pop();
  if (said === answer && isRunning(status)) {
    return ''; // it is shown above its calls already, and the next round has not begun
  }
  return answer && (format === 'json' || format === 'text')
    ? `${FENCE}${format}\n${answer}`
    : answer;
}

/** Longer than any that an answer would close by chance. */
const FENCE = '`'.repeat(16);

/** Whether a turn of this status may still receive text. */
export function isRunning(status: Status): boolean {
  return status === 'waiting' || status === 'thinking' || status === 'answering';
}

function readCall(
  item: Record<string, unknown>,
  came: Record<string, unknown> = {},
  { said = '', thought = '' } = {}
): IToolCall {
  return {
    id: text(item['id']),
    name: text(item['name']),
    arguments: written(item['arguments']),
    result: item['result'] === undefined ? null : written(item['result']),
    decision: text(came['decision']),
    said,
    thought,
    failed: came['failed'] === true,
    rows: number(came['rows']),
    more: came['more'] === true,
    seconds: number(came['seconds'])
  };
}

function readCompared(value: unknown): ICompared | null {
  const raw = object(value);
  const turns = list(raw['turns']).map(text).filter(Boolean);
  return turns.length ? { variant: text(raw['variant']), turns } : null;
}

function readBranch(value: unknown): IBranch | null {
  const raw = object(value);
  const index = number(raw['index']);
  const count = number(raw['count']);
  return index !== null && count !== null && count > 1 ? { index, count } : null;
}

function objects(value: unknown): Record<string, unknown>[] {
  return list(value).map(object);
}

/** A value as text for a reader: a string as it is, anything else as JSON. */
function written(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '', null, 2);
}
