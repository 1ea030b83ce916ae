import { Token } from '@lumino/coreutils';
import type { JSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import type { Kernel } from '@jupyterlab/services';
import type { ITranscript } from './transcript';

/** A message of a kernel that is not about the text of a turn. Whoever reads it checks it. */
export interface ITold {
  readonly kernel: Kernel.IKernelConnection;
  readonly message: unknown;
}

/** What the page and its kernels say to each other about turns. */
export interface ICommHub {
  /** A signal emitted when more was heard of a turn. */
  readonly heard: ISignal<ICommHub, ITranscript>;

  /** A signal emitted when a kernel said something else. */
  readonly told: ISignal<ICommHub, ITold>;

  /** A signal emitted when the comms with a kernel were opened or closed. */
  readonly connected: ISignal<ICommHub, Kernel.IKernelConnection>;

  /** Whether the comms with a kernel are open, or about to be. */
  isConnected(kernel: Kernel.IKernelConnection): boolean;

  /**
   * Send a request to a kernel, opening the comms before if need be.
   *
   * @returns The result, or a `RequestError`; an error also where the kernel goes away meanwhile.
   */
  request(kernel: Kernel.IKernelConnection, type: string, body?: JSONObject): Promise<JSONObject>;

  /** What was heard of a turn so far. */
  transcript(id: string): ITranscript | null;

  /** The turn of a kernel that was heard of last, if it runs; '' for none. */
  running(kernel: Kernel.IKernelConnection): string;

  /**
   * Open the two comms with a kernel, unless they are open.
   *
   * #### Notes
   * Cheap to call often. A kernel that does not know the comms is asked again only when it is
   * called after a while, or by somebody who is `sure` that it does know them by now.
   */
  connect(kernel: Kernel.IKernelConnection, sure?: boolean): void;

  /** Ask for all of a turn that runs; false if no comm is open. */
  resync(id: string, kernel: Kernel.IKernelConnection): boolean;

  /** Ask to stop a turn; false if no comm is open. */
  stop(id: string, kernel: Kernel.IKernelConnection): boolean;

  /** Say whether a call that waits for the user may run; false if no comm is open. */
  decide(
    id: string,
    call: string,
    word: 'approve' | 'deny' | 'always',
    kernel: Kernel.IKernelConnection
  ): boolean;

  /** Tell a kernel, or all of them, that nobody will answer from this page any more. */
  leave(kernel?: Kernel.IKernelConnection | null): void;

  /** Forget a turn whose record is complete. */
  forget(id: string): void;
}

/** The token of the comms. */
export const ICommHub = new Token<ICommHub>(
  'deepseek-jupyter:ICommHub',
  'What the page and its kernels say to each other about turns.'
);

/** The panel in the side bar. */
export interface ISidePanel {
  /** Show the panel, with the caret in its composer. */
  open(): void;

  /** Show the panel and write something into its composer, behind what is there. */
  write(text: string): Promise<void>;
}

/** The token of the panel in the side bar. */
export const ISidePanel = new Token<ISidePanel>(
  'deepseek-jupyter:ISidePanel',
  'The panel in the side bar.'
);
