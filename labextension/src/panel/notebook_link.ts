/** The link of a panel to a notebook that is open, and to whatever kernel it has. */
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { JSONObject } from '@lumino/coreutils';
import type { Kernel } from '@jupyterlab/services';
import type { CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { ITranslator } from '@jupyterlab/translation';
import { insertBelow, isEditable, replaceCell, runBelow } from '../actions';
import { savedTurns } from './file';
import type { IOutputs } from './file';
import type { Word } from '../details';
import type { IPlace } from '../place';
import type { ITurnRecord } from '../record';
import type { ICommHub, ITold } from '../tokens';
import type { ITranscript } from '../transcript';
import type { ICodeTarget, ILink, Presence } from './link';

const LOADED = "'deepseek.control' in get_ipython().kernel.comm_manager.targets";
const LOAD = "get_ipython().extension_manager.load_extension('deepseek_jupyter')";

/** A notebook at the other end. */
export class NotebookLink implements ILink {
  constructor(
    private _panel: NotebookPanel,
    private _hub: ICommHub,
    private _translator: ITranslator
  ) {
    _panel.sessionContext.kernelChanged.connect(this._onKernel, this);
    _panel.sessionContext.statusChanged.connect(this._onStatus, this);
    _panel.title.changed.connect(this._onName, this);
    _hub.connected.connect(this._onConnected, this);
    _hub.told.connect(this._onTold, this);
    _hub.heard.connect(this._onHeard, this);
    this._look();
  }

  get name(): string {
    return this._panel.title.label;
  }

  get presence(): Presence {
    const kernel = this._kernel;
    if (!kernel || kernel.isDisposed || kernel.status === 'dead') {
      return 'none';
    }
    return this._hub.isConnected(kernel) ? 'live' : this._isPython ? 'unloaded' : 'none';
  }

  get changed(): ISignal<ILink, void> {
    return this._changed;
  }

  get told(): ISignal<ILink, unknown> {
    return this._told;
  }

  get heard(): ISignal<ILink, ITranscript> {
    return this._heard;
  }

  get code(): ICodeTarget | null {
    return this._code;
  }

  transcript(id: string): ITranscript | null {
    return this._hub.transcript(id);
  }

  async request(type: string, body: JSONObject = {}): Promise<JSONObject> {
    const kernel = this._kernel;
    if (!kernel) {
      throw new Error(this._translator.load('deepseek_jupyter').__('There is no kernel.'));
    }
    return this._hub.request(kernel, type, body);
  }

  stop(id: string): void {
    this._kernel && this._hub.stop(id, this._kernel);
  }

  decide(id: string, call: string, word: Word): void {
    this._kernel && this._hub.decide(id, call, word, this._kernel);
  }

  resync(id: string): void {
    this._kernel && this._hub.resync(id, this._kernel);
  }

  async load(): Promise<boolean> {
    const kernel = this._kernel;
    if (!kernel || this.presence === 'none') {
      return false;
    }
    const done = await kernel.requestExecute({ code: LOAD, silent: true, store_history: false }).done;
    if (done.content.status === 'ok') {
      await this._look();
    }
    return this._hub.isConnected(kernel);
  }

  saved(): readonly ITurnRecord[] {
    const cells = this._panel.content.model?.sharedModel.cells ?? [];
    return savedTurns(
      cells
        .filter(cell => cell.cell_type === 'code')
        .map(cell => cell.toJSON() as unknown as IOutputs)
    );
  }

  dispose(): void {
    Signal.clearData(this);
  }

  /** See whether the kernel has loaded the extension, and connect if it has. */
  private async _look(): Promise<void> {
    const kernel = this._kernel;
    if (!kernel || this._hub.isConnected(kernel)) {
      this._changed.emit();
      return;
    }
    const { language_info: language } = await kernel.info;
    this._isPython = language?.name === 'python';
    if (this._isPython) {
      const asked = { code: '', silent: true, store_history: false };
      const expressions = { user_expressions: { loaded: LOADED } };
      const reply = await kernel.requestExecute({ ...asked, ...expressions }).done;
      const told = (reply.content as { user_expressions?: JSONObject }).user_expressions?.['loaded'];
      if (JSON.stringify(told ?? '').includes('"True"')) {
        this._hub.connect(kernel, true);
      }
    }
    this._changed.emit();
  }

  private _lookSoon(): void {
    void this._look().catch(() => this._changed.emit()); // the kernel went away meanwhile
  }

  private _onKernel(): void {
    this._lookSoon();
  }

  private _onStatus(_: unknown, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      this._restarted = true;
      this._changed.emit();
    } else if (status === 'idle' && this._restarted) {
      this._restarted = false;
      this._lookSoon();
    }
  }

  private _onName(): void {
    if (this._name !== this.name) {
      this._name = this.name;
      this._changed.emit();
    }
  }

  private _onConnected(_: ICommHub, kernel: Kernel.IKernelConnection): void {
    kernel === this._kernel && this._changed.emit();
  }

  private _onTold(_: ICommHub, { kernel, message }: ITold): void {
    kernel === this._kernel && this._told.emit(message);
  }

  private _onHeard(_: ICommHub, transcript: ITranscript): void {
    this._heard.emit(transcript);
  }

  private get _kernel(): Kernel.IKernelConnection | null {
    return this._panel.sessionContext.session?.kernel ?? null;
  }

  /** The notebook's active cell. */
  private _at(action: (place: IPlace) => unknown): void {
    const { content } = this._panel;
    const index = content.activeCellIndex;
    const cell = content.widgets[index] as CodeCell | undefined;
    if (cell) {
      void action({ panel: this._panel, cell, index });
    }
  }

  private readonly _code: ICodeTarget = {
    insert: code => this._at(place => insertBelow(place, code)),
    replace: code => this._at(place => isEditable(place) && replaceCell(place, code)),
    run: code => this._at(place => runBelow(place, code, this._translator))
  };

  private _changed = new Signal<ILink, void>(this);
  private _told = new Signal<ILink, unknown>(this);
  private _heard = new Signal<ILink, ITranscript>(this);
  private _isPython = false;
  private _restarted = false;
  private _name = '';
}
