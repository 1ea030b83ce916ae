/**
 * Where a question is written.
 *
 * Enter sends, Shift+Enter begins a line; Enter that ends an input method's composition does
 * neither. Arrow up at the beginning brings back what was asked before. `@` completes names. What reads
 * and completes a prompt is pure.
 */
import { moveUpIcon, stopIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { button, focused, make, say, textButton } from '../card/dom';
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

/** The tallest the field grows, in pixels. */
const TALLEST = 240;

/** What the composer does. */
export interface IComposerActions {
  send(prompt: string): void;
  stop(): void;
  cancel(): void;
  /** The notebook's names, asked for when an `@` is begun. */
  names(): Promise<readonly IName[]>;
  /** The prompt, or the names in it, changed. */
  changed(prompt: string, mentioned: readonly IName[]): void;
}

let composers = 0;

/** The field, its list of names and its button. */
export class Composer {
  readonly node = make('form', 'panel-composer');
  readonly field = make('textarea', 'panel-field');

  /** @param tools - What stands beside the button. */
  constructor(
    private _actions: IComposerActions,
    trans: TranslationBundle,
    ...tools: HTMLElement[]
  ) {
    const { field } = this;
    field.rows = 2;
    field.placeholder = trans.__('Ask; @ attaches a variable');
    field.setAttribute('aria-label', trans.__('Question'));
    this._list.id = `jp-DeepSeek-names-${++composers}`;
    this._list.setAttribute('role', 'listbox');
    this._list.setAttribute('aria-label', trans.__('Variables of the notebook'));
    field.setAttribute('aria-controls', this._list.id);
    field.setAttribute('aria-autocomplete', 'list');
    field.addEventListener('input', () => this._changed());
    field.addEventListener('keydown', event => this._key(event));
    field.addEventListener('blur', () => this._close());
    this._send = button(moveUpIcon, trans.__('Send'), () => this.send());
    this._send.classList.add('jp-DeepSeek-panel-send');
    this._stop = button(stopIcon, trans.__('Stop'), () => _actions.stop());
    this._stop.classList.add('jp-DeepSeek-panel-send');
    this._stop.hidden = true;
    const row = make('div', 'panel-row');
    row.append(...tools, this._send, this._stop);
    this._cancel = textButton('panel-textbutton', trans.__('Cancel'), () => _actions.cancel());
    this._banner.append(this._note, this._cancel);
    this._banner.hidden = true;
    this._list.hidden = true;
    this.node.append(this._banner, this._list, field, row);
    this.node.addEventListener('submit', event => {
      event.preventDefault();
      this.send();
    });
  }

  get text(): string {
    return this.field.value;
  }

  set text(value: string) {
    this.field.value = value;
    this._changed();
  }

  /** Whether a turn runs that can be stopped. */
  set running(running: boolean) {
    const held = focused(this.node);
    this._stop.hidden = !running;
    this._send.hidden = running;
    if (held && (held === this._stop || held === this._send)) {
      this.field.focus(); // the one that had it is gone
    }
  }

  /** Whether questions can be asked. */
  set enabled(enabled: boolean) {
    this.field.disabled = !enabled;
    this._send.disabled = !enabled;
  }

  /** A line over the field that says what sending will do; empty for none. */
  set note(note: string) {
    say(this._note, note);
    this._banner.hidden = !note;
  }

  /** Send what is written, if anything is. */
  send(): void {
    const prompt = this.text;
    if (!prompt.trim() || this._send.disabled) {
      return;
    }
    this._history.add(prompt);
    this._actions.send(prompt); // before the field is emptied: its chips go with their policies
    this.text = '';
  }

  private _key(event: KeyboardEvent): void {
    if (event.isComposing || event.keyCode === 229) {
      return; // the input method's own key
    }
    if (!this._list.hidden && this._keyInList(event)) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    const { field } = this;
    const plain = !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey;
    if (event.key === 'Enter' && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === 'Escape') {
      this._actions.cancel();
    } else if (event.key === 'ArrowUp' && plain && field.selectionEnd === 0) {
      this._walk(-1, event);
    } else if (event.key === 'ArrowDown' && plain && field.selectionStart === this.text.length) {
      this._walk(1, event);
    }
    event.stopPropagation(); // none of Lab's shortcuts is meant here
  }

  private _walk(by: -1 | 1, event: Event): void {
    const prompt = this._history.step(by, this.text);
    if (prompt !== null) {
      event.preventDefault();
      this.field.value = prompt;
      const caret = by < 0 ? 0 : prompt.length;
      this.field.setSelectionRange(caret, caret);
      this._grow();
    }
  }

  private _keyInList(event: KeyboardEvent): boolean {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const { length } = this._found;
      this._choose((this._chosen + step + length) % length);
      return true;
    }
    const name = this._found[this._chosen]?.name;
    if (event.key === 'Enter' && name === this._mention?.query) {
      this._close(); // written out: the key is meant for the question
      return false;
    }
    if (event.key === 'Enter' || event.key === 'Tab') {
      this._take(this._found[this._chosen]);
      return true;
    }
    if (event.key === 'Escape') {
      this._close();
      return true;
    }
    return false;
  }

  private _changed(): void {
    this._history.leave();
    this._grow();
    const { field } = this;
    this._mention = focused(field) === field ? mention(this.text, field.selectionEnd) : null;
    if (!this._mention) {
      this._close();
    }
    if (this._list.hidden && this.text.includes('@')) {
      void this._actions.names().then(names => {
        this._names = names;
        this._suggest();
        this._report();
      });
    }
    this._suggest();
    this._report();
  }

  private _report(): void {
    this._actions.changed(this.text, mentioned(this.text, this._names));
  }

  private _suggest(): void {
    this._found = this._mention ? matches(this._names, this._mention.query) : [];
    if (!this._found.length) {
      this._close();
      return;
    }
    this._list.replaceChildren(
      ...this._found.map((name, index) => {
        const option = make('div', 'panel-name');
        option.id = `${this._list.id}-${index}`;
        option.setAttribute('role', 'option');
        option.append(
          make('span', 'panel-name-name', name.name),
          make('span', 'panel-name-type', [name.type, name.shape].filter(Boolean).join(' '))
        );
        option.addEventListener('pointerdown', event => {
          event.preventDefault(); // the field keeps the focus
          this._take(name);
        });
        return option;
      })
    );
    this._list.hidden = false;
    this._choose(0);
  }

  private _choose(index: number): void {
    this._chosen = index;
    [...this._list.children].forEach((option, at) => {
      option.setAttribute('aria-selected', String(at === index));
    });
    this.field.setAttribute('aria-activedescendant', `${this._list.id}-${index}`);
  }

  private _take({ name }: IName): void {
    if (this._mention) {
      const { field } = this;
      const done = complete(this.text, field.selectionEnd, this._mention, name);
      field.value = done.text;
      field.setSelectionRange(done.caret, done.caret);
      this._close();
      this._changed();
    }
  }

  private _close(): void {
    this._list.hidden = true;
    this.field.removeAttribute('aria-activedescendant');
  }

  private _grow(): void {
    const { field } = this;
    field.style.height = 'auto';
    field.style.height = `${Math.min(field.scrollHeight + 2, TALLEST)}px`;
  }

  private _send: HTMLButtonElement;
  private _stop: HTMLButtonElement;
  private _banner = make('div', 'panel-banner');
  private _note = make('span', 'panel-note');
  private _cancel: HTMLButtonElement;
  private _list = make('div', 'panel-names');
  private _history = new History();
  private _names: readonly IName[] = [];
  private _found: readonly IName[] = [];
  private _chosen = 0;
  private _mention: IMention | null = null;
}
