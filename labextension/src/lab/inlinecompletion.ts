/**
 * Inline completion: the model's code, shown grey at the cursor. Its setting is called ghost text.
 *
 * Nothing is asked for while it is off. A request goes out after a moment without a key; it is
 * cancelled when the user types something else, moves the cursor or leaves the editor. Typing what is
 * shown asks for nothing. The kernel looks up provider and key during that moment, so that the
 * request can go out at its end.
 *
 * The provider's cache bills a prefix that it has seen at a fraction of the price, so the beginning
 * of the code that is sent must stay the same, byte for byte, while the user types. It is therefore cut
 * where whole cells end, and in leaps of half the budget: it moves once for many edits, not at each.
 */
import { InlineCompletionTriggerKind } from '@jupyterlab/completer';
import { NotebookPanel } from '@jupyterlab/notebook';
import { UUID } from '@lumino/coreutils';
import type { Cell } from '@jupyterlab/cells';
import type {
  CompletionHandler,
  IInlineCompletionContext,
  IInlineCompletionItem,
  IInlineCompletionList,
  IInlineCompletionProvider
} from '@jupyterlab/completer';
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { deepSeekIcon } from './commands';
import type { ICommHub, ICommMessage } from '../tokens';

/** What is sent. */
export interface IContext {
  readonly prefix: string;
  readonly suffix: string;
}

/** How much is sent, in characters. */
export interface IBudget {
  readonly prefix: number;
  readonly suffix: number;
}

const BETWEEN = '\n\n';

/** Cell magics under which there is plain Python. */
const TRANSPARENT = /^%%(?:time|timeit|capture|prun|memit|mprun)\b[^\n]*\n?/;

/** The Python of a cell; empty where it is something else: a prompt, a shell script, a page. */
export function pythonOf(source: string): string {
  const text = source.replace(/^\s*\n/, '');
  if (!text.startsWith('%%')) {
    return source.trimEnd();
  }
  return TRANSPARENT.test(text) ? text.replace(TRANSPARENT, '').trimEnd() : '';
}

/** Whether a cell is Python, which can be completed. */
export function isPython(source: string): boolean {
  const text = source.trimStart();
  return !text.startsWith('%%') || TRANSPARENT.test(text);
}

/** The code before and after the cursor; `earlier` are the code cells above, the topmost first. */
export function contextOf(
  earlier: readonly string[],
  source: string,
  cursor: number,
  budget: IBudget
): IContext {
  const cells = earlier.map(pythonOf).filter(Boolean);
  const own = source.slice(0, cursor);
  const kept = cells.slice(dropped(cells, budget.prefix));
  const prefix = [...kept, own].join(BETWEEN);
  return {
    prefix: prefix.length > 2 * budget.prefix ? fromLine(prefix, budget.prefix) : prefix,
    suffix: source.slice(cursor, cursor + budget.suffix)
  };
}

/**
 * How many of the topmost cells are left out.
 *
 * The cell with the cursor counts for nothing here: typing in it moves no other cell.
 */
export function dropped(cells: readonly string[], budget: number): number {
  const leap = Math.max(1, Math.floor(budget / 2));
  const size = cells.reduce((sum, cell) => sum + cell.length + BETWEEN.length, 0);
  let rest = Math.max(0, Math.ceil((size - budget) / leap)) * leap;
  let count = 0;
  while (rest > 0 && count < cells.length) {
    rest -= cells[count++].length + BETWEEN.length;
  }
  return count;
}

/** The end of a text that alone exceeds the budget, from the beginning of a line. */
function fromLine(text: string, length: number): string {
  const end = text.slice(-length);
  return end.slice(end.indexOf('\n') + 1);
}

/** A completion and the code around it. */
interface IEntry extends IContext {
  readonly text: string;
}

/** The latest completions, so that typing one, or going back, needs no request; the least recently used is dropped. */
export class CompletionCache {
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

  /** The rest of a completion whose beginning was typed; null where none fits. */
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

/** A completion as it is shown: without blanks at its end, and cut to so many lines (0: all). */
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

/** The user's settings. */
export interface IInlineCompletionSettings {
  readonly enabled: boolean;
  /** Milliseconds without a key before a request. */
  readonly delay: number;
  readonly maxTokens: number;
  readonly maxLines: number;
  /** Characters of the notebook's code that are sent. */
  readonly contextCharacters: number;
}

export const OFF: IInlineCompletionSettings = {
  enabled: false,
  delay: 300,
  maxTokens: 96,
  maxLines: 10,
  contextCharacters: 16_000
};

/** How long no request is made by itself after a failure, in milliseconds. */
const REST = 30_000;

/** The shortest time between two requests to look up provider and key, in milliseconds. */
const SETTLE = 25_000;

/** Characters after the cursor that are sent. */
const SUFFIX = 4_000;

const NOTHING: IInlineCompletionList = { items: [] };

/** Where a completion is asked for. */
interface IPosition {
  readonly editor: NonNullable<Cell['editor']>;
  readonly kernel: Kernel.IKernelConnection;
  readonly context: IContext;
  /** The cell's text before the cursor. */
  readonly before: string;
}

/** Offers the model's completions to JupyterLab. */
export class InlineCompletionProvider implements IInlineCompletionProvider {
  readonly identifier = 'deepseek-jupyter:ghost-text';
  readonly name = 'DeepSeek';
  readonly icon = deepSeekIcon;

  constructor(private _hub: ICommHub, private _trans: TranslationBundle) {}

  /** The settings; turning it off ends what is on its way. */
  get settings(): IInlineCompletionSettings {
    return this._settings;
  }
  set settings(settings: IInlineCompletionSettings) {
    this._settings = settings;
    this._asked++;
    this._quietUntil = 0;
    this._cache.clear();
    this._drop();
  }

  async fetch(
    _request: CompletionHandler.IRequest,
    context: IInlineCompletionContext
  ): Promise<IInlineCompletionList> {
    const asked = ++this._asked;
    const wanted = context.triggerKind === InlineCompletionTriggerKind.Invoke;
    const position = this._settings.enabled ? this._positionOf(context) : null;
    if (!position) {
      this._drop();
      return NOTHING;
    }
    const found = this._known(position.context);
    if (found) {
      return found;
    }
    this._drop();
    if (!wanted) {
      if (Date.now() < this._quietUntil) {
        return NOTHING;
      }
      this._settle(position.kernel);
      await new Promise(resolve => setTimeout(resolve, this._settings.delay));
    }
    if (asked !== this._asked || !this._isReady(position.kernel)) {
      return NOTHING;
    }
    return this._ask(position);
  }

  /** The rest of the text that `fetch` returned the beginning of. */
  async *stream(token: string): AsyncGenerator<{ response: IInlineCompletionItem }> {
    const request = this._running;
    const position = this._runningAt;
    let seen = 0;
    while (request?.id === token && position) {
      await request.more(seen);
      const typed = this._typed(position, request.text);
      if (typed === null || request !== this._running) {
        break;
      }
      const { maxLines } = this._settings;
      if (isFull(request.text, maxLines)) {
        this._cache.add(request.context, shown(request.text, maxLines));
        request.cancel();
      }
      seen = request.text.length;
      yield { response: { insertText: shown(request.text, maxLines).slice(typed.length) } };
      if (request.done) {
        break;
      }
    }
  }

  /** Ask the kernel, and wait for the first piece. */
  private async _ask(position: IPosition): Promise<IInlineCompletionList> {
    const { maxTokens, maxLines } = this._settings;
    const request = new CompletionRequest(this._hub, position.kernel, position.context, maxTokens);
    this._running = request;
    this._runningAt = position;
    this._watch(position, request);
    await request.more(0);
    if (request.error) {
      this._quietUntil = Date.now() + REST;
      const message = this._trans.__('No ghost text: %1', request.error);
      return { items: [{ insertText: '', error: { message } }] };
    }
    if (request !== this._running) {
      return NOTHING;
    }
    void request.more(Infinity).then(() => {
      if (request.whole) {
        this._cache.add(request.context, shown(request.text, maxLines));
      }
    });
    return this._offer(request, '');
  }

  /** A completion that is known, or being received, already. */
  private _known(context: IContext): IInlineCompletionList | null {
    const found = this._cache.find(context);
    if (found !== null) {
      this._drop();
      return found ? { items: [{ insertText: found }] } : NOTHING;
    }
    const request = this._running;
    const typed = context.prefix.slice(request?.context.prefix.length);
    const along =
      request &&
      !request.done &&
      request.text.startsWith(typed) &&
      context.suffix === request.context.suffix &&
      context.prefix.startsWith(request.context.prefix);
    return along ? this._offer(request, typed) : null;
  }

  private _offer(request: CompletionRequest, typed: string): IInlineCompletionList {
    const text = shown(request.text, this._settings.maxLines).slice(typed.length);
    if (!text && request.done) {
      return NOTHING;
    }
    const isIncomplete = !request.done;
    const token = isIncomplete ? request.id : undefined;
    return { items: [{ insertText: text, isIncomplete, token }] };
  }

  /** The code around the cursor; null where nothing is completed. */
  private _positionOf({ widget }: IInlineCompletionContext): IPosition | null {
    const cell = widget instanceof NotebookPanel ? widget.content.activeCell : null;
    const kernel = widget instanceof NotebookPanel && widget.sessionContext.session?.kernel;
    const editor = cell?.editor;
    if (!editor || !kernel || cell.model.type !== 'code') {
      return null;
    }
    const source = cell.model.sharedModel.source;
    if (!isPython(source)) {
      return null;
    }
    const notebook = widget.content as NotebookPanel['content'];
    const earlier = notebook.widgets
      .slice(0, notebook.activeCellIndex)
      .filter(item => item.model.type === 'code')
      .map(item => item.model.sharedModel.source);
    const cursor = editor.getOffsetAt(editor.getCursorPosition());
    const budget = { prefix: this._settings.contextCharacters, suffix: SUFFIX };
    const context = contextOf(earlier, source, cursor, budget);
    return { editor, kernel, context, before: source.slice(0, cursor) };
  }

  /**
   * Whether a kernel can be asked now.
   *
   * #### Notes
   * One that was never seen with the extension is tried once: it may load it at its start. Without
   * subshells a busy kernel would read the request when it is of no use any more.
   */
  private _isReady(kernel: Kernel.IKernelConnection): boolean {
    if (kernel.status === 'busy' && !kernel.supportsSubshells) {
      return false;
    }
    if (this._hub.isConnected(kernel)) {
      return true;
    }
    const tried = this._tried.has(kernel);
    this._tried.add(kernel);
    return !tried;
  }

  /** Let a kernel look up what the request will need. */
  private _settle(kernel: Kernel.IKernelConnection): void {
    const deaf = kernel.status === 'busy' && !kernel.supportsSubshells;
    const last = this._settled.get(kernel) ?? -Infinity;
    if (!deaf && this._hub.isConnected(kernel) && Date.now() - last > SETTLE) {
      this._settled.set(kernel, Date.now());
      this._hub.request(kernel, 'settle').catch(() => undefined);
    }
  }

  /** Cancel when the cursor leaves the text of the completion. */
  private _watch(position: IPosition, request: CompletionRequest): void {
    const { editor } = position;
    const check = () => {
      if (this._typed(position, request.text) === null) {
        request.cancel();
      }
    };
    // After the editor has settled: a key changes the text first and the cursor then.
    const soon = () => void Promise.resolve().then(check);
    const { sharedModel, selections } = editor.model;
    sharedModel.changed.connect(soon);
    selections.changed.connect(soon);
    editor.host.addEventListener('focusout', soon);
    void request.more(Infinity).then(() => {
      sharedModel.changed.disconnect(soon);
      selections.changed.disconnect(soon);
      editor.host.removeEventListener('focusout', soon);
    });
  }

  /** How much of a completion was typed since it was asked for; null where something else was. */
  private _typed({ editor, before, context }: IPosition, text: string): string | null {
    if (editor.isDisposed || !editor.hasFocus()) {
      return null;
    }
    const source = editor.model.sharedModel.getSource();
    const cursor = editor.getOffsetAt(editor.getCursorPosition());
    const typed = source.slice(before.length, cursor);
    const along = source.startsWith(before) && cursor >= before.length && text.startsWith(typed);
    return along && source.slice(cursor, cursor + SUFFIX) === context.suffix ? typed : null;
  }

  private _drop(): void {
    this._running?.cancel();
    this._running = null;
    this._runningAt = null;
  }

  private _settings = OFF;
  private _cache = new CompletionCache();
  private _running: CompletionRequest | null = null;
  private _runningAt: IPosition | null = null;
  private _asked = 0;
  private _quietUntil = 0;
  private _tried = new WeakSet<Kernel.IKernelConnection>();
  private _settled = new WeakMap<Kernel.IKernelConnection, number>();
}

/** A message of the kernel about a completion. */
interface ICompletionMessage {
  readonly type: 'ghost';
  readonly id: string;
  readonly text?: string;
  readonly done?: boolean;
  readonly error?: { readonly message: string; readonly hint: string };
}

/** A completion that was asked for: its text so far. */
export class CompletionRequest {
  readonly id = UUID.uuid4();

  /** Ask for it. */
  constructor(
    private _hub: ICommHub,
    readonly kernel: Kernel.IKernelConnection,
    readonly context: IContext,
    maxTokens: number
  ) {
    _hub.messageReceived.connect(this._onMessage, this);
    kernel.disposed.connect(this._end, this);
    _hub
      .request(kernel, 'complete', { ...context, id: this.id, max_tokens: maxTokens })
      .catch((error: Error) => this._fail(error.message));
  }

  /** The text so far. */
  text = '';

  /** Whether the text is all there will be. */
  done = false;

  /** Why it failed; empty where it did not. */
  error = '';

  /** Whether the text is complete. */
  get whole(): boolean {
    return this.done && !this.error && !this._cancelled;
  }

  /** Resolve when there is more than so many characters, or nothing more will come. */
  async more(than: number): Promise<void> {
    while (!this.done && this.text.length <= than) {
      await new Promise<void>(resolve => this._waiting.push(resolve));
    }
  }

  /** End it: the kernel closes the connection, so that the server stops writing. */
  cancel(): void {
    if (!this.done) {
      this._cancelled = true;
      this._hub.request(this.kernel, 'cancel', { id: this.id }).catch(() => undefined);
      this._end();
    }
  }

  private _onMessage(_: ICommHub, { kernel, message }: ICommMessage): void {
    const part = message as ICompletionMessage | null;
    if (kernel !== this.kernel || part?.type !== 'ghost' || part.id !== this.id || this.done) {
      return;
    }
    this.text += String(part.text ?? '');
    if (part.error) {
      this._fail([part.error.message, part.error.hint].filter(Boolean).join(' '));
    } else if (part.done) {
      this._end();
    }
    this._wake();
  }

  private _fail(why: string): void {
    this.error ||= why || 'failed';
    this._end();
  }

  private _end(): void {
    this.done = true;
    this._hub.messageReceived.disconnect(this._onMessage, this);
    this.kernel.disposed.disconnect(this._end, this);
    this._wake();
  }

  private _wake(): void {
    this._waiting.splice(0).forEach(resolve => resolve());
  }

  private _cancelled = false;
  private _waiting: (() => void)[] = [];
}
