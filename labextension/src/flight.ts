/** One ghost text on its way: what has come of it, and who waits for more. */
import { UUID } from '@lumino/coreutils';
import type { Kernel } from '@jupyterlab/services';
import type { IContext } from './prefix';
import type { ICommHub, ITold } from './tokens';

/** A message of the kernel about a ghost text. */
interface IGhostMessage {
  readonly type: 'ghost';
  readonly id: string;
  readonly text?: string;
  readonly done?: boolean;
  readonly error?: { readonly message: string; readonly hint: string };
}

/** A ghost text that was asked for. */
export class Flight {
  readonly id = UUID.uuid4();

  /** Ask for it. */
  constructor(
    private _hub: ICommHub,
    readonly kernel: Kernel.IKernelConnection,
    readonly context: IContext,
    maxTokens: number
  ) {
    _hub.told.connect(this._onTold, this);
    kernel.disposed.connect(this._end, this);
    _hub
      .request(kernel, 'complete', { ...context, id: this.id, max_tokens: maxTokens })
      .catch((error: Error) => this._fail(error.message));
  }

  /** What has come so far. */
  text = '';

  /** Whether nothing more will come. */
  done = false;

  /** Why it failed; empty where it did not. */
  error = '';

  /** Whether it came whole. */
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

  private _onTold(_: ICommHub, { kernel, message }: ITold): void {
    const told = message as IGhostMessage | null;
    if (kernel !== this.kernel || told?.type !== 'ghost' || told.id !== this.id || this.done) {
      return;
    }
    this.text += String(told.text ?? '');
    if (told.error) {
      this._fail([told.error.message, told.error.hint].filter(Boolean).join(' '));
    } else if (told.done) {
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
    this._hub.told.disconnect(this._onTold, this);
    this.kernel.disposed.disconnect(this._end, this);
    this._wake();
  }

  private _wake(): void {
    this._waiting.splice(0).forEach(resolve => resolve());
  }

  private _cancelled = false;
  private _waiting: (() => void)[] = [];
}
