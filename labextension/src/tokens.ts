import { Token } from '@lumino/coreutils';
import type { JSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import type { Kernel } from '@jupyterlab/services';
import type { ISeam } from './kernel/record';
import type { TurnMessage } from './kernel/requests';
import type { ITranscript } from './kernel/transcript';

/** A kernel's message about anything but the text of a turn; its receivers check what it holds. */
export interface ICommMessage {
  readonly kernel: Kernel.IKernelConnection;
  readonly message: unknown;
}

/** The messages between the page and its kernels. */
export interface ICommHub {
  /** A signal emitted when text or status of a turn arrived; its argument is all that is known of it. */
  readonly transcriptChanged: ISignal<ICommHub, ITranscript>;

  /** A signal emitted with every other message of a kernel. */
  readonly messageReceived: ISignal<ICommHub, ICommMessage>;

  /** A signal emitted when the comms with a kernel were opened or closed. */
  readonly connectionChanged: ISignal<ICommHub, Kernel.IKernelConnection>;

  /** Whether the comms with a kernel are open, or about to be. */
  isConnected(kernel: Kernel.IKernelConnection): boolean;

  /**
   * Send a request to a kernel, opening the comms before if need be.
   *
   * @returns The result, or a `RequestError`; an error also where the kernel goes away meanwhile.
   */
  request(kernel: Kernel.IKernelConnection, type: string, body?: JSONObject): Promise<JSONObject>;

  /** What is known of a turn so far. */
  transcript(id: string): ITranscript | null;

  /** The id of a kernel's running turn; empty for none. */
  runningTurn(kernel: Kernel.IKernelConnection): string;

  /**
   * Open the two comms with a kernel, unless they are open.
   *
   * #### Notes
   * Cheap to call often. A kernel that does not know the comms is asked again only when it is
   * called after a while, or when the caller is `sure` that it knows them by now.
   */
  connect(kernel: Kernel.IKernelConnection, sure?: boolean): void;

  /** Say something of a turn that has no answer; false if no comm is open. */
  tell(kernel: Kernel.IKernelConnection, message: TurnMessage): boolean;

  /** Whether a kernel said of the turn with this id that it came with the notebook's file. */
  isForeign(id: string, kernel: Kernel.IKernelConnection): boolean;

  /** The turns that a kernel said are out of sight after the turn with this id. */
  seamAt(id: string, kernel: Kernel.IKernelConnection): ISeam | null;

  /** Tell a kernel, or all of them, that this page is closing and will not answer any more. */
  leave(kernel?: Kernel.IKernelConnection | null): void;

  /** Forget a turn whose record is complete. */
  forget(id: string): void;
}

/** The token of the comms. */
export const ICommHub = new Token<ICommHub>(
  'deepseek-jupyter:ICommHub',
  'The messages between the page and its kernels.'
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
