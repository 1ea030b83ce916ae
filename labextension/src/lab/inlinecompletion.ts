/**
 * Inline completion: the model's code, shown grey at the cursor. Its setting is called ghost text.
 *
 * Nothing is asked for while it is off. A request goes out after a moment without a key; it is
 * cancelled when the user types something else, moves the cursor or leaves the editor. Typing what is
 * shown asks for nothing. The kernel looks up provider and key during that moment, so that the
 * request can go out at its end.
 */
import { NotebookPanel } from '@jupyterlab/notebook';
import { InlineCompletionTriggerKind } from '@jupyterlab/completer';
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
import { CompletionCache, contextOf, isFull, isPython, shown } from './completioncontext';
import { deepSeekIcon } from './icon';
import type { ICommHub, ICommMessage } from '../tokens';
import type { IContext } from './completioncontext';

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
