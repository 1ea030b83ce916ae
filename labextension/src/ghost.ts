/**
 * Ghost text: code of the model's, shown grey at the cursor.
 *
 * Nothing is asked for while it is off. A request goes out when nobody has typed for a moment; it
 * is cancelled when somebody types something else, moves the cursor or leaves the editor. Typing
 * along what is shown asks for nothing. The kernel looks up provider and key in that moment, so that
 * the request goes out at its end.
 */
import { NotebookPanel } from '@jupyterlab/notebook';
import { InlineCompletionTriggerKind } from '@jupyterlab/completer';
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
import { Flight } from './flight';
import { contextOf, isPython } from './prefix';
import { isFull, Recent, shown } from './recent';
import { deepSeekIcon } from './icon';
import type { IContext } from './prefix';
import type { ICommHub } from './tokens';

/** The user's settings. */
export interface IGhostSettings {
  readonly enabled: boolean;
  /** Milliseconds without a key before a request. */
  readonly delay: number;
  readonly maxTokens: number;
  readonly maxLines: number;
  /** Characters of the notebook's code that are sent. */
  readonly contextCharacters: number;
}

export const OFF: IGhostSettings = {
  enabled: false,
  delay: 300,
  maxTokens: 96,
  maxLines: 10,
  contextCharacters: 16_000
};

/** How long nothing is asked for by itself after a failure, in milliseconds. */
const REST = 30_000;

/** How often a kernel is told, at most, to look up provider and key, in milliseconds. */
const SETTLE = 25_000;

/** Characters after the cursor that are sent. */
const SUFFIX = 4_000;

const NOTHING: IInlineCompletionList = { items: [] };

/** Where a ghost text is asked for. */
interface ISpot {
  readonly editor: NonNullable<Cell['editor']>;
  readonly kernel: Kernel.IKernelConnection;
  readonly context: IContext;
  /** The cell's text before the cursor. */
  readonly before: string;
}

/** The provider of ghost text. */
export class GhostText implements IInlineCompletionProvider {
  readonly identifier = 'deepseek-jupyter:ghost-text';
  readonly name = 'DeepSeek';
  readonly icon = deepSeekIcon;

  constructor(private _hub: ICommHub, private _trans: TranslationBundle) {}

  /** The settings; turning it off ends what is on its way. */
  get settings(): IGhostSettings {
    return this._settings;
  }
  set settings(settings: IGhostSettings) {
    this._settings = settings;
    this._asked++;
    this._quietUntil = 0;
    this._recent.clear();
    this._drop();
  }

  async fetch(
    _request: CompletionHandler.IRequest,
    context: IInlineCompletionContext
  ): Promise<IInlineCompletionList> {
    const asked = ++this._asked;
    const wanted = context.triggerKind === InlineCompletionTriggerKind.Invoke;
    const spot = this._settings.enabled ? this._spot(context) : null;
    if (!spot) {
      this._drop();
      return NOTHING;
    }
    const found = this._known(spot.context);
    if (found) {
      return found;
    }
    this._drop();
    if (!wanted) {
      if (Date.now() < this._quietUntil) {
        return NOTHING;
      }
      this._settle(spot.kernel);
      await new Promise(resolve => setTimeout(resolve, this._settings.delay));
    }
    if (asked !== this._asked || !this._isReady(spot.kernel)) {
      return NOTHING;
    }
    return this._ask(spot);
  }

  /** The rest of what `fetch` began. */
  async *stream(token: string): AsyncGenerator<{ response: IInlineCompletionItem }> {
    const flight = this._flight;
    const spot = this._at;
    let seen = 0;
    while (flight?.id === token && spot) {
      await flight.more(seen);
      const typed = this._typed(spot, flight.text);
      if (typed === null || flight !== this._flight) {
        break;
      }
      const { maxLines } = this._settings;
      if (isFull(flight.text, maxLines)) {
        this._recent.add(flight.context, shown(flight.text, maxLines));
        flight.cancel();
      }
      seen = flight.text.length;
      yield { response: { insertText: shown(flight.text, maxLines).slice(typed.length) } };
      if (flight.done) {
        break;
      }
    }
  }

  /** Ask the kernel, and wait for the first piece. */
  private async _ask(spot: ISpot): Promise<IInlineCompletionList> {
    const { maxTokens, maxLines } = this._settings;
    const flight = new Flight(this._hub, spot.kernel, spot.context, maxTokens);
    this._flight = flight;
    this._at = spot;
    this._watch(spot, flight);
    await flight.more(0);
    if (flight.error) {
      this._quietUntil = Date.now() + REST;
      const message = this._trans.__('No ghost text: %1', flight.error);
      return { items: [{ insertText: '', error: { message } }] };
    }
    if (flight !== this._flight) {
      return NOTHING;
    }
    void flight.more(Infinity).then(() => {
      if (flight.whole) {
        this._recent.add(flight.context, shown(flight.text, maxLines));
      }
    });
    return this._offer(flight, '');
  }

  /** An answer that is there, or on its way, already. */
  private _known(context: IContext): IInlineCompletionList | null {
    const found = this._recent.find(context);
    if (found !== null) {
      this._drop();
      return found ? { items: [{ insertText: found }] } : NOTHING;
    }
    const flight = this._flight;
    const typed = context.prefix.slice(flight?.context.prefix.length);
    const along =
      flight &&
      !flight.done &&
      flight.text.startsWith(typed) &&
      context.suffix === flight.context.suffix &&
      context.prefix.startsWith(flight.context.prefix);
    return along ? this._offer(flight, typed) : null;
  }

  private _offer(flight: Flight, typed: string): IInlineCompletionList {
    const text = shown(flight.text, this._settings.maxLines).slice(typed.length);
    if (!text && flight.done) {
      return NOTHING;
    }
    const isIncomplete = !flight.done;
    const token = isIncomplete ? flight.id : undefined;
    return { items: [{ insertText: text, isIncomplete, token }] };
  }

  /** The code around the cursor; null where there shall be no ghost text. */
  private _spot({ widget }: IInlineCompletionContext): ISpot | null {
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

  /** Cancel when the cursor leaves the way of the ghost text. */
  private _watch(spot: ISpot, flight: Flight): void {
    const { editor } = spot;
    const check = () => {
      if (this._typed(spot, flight.text) === null) {
        flight.cancel();
      }
    };
    // After the editor has settled: a key changes the text first and the cursor then.
    const soon = () => void Promise.resolve().then(check);
    const { sharedModel, selections } = editor.model;
    sharedModel.changed.connect(soon);
    selections.changed.connect(soon);
    editor.host.addEventListener('focusout', soon);
    void flight.more(Infinity).then(() => {
      sharedModel.changed.disconnect(soon);
      selections.changed.disconnect(soon);
      editor.host.removeEventListener('focusout', soon);
    });
  }

  /** What was typed of a ghost text since it was asked for; null for anything else. */
  private _typed({ editor, before, context }: ISpot, text: string): string | null {
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
    this._flight?.cancel();
    this._flight = null;
    this._at = null;
  }

  private _settings = OFF;
  private _recent = new Recent();
  private _flight: Flight | null = null;
  private _at: ISpot | null = null;
  private _asked = 0;
  private _quietUntil = 0;
  private _tried = new WeakSet<Kernel.IKernelConnection>();
  private _settled = new WeakMap<Kernel.IKernelConnection, number>();
}
