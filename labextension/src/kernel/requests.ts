/** What a page and its kernel ask of each other (docs/record.md): answers, edits of cells, cells to be sent. Pure. */
import type { JSONObject } from '@lumino/coreutils';
import { said } from '../said';
import { joined, list, maybeObject, object, text } from './json';
import { METADATA } from './record';
import type { Consent } from './record';

/** What a page says of a turn or a job, which has no answer: stop it, show the rest, send all of it, run its tool. */
export type TurnMessage =
  | { readonly type: 'stop' | 'skip' | 'resync'; readonly id: string }
  | { readonly type: Consent; readonly id: string; readonly call: string };

/** An answer: a result or an error. */
export interface IAnswer {
  readonly to: string;
  readonly result: JSONObject | null;
  readonly error: RequestError | null;
}

/** A request that could not be carried out: what happened, and what to do. */
export class RequestError extends Error {
  constructor(
    readonly kind: string,
    message: string,
    readonly hint: string,
    readonly details = ''
  ) {
    super(message);
    this.name = 'RequestError';
  }
}

/** Read an answer; null for anything that is none. */
export function readAnswer(json: unknown): IAnswer | null {
  const raw = object(json);
  if (raw['type'] !== 'answer' || typeof raw['to'] !== 'string') {
    return null;
  }
  if (raw['ok'] === true) {
    return { to: raw['to'], result: object(raw['result']) as JSONObject, error: null };
  }
  const error = object(raw['error']);
  const words = ['message', 'hint', 'details'].map(name => said(text(error[name])));
  return { to: raw['to'], result: null, error: new RequestError(text(error['type']), ...(words as [string, string])) };
}

/** New source for a cell that says what is expected. */
export interface IChange {
  readonly cell_id: string;
  readonly expect: string;
  readonly source: string;
  /** What wrote it, for the cell's metadata; null where the user did. */
  readonly provenance: JSONObject | null;
}

/** Change cells, all or none. */
export interface IEdit {
  readonly type: 'edit';
  readonly id: string;
  readonly edits: readonly IChange[];
  readonly run: boolean;
}

/** Put new cells below another. */
export interface IInsertion {
  readonly type: 'insert';
  readonly id: string;
  readonly after: string;
  readonly sources: readonly string[];
  readonly provenance: JSONObject;
  readonly run: boolean;
}

/** A request to edit the notebook. */
export type IEditRequest = IEdit | IInsertion;

/** Read a message; null for anything that is not an edit request, whole and well-formed. */
export function readEditRequest(json: unknown): IEditRequest | null {
  const raw = object(json);
  if (!isText(raw['id'])) {
    return null;
  }
  const id = raw['id'];
  const run = raw['run'] === true;
  if (raw['type'] === 'edit' && Array.isArray(raw['edits'])) {
    const edits = raw['edits'].map(readChange);
    return edits.length && edits.every(edit => edit !== null)
      ? { type: 'edit', id, run, edits: edits as IChange[] }
      : null;
  }
  const { after, sources } = raw;
  if (raw['type'] === 'insert' && isText(after) && Array.isArray(sources)) {
    const provenance = object(raw['provenance']) as JSONObject;
    return sources.length && sources.every(isText)
      ? { type: 'insert', id, run, after, sources, provenance }
      : null;
  }
  return null;
}

/** A hash of a text, to tell later whether it was changed (FNV-1a, 32 bits, and length). */
export function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return `${hash.toString(16)}-${text.length}`;
}

function readChange(json: unknown): IChange | null {
  const raw = object(json);
  const { cell_id, expect, source } = raw;
  const provenance = maybeObject(raw['provenance']) as JSONObject | null;
  return isText(cell_id) && isText(expect) && isText(source)
    ? { cell_id, expect, source, provenance }
    : null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** How much of one output is sent, in characters. */
const LONGEST = 4000;

/**
 * The parts of a code cell's JSON that the kernel needs; null for other cells. Texts of outputs are cut
 * to what a page needs to send of a whole document.
 */
export function summarizeCell(cell: JSONObject, longest = LONGEST): JSONObject | null {
  if (cell['cell_type'] !== 'code') {
    return null;
  }
  const outputs = list(cell['outputs']) as JSONObject[];
  const written = (object(cell['metadata'])[METADATA] ?? null) as JSONObject | null; // by whom
  return {
    ...(written ? { metadata: { [METADATA]: written } } : {}),
    cell_type: 'code',
    id: cell['id'] ?? '',
    source: joined(cell['source']),
    execution_count: cell['execution_count'] ?? null,
    outputs: outputs.map(output => summarizeOutput(output, longest))
  };
}

function summarizeOutput(output: JSONObject, longest: number): JSONObject {
  const kept: JSONObject = { output_type: output['output_type'] ?? '' };
  for (const name of ['text', 'ename', 'evalue']) {
    if (name in output) {
      kept[name] = joined(output[name]).slice(0, longest);
    }
  }
  const data = output['data'];
  if (data && typeof data === 'object') {
    const entries = Object.entries(data as JSONObject).map(([type, value]) => [
      type,
      /^text\/(?:plain|html)$/.test(type) ? joined(value).slice(0, longest) : ''
    ]);
    kept['data'] = Object.fromEntries(entries) as JSONObject;
  }
  return kept;
}
