/** What the page and its kernels say to each other about turns: each kernel's comms in one place. */
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { JSONObject } from '@lumino/coreutils';
import type { Kernel } from '@jupyterlab/services';
import { KernelComms } from './kernelcomms';
import { isRunning } from './record';
import { Transcripts } from './transcripts';
import type { ITranscript } from './transcript';
import type { ICommHub, ITold } from './tokens';

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
      link = new KernelComms(
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

  private _receive(json: unknown, link: KernelComms): void {
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
  private _links = new Map<Kernel.IKernelConnection, KernelComms>();
  private _transcripts = new Transcripts();
}
