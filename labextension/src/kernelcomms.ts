/**
 * The two comms with a kernel: `deepseek.data` brings deltas, `deepseek.control` takes requests.
 *
 * They are two because a comm on which a running cell publishes is deaf until the cell ends on
 * ipykernel 7.4. Both may be missing (an old kernel, no extension loaded): the card then lives on
 * display updates and stops by interrupt. The counterpart is `deepseek_jupyter/display/`.
 */
import { UUID } from '@lumino/coreutils';
import type { JSONObject } from '@lumino/coreutils';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import { readAnswer } from './requests';
import { newSubshell, sayOn } from './subshell';
import type { ISource } from './transcripts';

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
export class KernelComms implements ISource {
  /** The turn that was heard of last. */
  latest = '';

  constructor(
    readonly kernel: Kernel.IKernelConnection,
    private _receive: (json: unknown, from: KernelComms) => void,
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
