/**
 * The two comms with a kernel: `deepseek.data` brings deltas, `deepseek.control` takes requests.
 *
 * They are two because a comm on which a running cell publishes is deaf until the cell ends on
 * ipykernel 7.4. Both may be missing (an old kernel, no extension loaded): the card then lives on
 * display updates and stops by interrupt. The counterpart is `deepseek_jupyter/display/`.
 */
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { JSONObject } from '@lumino/coreutils';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import { emptyTranscript, readMessage, reduce } from './transcript';
import type { ITranscript } from './transcript';
import type { ICommHub } from './tokens';

const DATA = 'deepseek.data';
const CONTROL = 'deepseek.control';

/** How long a kernel that refused is left alone, in milliseconds. */
const REFUSED = 1000;

/** How long a snapshot may take before it is asked for again. */
const RESYNC = 1000;

/** How many turns are kept in mind. */
const KEPT = 64;

/** The comms with one kernel. */
class Link {
  constructor(
    readonly kernel: Kernel.IKernelConnection,
    private _receive: (json: unknown, link: Link) => void
  ) {
    kernel.statusChanged.connect(this._onStatus, this);
  }

  /** Open both comms, unless they are open or were refused just now. */
  open(): void {
    const { kernel } = this;
    if (this._data || !kernel.handleComms || kernel.isDisposed || Date.now() < this._quietUntil) {
      return;
    }
    this._data = this._openComm(DATA);
    this._control = this._openComm(CONTROL);
    this._data.onMsg = (message: KernelMessage.ICommMsgMsg) => {
      this._receive(message.content.data, this);
    };
  }

  /** Send a request; false if there is nobody to send it to. */
  request(request: JSONObject): boolean {
    if (!this._control || this._control.isDisposed) {
      return false;
    }
    this._control.send(request);
    return true;
  }

  dispose(): void {
    this.kernel.statusChanged.disconnect(this._onStatus, this);
    this._drop();
  }

  private _openComm(target: string): Kernel.IComm {
    const comm = this.kernel.createComm(target);
    comm.onClose = () => {
      this._quietUntil = Date.now() + REFUSED;
      this._drop();
    };
    comm.open().done.catch(() => undefined); // the kernel went away while it was asked
    return comm;
  }

  private _drop(): void {
    for (const comm of [this._data, this._control]) {
      comm?.dispose();
    }
    this._data = this._control = null;
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
  private _quietUntil = 0;
  private _restarted = false;
}

/** Keeps the comms of every kernel and what came over them. */
export class CommHub implements ICommHub {
  get heard(): ISignal<ICommHub, ITranscript> {
    return this._heard;
  }

  transcript(id: string): ITranscript | null {
    return this._transcripts.get(id) ?? null;
  }

  connect(kernel: Kernel.IKernelConnection): void {
    let link = this._links.get(kernel);
    if (!link) {
      link = new Link(kernel, (json, from) => this._receive(json, from));
      this._links.set(kernel, link);
      kernel.disposed.connect(() => {
        link?.dispose();
        this._links.delete(kernel);
      });
    }
    link.open();
  }

  resync(id: string, kernel: Kernel.IKernelConnection): boolean {
    return this._links.get(kernel)?.request({ type: 'resync', id }) ?? false;
  }

  stop(id: string, kernel: Kernel.IKernelConnection): boolean {
    return this._links.get(kernel)?.request({ type: 'stop', id }) ?? false;
  }

  forget(id: string): void {
    this._transcripts.delete(id);
  }

  private _receive(json: unknown, link: Link): void {
    const message = readMessage(json);
    if (!message) {
      return;
    }
    const before = this._transcripts.get(message.id) ?? emptyTranscript(message.id);
    const after = reduce(before, message);
    this._transcripts.set(message.id, after);
    if (this._transcripts.size > KEPT) {
      this._transcripts.delete(this._transcripts.keys().next().value!);
    }
    if (after.behind) {
      this._catchUp(message.id, link);
    }
    this._heard.emit(after);
  }

  /** Ask for a snapshot, and again if it does not come. */
  private _catchUp(id: string, link: Link): void {
    if (this._asking.has(id)) {
      return;
    }
    this._asking.add(id);
    this.resync(id, link.kernel);
    setTimeout(() => {
      this._asking.delete(id);
      if (this._transcripts.get(id)?.behind && !link.kernel.isDisposed) {
        this._catchUp(id, link);
      }
    }, RESYNC);
  }

  private _heard = new Signal<ICommHub, ITranscript>(this);
  private _links = new Map<Kernel.IKernelConnection, Link>();
  private _transcripts = new Map<string, ITranscript>();
  private _asking = new Set<string>();
}
