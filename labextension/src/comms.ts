/**
 * The two comms with a kernel: `deepseek.data` brings deltas, `deepseek.control` takes requests.
 *
 * They are two because a comm on which a running cell publishes is deaf until the cell ends on
 * ipykernel 7.4. Both may be missing (an old kernel, no extension loaded): the card then lives on
 * display updates and stops by interrupt. The counterpart is `deepseek_jupyter/display/`.
 */
import { UUID } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { JSONObject } from '@lumino/coreutils';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import { Transcripts } from './transcripts';
import { isRunning } from './record';
import { readAnswer } from './requests';
import { newSubshell, sayOn } from './subshell';
import type { ITranscript } from './transcript';
import type { ISource } from './transcripts';
import type { ICommHub, ITold } from './tokens';

const DATA = 'deepseek.data';
const CONTROL = 'deepseek.control';

/** How long a kernel that refused is left alone, in milliseconds. */
const REFUSED = 1000;

/** How long the subshells of the comms are waited for, in milliseconds. */
const SUBSHELL = 2000;

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
class Link implements ISource {
  /** The turn that was heard of last. */
  latest = '';

  constructor(
    readonly kernel: Kernel.IKernelConnection,
    private _receive: (json: unknown, link: Link) => void,
    private _changed: () => void
  ) {
    kernel.statusChanged.connect(this._onStatus, this);
  }

  /** Open both comms, unless they are open or were refused just now and nothing is `sure`. */
  open(sure = false): void {
    const { kernel } = this;
    if (this._data || !kernel.handleComms || kernel.isDisposed || (!sure && Date.now() < this._quietUntil)) {
      return;
    }
    this._data = this._makeComm(DATA);
    this._control = this._makeComm(CONTROL);
    this._data.onMsg = (message: KernelMessage.ICommMsgMsg) => {
      const answer = readAnswer(message.content.data);
      answer ? this._answered(answer) : this._receive(message.content.data, this);
    };
    this._openOn(this._data, this._control);
    this._changed();
  }

  /** Whether the comms are there, open or about to be. */
  get isOpen(): boolean {
    return this._control !== null && !this._control.isDisposed;
  }

  get isGone(): boolean {
    return this.kernel.isDisposed;
  }

  /** Ask for all of a turn that runs. */
  resync(id: string): boolean {
    return this.request({ type: 'resync', id });
  }

  /** Send a request that wants no answer; false if there is nobody to send it to. */
  request(request: JSONObject): boolean {
    if (!this.isOpen) {
      return false;
    }
    if (this._waiting) {
      this._waiting.push(request);
    } else if (this._shell) {
      const content = { comm_id: this._control!.commId, data: request };
      sayOn(this._shell, this.kernel, 'comm_msg', content);
    } else {
      this._control!.send(request);
    }
    return true;
  }

  /** Send a request and wait for the answer. */
  ask(type: string, body: JSONObject): Promise<JSONObject> {
    const request = UUID.uuid4();
    return new Promise((resolve, reject) => {
      const page = this._data?.commId ?? '';
      if (this.request({ ...body, type, request, page })) {
        this._pending.set(request, { resolve, reject });
      } else {
        reject(new Error('no kernel'));
      }
    });
  }

  /** Say that this page is closed: the kernel cannot tell it from one that is silent. */
  leave(): void {
    if (!this.kernel.isDisposed) {
      this.request({ type: 'leave', page: this._data?.commId ?? '' });
    }
  }

  dispose(): void {
    this.kernel.statusChanged.disconnect(this._onStatus, this);
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
   * Sent before the subshell is there, the message would wait behind a cell that runs. The same
   * cell keeps Lab from learning of subshells; then there is one of our own.
   */
  private _openOn(...comms: ISubshellComm[]): void {
    const open = () => {
      for (const comm of comms.filter(item => !item.isDisposed)) {
        comm.open().done.catch(() => undefined); // the kernel went away while it was asked
      }
    };
    const started = comms.map(comm => comm.subshellStarted);
    if (started.some(promise => !promise)) {
      open(); // a Lab that knows no subshells
      return;
    }
    this._waiting = [];
    void this._ownShell(started).then(shell => {
      if (this._data !== comms[0]) {
        return; // given up meanwhile
      }
      this._shell = shell;
      if (shell) {
        comms.forEach(({ commId, targetName }) => {
          const content = { comm_id: commId, target_name: targetName, data: {} };
          sayOn(shell, this.kernel, 'comm_open', content);
        });
      } else {
        open();
      }
      const requests = this._waiting ?? [];
      this._waiting = null;
      requests.forEach(request => this.request(request));
    });
  }

  /** A subshell of our own, where the kernel is too busy to tell Lab that it has some. */
  private async _ownShell(started: (Promise<void> | undefined)[]): Promise<string | null> {
    const { kernel } = this;
    const known = kernel.info.then(async () => {
      kernel.supportsSubshells && (await Promise.all(started));
    });
    const late = new Promise<'late'>(resolve => setTimeout(() => resolve('late'), SUBSHELL));
    try {
      const silent = (await Promise.race([known, late])) === 'late' && !kernel.supportsSubshells;
      return silent ? await newSubshell(kernel) : null;
    } catch {
      return null; // Lab's own way says what is wrong
    }
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

  private _data: Kernel.IComm | null = null;
  private _control: Kernel.IComm | null = null;
  private _waiting: JSONObject[] | null = null;
  private _shell: string | null = null;
  private _pending = new Map<string, IPending>();
  private _quietUntil = 0;
  private _restarted = false;
}

/** Keeps the comms of every kernel and what came over them. */
export class CommHub implements ICommHub {
  get heard(): ISignal<ICommHub, ITranscript> {
    return this._heard;
  }

  get told(): ISignal<ICommHub, ITold> {
    return this._told;
  }

  get connected(): ISignal<ICommHub, Kernel.IKernelConnection> {
    return this._connected;
  }

  isConnected(kernel: Kernel.IKernelConnection): boolean {
    return this._links.get(kernel)?.isOpen ?? false;
  }

  request(kernel: Kernel.IKernelConnection, type: string, body: JSONObject = {}): Promise<JSONObject> {
    this.connect(kernel);
    return this._links.get(kernel)!.ask(type, body);
  }

  transcript(id: string): ITranscript | null {
    return this._transcripts.get(id);
  }

  running(kernel: Kernel.IKernelConnection): string {
    const id = this._links.get(kernel)?.latest ?? '';
    return isRunning(this._transcripts.get(id)?.status ?? 'done') ? id : '';
  }

  connect(kernel: Kernel.IKernelConnection, sure = false): void {
    let link = this._links.get(kernel);
    if (!link) {
      link = new Link(
        kernel,
        (json, from) => this._receive(json, from),
        () => this._connected.emit(kernel)
      );
      this._links.set(kernel, link);
      kernel.disposed.connect(() => {
        link?.dispose();
        this._links.delete(kernel);
      });
    }
    link.open(sure);
  }

  resync(id: string, kernel: Kernel.IKernelConnection): boolean {
    return this._links.get(kernel)?.resync(id) ?? false;
  }

  stop(id: string, kernel: Kernel.IKernelConnection): boolean {
    return this._links.get(kernel)?.request({ type: 'stop', id }) ?? false;
  }

  decide(
    id: string,
    call: string,
    word: 'approve' | 'deny' | 'always',
    kernel: Kernel.IKernelConnection
  ): boolean {
    return this._links.get(kernel)?.request({ type: word, id, call }) ?? false;
  }

  leave(kernel: Kernel.IKernelConnection | null = null): void {
    this._links.forEach((link, other) => (kernel ?? other) === other && link.leave());
  }

  forget(id: string): void {
    this._transcripts.forget(id);
  }

  private _receive(json: unknown, link: Link): void {
    const heard = this._transcripts.receive(json, link);
    if (heard) {
      link.latest = heard.id;
      this._heard.emit(heard);
    } else {
      this._told.emit({ kernel: link.kernel, message: json });
    }
  }

  private _heard = new Signal<ICommHub, ITranscript>(this);
  private _told = new Signal<ICommHub, ITold>(this);
  private _connected = new Signal<ICommHub, Kernel.IKernelConnection>(this);
  private _links = new Map<Kernel.IKernelConnection, Link>();
  private _transcripts = new Transcripts();
}
