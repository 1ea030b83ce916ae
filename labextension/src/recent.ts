/** The ghost texts that came last: typing along one, or going back, asks nobody again. Pure. */
import type { IContext } from './prefix';

/** A ghost text and where it belongs. */
interface IEntry extends IContext {
  readonly text: string;
}

/** A small cache; the least recently used entry leaves it. */
export class Recent {
  constructor(private _most = 32) {}

  get size(): number {
    return this._entries.length;
  }

  add(context: IContext, text: string): void {
    this._entries = this._entries.filter(
      entry => entry.prefix !== context.prefix || entry.suffix !== context.suffix
    );
    this._entries.unshift({ ...context, text });
    this._entries.length = Math.min(this._entries.length, this._most);
  }

  /** What is left of a ghost text once the beginning of it was typed; null where none fits. */
  find({ prefix, suffix }: IContext): string | null {
    const index = this._entries.findIndex(
      entry =>
        entry.suffix === suffix &&
        prefix.startsWith(entry.prefix) &&
        entry.text.startsWith(prefix.slice(entry.prefix.length)) &&
        // One that was taken whole says nothing of what comes next.
        (prefix === entry.prefix || prefix.length < entry.prefix.length + entry.text.length)
    );
    if (index < 0) {
      return null;
    }
    const [entry] = this._entries.splice(index, 1);
    this._entries.unshift(entry);
    return entry.text.slice(prefix.length - entry.prefix.length);
  }

  clear(): void {
    this._entries = [];
  }

  private _entries: IEntry[] = [];
}

/** A ghost text as it is shown: without blanks at its end, and cut to so many lines (0: all). */
export function shown(text: string, lines: number): string {
  const kept = lines > 0 ? text.split('\n').slice(0, lines + leading(text)).join('\n') : text;
  return kept.trimEnd();
}

/** Whether no more text can be shown: the server may stop. */
export function isFull(text: string, lines: number): boolean {
  return lines > 0 && text.split('\n').length > lines + leading(text);
}

/** Line ends at the beginning, which are no lines of the suggestion. */
function leading(text: string): number {
  return /^\s*\n/.test(text) ? /^\s*\n/.exec(text)![0].split('\n').length - 1 : 0;
}
