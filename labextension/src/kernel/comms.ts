/**
 * The comms between the page and its kernels.
 *
 * A kernel has two: `deepseek.data` brings deltas, `deepseek.control` takes requests. They are two
 * because a comm on which a running cell publishes is deaf until the cell ends on ipykernel 7.4. Both
 * may be missing (an old kernel, no extension loaded): the card then lives on display updates and
 * stops by interrupt. The counterpart is `deepseek_jupyter/display/`.
 */
import { Signal } from '@lumino/signaling';
import { UUID } from '@lumino/coreutils';
import { KernelMessage } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import type { JSONObject } from '@lumino/coreutils';
import type { Kernel } from '@jupyterlab/services';
import { list, object, text } from './json';
import { isRunning, readSeam } from './record';
import { readAnswer } from './requests';
import { Transcripts } from './transcript';
import type { ICommHub, ICommMessage } from '../tokens';
import type { ISeam } from './record';
import type { TurnMessage } from './requests';
import type { ISource, ITranscript } from './transcript';

const DATA = 'deepseek.data';
const CONTROL = 'deepseek.control';

/** How long a kernel that refused the comms is not asked again, in milliseconds. */
const REFUSED = 1000;

/** How long Lab may take to learn whether the kernel has subshells, in milliseconds. */
const INFO = 500;

/** How long the kernel may take to open the comms before messages are sent on them, in milliseconds. */
const OPENING = 500;

/** The feature of a kernel that has subshells. */
const FEATURE = 'kernel subshells';

/** Keeps the comms of every kernel, and what is known of each turn. */
export class CommHub implements ICommHub {
  /**
   * `updates`: whether updates of an output reach the notebook; `language`: the page's, empty for none.
   * The kernel is sent both.
   */
  constructor(private _updates = true, private _language = '') {}

  get transcriptChanged(): ISignal<ICommHub, ITranscript> {
    return this._transcriptChanged;
  }

  get messageReceived(): ISignal<ICommHub, ICommMessage> {
    return this._messageReceived;
  }

  get connectionChanged(): ISignal<ICommHub, Kernel.IKernelConnection> {
    return this._connectionChanged;
  }

  /** The ids of the kernels whose comms are open. */
  get kernels(): string[] {
    return [...this._links].flatMap(([kernel, link]) => (link.isOpen ? [kernel.id] : []));
  }

  isConnected(kernel: Kernel.IKernelConnection): boolean {
    return this._links.get(kernel)?.isOpen ?? false;
  }

  request(kernel: Kernel.IKernelConnection, type: string, body: JSONObject = {}): Promise<JSONObject> {
    this.connect(kernel);
    return this._links.get(kernel)!.request(type, body);
  }

  transcript(id: string): ITranscript | null {
    return this._transcripts.get(id);
  }

  runningTurn(kernel: Kernel.IKernelConnection): string {
    const id = this._links.get(kernel)?.latest ?? '';
    return isRunning(this._transcripts.get(id)?.status ?? 'done') ? id : '';
  }

  connect(kernel: Kernel.IKernelConnection, sure = false): void {
    let link = this._links.get(kernel);
    if (!link) {
      link = new KernelComms(
        kernel,
        (json, from) => this._receive(json, from),
        () => this._connectionChanged.emit(kernel),
        this._updates,
        this._language
      );
      this._links.set(kernel, link);
      kernel.disposed.connect(() => {
        link?.dispose();
        this._links.delete(kernel);
      });
    }
    link.open(sure);
  }

  tell(kernel: Kernel.IKernelConnection, message: TurnMessage): boolean {
    return this._links.get(kernel)?.send(message) ?? false;
  }

  isForeign(id: string, kernel: Kernel.IKernelConnection): boolean {
    return this._links.get(kernel)?.foreign.has(id) ?? false;
  }

  seamAt(id: string, kernel: Kernel.IKernelConnection): ISeam | null {
    return this._links.get(kernel)?.seams.get(id) ?? null;
  }

  leave(kernel: Kernel.IKernelConnection | null = null): void {
    this._links.forEach((link, other) => (kernel ?? other) === other && link.leave());
  }

  forget(id: string): void {
    this._transcripts.forget(id);
  }

  private _receive(json: unknown, link: KernelComms): void {
    const { type, id, alone } = object(json);
    type === 'final' && link.send({ type: 'heard', id: text(id) });
    const over = type === 'final' && !this._transcripts.get(text(id)); // its record is in the output
    const transcript = over ? null : this._transcripts.receive(json, link);
    if (transcript) {
      link.latest = transcript.id;
      this._transcriptChanged.emit(transcript);
    }
    if (!transcript || type === 'final' || alone === true) {
      if (type === 'foreign') {
        link.foreign = new Set(list(object(json)['ids']).map(text));
      }
      if (object(json)['type'] === 'seams') {
        const rows = Object.entries(object(object(json)['seams']));
        link.seams = new Map(rows.map(([id, row]) => [id, readSeam(row)]));
      }
      this._messageReceived.emit({ kernel: link.kernel, message: json });
    }
  }

  private _transcriptChanged = new Signal<ICommHub, ITranscript>(this);
  private _messageReceived = new Signal<ICommHub, ICommMessage>(this);
  private _connectionChanged = new Signal<ICommHub, Kernel.IKernelConnection>(this);
  private _links = new Map<Kernel.IKernelConnection, KernelComms>();
  private _transcripts = new Transcripts();
}

/** A request that waits for its answer. */
interface IPending {
  resolve(result: JSONObject): void;
  reject(error: Error): void;
}

/** A comm of Lab 4.4 and later, which may have a subshell of its own. */
interface ISubshellComm extends Kernel.IComm {
  readonly subshellStarted?: Promise<void>;
}

/** The comms with one kernel. */
export class KernelComms implements ISource {
  /** The id of the turn that the kernel spoke of last. */
  latest = '';

  /** The ids of the turns that came with the notebook's file. */
  foreign: ReadonlySet<string> = new Set();

  /** By turns: what is out of sight after them. */
  seams: ReadonlyMap<string, ISeam> = new Map();

  constructor(
    readonly kernel: Kernel.IKernelConnection,
    private _receive: (json: unknown, from: KernelComms) => void,
    private _changed: () => void,
    private _updates = true,
    private _language = ''
  ) {
    kernel.statusChanged.connect(this._onStatus, this);
    kernel.connectionStatusChanged.connect(this._onConnectionStatus, this);
    kernel.iopubMessage.connect(this._onOutput, this);
  }

  /** Open both comms, unless they are open, or were refused just now and the caller is not `sure`. */
  open(sure = false): void {
    if (sure || Date.now() >= this._quietUntil) {
      this._mayRetry = true;
      this._open();
    }
  }

  private _open(): void {
    const { kernel } = this;
    if (this._data || !kernel.handleComms || kernel.isDisposed) {
      return;
    }
    this._data = this._makeComm(DATA);
    this._control = this._makeComm(CONTROL);
    this._data.onMsg = (message: KernelMessage.ICommMsgMsg) => {
      const answer = readAnswer(message.content.data);
      answer ? this._answered(answer) : this._receive(message.content.data, this);
    };
    this._openOn(this._data, this._control);
    this._language && this.send({ type: 'hello', language: this._language });
    this._changed();
  }

  /** Whether the comms are there, open or about to be. */
  get isOpen(): boolean {
    return this._control !== null && !this._control.isDisposed;
  }

  get isGone(): boolean {
    return this.kernel.isDisposed;
  }

  /** Send a message that has no answer; false if no comm is open. */
  send(message: JSONObject): boolean {
    if (!this.isOpen) {
      return false;
    }
    if (this._waiting) {
      this._waiting.push(message);
    } else if (this._shell) {
      const content = { comm_id: this._control!.commId, data: message };
      sendOnSubshell(this._shell, this.kernel, 'comm_msg', content);
    } else {
      this._control!.send(message);
    }
    return true;
  }

  /** Send a request and wait for the answer. */
  request(type: string, body: JSONObject): Promise<JSONObject> {
    const request = UUID.uuid4();
    return new Promise((resolve, reject) => {
      const page = this._data?.commId ?? '';
      if (this.send({ ...body, type, request, page })) {
        this._pending.set(request, { resolve, reject });
      } else {
        reject(new Error('no kernel'));
      }
    });
  }

  /** Say that this page is closed: the kernel cannot tell it from one that is silent. */
  leave(): void {
    if (!this.kernel.isDisposed) {
      this.send({ type: 'leave', page: this._data?.commId ?? '' });
    }
  }

  dispose(): void {
    this.kernel.statusChanged.disconnect(this._onStatus, this);
    this.kernel.connectionStatusChanged.disconnect(this._onConnectionStatus, this);
    this.kernel.iopubMessage.disconnect(this._onOutput, this);
    this._drop();
  }

  private _makeComm(target: string): Kernel.IComm {
    const comm = this.kernel.createComm(target);
    comm.onClose = () => {
      this._quietUntil = Date.now() + REFUSED;
      this._drop(comm);
    };
    return comm;
  }

  /**
   * Open the comms, on subshells where the kernel has some.
   *
   * #### Notes
   * Sent before the subshell is there, the message would wait behind a running cell. A running cell
   * also keeps Lab from learning that the kernel has subshells: then we start one of our own.
   * Messages wait until the comms are open, for the kernel drops those on a comm that it does not know.
   */
  private _openOn(...comms: ISubshellComm[]): void {
    const started = comms.map(comm => comm.subshellStarted);
    if (comms.some(({ subshellStarted, commsOverSubshells: mode }) => !subshellStarted || `${mode}` === 'disabled')) {
      comms.forEach(comm => void this._openOne(comm, null)); // a Lab without subshells
      return;
    }
    this._waiting = [];
    void this._ownShell(started).then(async shell => {
      const isCurrent = () => this._data === comms[0]; // not given up meanwhile
      if (!isCurrent()) {
        return;
      }
      this._shell = shell;
      await Promise.race([Promise.all(comms.map(comm => this._openOne(comm, shell))), after(OPENING)]);
      if (isCurrent()) {
        const messages = this._waiting ?? [];
        this._waiting = null;
        messages.forEach(message => this.send(message));
      }
    });
  }

  /** Open one, on a subshell of our own or as Lab does; settles when the kernel has done so. */
  private async _openOne(comm: Kernel.IComm, shell: string | null): Promise<void> {
    if (comm.isDisposed) {
      return;
    }
    const data = { updates: this._updates, tab: tabId() };
    const { commId: comm_id, targetName: target_name } = comm;
    const opened = shell
      ? sendOnSubshell(shell, this.kernel, 'comm_open', { comm_id, target_name, data })
      : comm.open(data);
    await opened.done.catch(() => undefined); // the kernel went away while it was asked
  }

  /**
   * A subshell of our own, where the kernel is too busy to tell Lab that it has some.
   *
   * #### Notes
   * Lab learns whether a kernel has subshells from its main shell, which answers when the running
   * cell has ended; after a reload of the page that is too late. The control channel always answers.
   * Where Lab knows of them, its own are waited for, however long a busy machine takes to start them.
   */
  private async _ownShell(started: (Promise<void> | undefined)[]): Promise<string | null> {
    const { kernel } = this;
    try {
      const known = await Promise.race([kernel.info.then(() => true), after(INFO)]);
      if (!known && !kernel.supportsSubshells) {
        return await newSubshell(kernel);
      }
      kernel.supportsSubshells && (await Promise.all(started));
    } catch {
      // Lab's own way says what is wrong
    }
    return null;
  }

  private _answered({ to, result, error }: ReturnType<typeof readAnswer> & object): void {
    const asked = this._pending.get(to);
    this._pending.delete(to);
    result ? asked?.resolve(result) : asked?.reject(error!);
  }

  /**
   * Give the comms up.
   *
   * #### Notes
   * A kernel that `closed` one, because it knows no such target, closes the other in a moment. That
   * one has to be there until then, or Lab reports a comm that it does not know.
   */
  private _drop(closed: Kernel.IComm | null = null): void {
    for (const comm of [this._data, this._control]) {
      if (comm && closed && comm !== closed) {
        comm.onClose = () => comm.dispose();
      } else {
        comm?.dispose();
      }
    }
    this._data = this._control = this._waiting = this._shell = null;
    const pending = [...this._pending.values()];
    this._pending.clear();
    pending.forEach(({ reject }) => reject(new Error('the kernel is gone')));
    this._changed();
  }

  /** A kernel that starts again has forgotten its comms; once it is ready it is asked again. */
  private _onStatus(_: Kernel.IKernelConnection, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting') {
      this._restarted = this._data !== null;
      this._drop();
    } else if (status === 'dead' || status === 'terminating') {
      this._drop();
    } else if (status === 'idle' && this._restarted) {
      this._restarted = false;
      this.open();
    }
  }

  /**
   * Try once more when a cell has ended.
   *
   * #### Notes
   * Where the server executes cells, JupyterLab says that one has run as soon as it was sent. The
   * kernel refuses the comms while the cell that loads the extension still runs.
   */
  private _onOutput(_: Kernel.IKernelConnection, message: KernelMessage.IIOPubMessage): void {
    const ended =
      KernelMessage.isStatusMsg(message) && message.content.execution_state === 'idle' &&
      (message.parent_header as Partial<KernelMessage.IHeader>).msg_type === 'execute_request';
    if (ended && this._mayRetry && !this._data) {
      this._mayRetry = false;
      this._open();
    }
  }

  /** What the kernel said while the connection was lost may be lost too, so it is asked for. */
  private _onConnectionStatus(_: Kernel.IKernelConnection, status: Kernel.ConnectionStatus): void {
    if (status !== 'connected') {
      this._wasLost = this._data !== null;
    } else if (this._wasLost) {
      this._wasLost = false;
      this.latest && this.send({ type: 'resync', id: this.latest });
      this._changed();
    }
  }

  private _data: Kernel.IComm | null = null;
  private _control: Kernel.IComm | null = null;
  private _waiting: JSONObject[] | null = null;
  private _shell: string | null = null;
  private _pending = new Map<string, IPending>();
  private _quietUntil = 0;
  private _restarted = false;
  private _wasLost = false;
  private _mayRetry = false;
}

/** The id of a new subshell; null where the kernel has none. It lives as long as the kernel. */
export async function newSubshell(kernel: Kernel.IKernelConnection): Promise<string | null> {
  const info = await control(kernel, 'kernel_info_request');
  const features = info['supported_features'];
  if (!Array.isArray(features) || !features.includes(FEATURE)) {
    return null;
  }
  const { subshell_id: id } = await control(kernel, 'create_subshell_request');
  return typeof id === 'string' ? id : null;
}

/** An id of this tab that lives on when its page is loaded again; empty where nothing is kept. */
function tabId(): string {
  const key = 'deepseek-jupyter:tab';
  try {
    sessionStorage.getItem(key) || sessionStorage.setItem(key, UUID.uuid4());
    return sessionStorage.getItem(key) ?? '';
  } catch {
    return ''; // storage is turned off
  }
}

/** Settle after so many milliseconds. */
function after(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}

/** Send a comm message to a subshell. */
export function sendOnSubshell(
  shell: string,
  kernel: Kernel.IKernelConnection,
  msgType: 'comm_open' | 'comm_msg',
  content: JSONObject
): Kernel.IShellFuture {
  const { username, clientId: session } = kernel;
  const options = { msgType, channel: 'shell', username, session, subshellId: shell, content };
  return kernel.sendShellMessage(KernelMessage.createMessage(options as never) as never);
}

/** Send a request on the control channel, and wait for the content of its reply. */
async function control(
  kernel: Kernel.IKernelConnection,
  msgType: 'kernel_info_request' | 'create_subshell_request'
): Promise<Record<string, unknown>> {
  const { username, clientId: session } = kernel;
  const options = { msgType, channel: 'control', username, session, content: {} };
  const message = KernelMessage.createMessage(options as never) as never;
  const reply: unknown = await kernel.sendControlMessage(message, true).done;
  return (reply as { content?: Record<string, unknown> } | undefined)?.content ?? {};
}
