/** What helps to write a prompt: completion of `@name`, and the prompts asked before. Pure. */
import { list, object } from '../kernel/json';

/** A variable of the notebook. */
export interface IName {
  readonly name: string;
  readonly type: string;
  readonly shape: string;
}

/** An `@` that is being written: its index, and what follows it so far. */
export interface IMention {
  readonly start: number;
  readonly query: string;
}

/** Read the kernel's list of names. */
export function readNames(json: unknown): IName[] {
  return list(object(json)['names'])
    .map(list)
    .filter((row): row is string[] => row.length === 3 && row.every(field => typeof field === 'string'))
    .map(([name, type, shape]) => ({ name, type, shape }));
}

/** The `@` before the caret; null where none is being written. An address is none. */
export function mention(text: string, caret: number): IMention | null {
  const found = /(^|[^\p{L}\p{N}_@.])@([\p{L}\p{N}_]*)$/u.exec(text.slice(0, caret));
  return found && { start: found.index + found[1].length, query: found[2] };
}

/** The names that a query may mean: those that begin with it, then those that hold it. */
export function matches(names: readonly IName[], query: string, limit = 8): IName[] {
  const wanted = query.toLowerCase();
  const begin = names.filter(({ name }) => name.toLowerCase().startsWith(wanted));
  const hold = names.filter(({ name }) => name.toLowerCase().indexOf(wanted) > 0);
  return [...begin, ...hold].slice(0, limit);
}

/** The text with the mention completed, and the caret behind it. */
export function complete(
  text: string,
  caret: number,
  { start }: IMention,
  name: string
): { text: string; caret: number } {
  const rest = text.slice(caret).replace(/^[\p{L}\p{N}_]+/u, '');
  const inserted = `@${name}${/^\s/.test(rest) ? '' : ' '}`;
  return { text: text.slice(0, start) + inserted + rest, caret: start + inserted.length };
}

/** The names of the notebook that a prompt mentions, each once. */
export function mentioned(text: string, names: readonly IName[]): IName[] {
  const found = new Set(
    [...text.matchAll(/(?:^|[^\p{L}\p{N}_@.])@([\p{L}_][\p{L}\p{N}_]*)/gu)].map(match => match[1])
  );
  return names.filter(({ name }) => found.has(name));
}

/** Walks through earlier prompts, and back to what was being written. */
export class History {
  /** Note a prompt that was sent. */
  add(prompt: string): void {
    this._prompts = [...this._prompts.filter(known => known !== prompt), prompt].slice(-100);
    this.leave();
  }

  /** The prompt before (`-1`) or after (`1`) the one that is shown; null at the end. */
  step(by: -1 | 1, present: string): string | null {
    if (this._at === null) {
      if (by > 0 || !this._prompts.length) {
        return null;
      }
      this._draft = present;
      this._at = this._prompts.length;
    }
    const at = this._at + by;
    if (at < 0) {
      return null;
    }
    if (at >= this._prompts.length) {
      this._at = null;
      return this._draft;
    }
    this._at = at;
    return this._prompts[at];
  }

  /** End the walk: something else was written. */
  leave(): void {
    this._at = null;
  }

  private _prompts: string[] = [];
  private _at: number | null = null;
  private _draft = '';
}
