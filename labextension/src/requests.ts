/** The kernel's answers to a page's requests (docs/record.md). */
import type { JSONObject } from '@lumino/coreutils';
import { object, text } from './json';

/** An answer: a result or an error. */
export interface IAnswer {
  readonly to: string;
  readonly result: JSONObject | null;
  readonly error: RequestError | null;
}

/** A request that could not be carried out: what happened, and what to do. */
export class RequestError extends Error {
  constructor(readonly kind: string, message: string, readonly hint: string) {
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
  const told = object(raw['error']);
  const [kind, message, hint] = ['type', 'message', 'hint'].map(name => text(told[name]));
  return { to: raw['to'], result: null, error: new RequestError(kind, message, hint) };
}
