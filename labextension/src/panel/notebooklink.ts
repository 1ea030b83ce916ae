/** The link of a panel to an open notebook and the kernel that it has at the moment. */
import type { JSONObject } from '@lumino/coreutils';
import type { Kernel } from '@jupyterlab/services';
import type { CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { ITranslator } from '@jupyterlab/translation';
import { insertBelow, isEditable, replaceCell, runBelow } from '../card/hostcell';
import { Link } from './model';
import { savedTurns } from './state';
import { wordsIn } from '../words';
import type { IHostCell } from '../card/hostcell';
import type { ITurnRecord } from '../kernel/record';
import type { TurnMessage } from '../kernel/requests';
import type { ITranscript } from '../kernel/transcript';
import type { ICommHub, ICommMessage } from '../tokens';
import type { ICodeTarget, Presence } from './model';
import type { IOutputs } from './state';

const LOADED = "'deepseek.control' in get_ipython().kernel.comm_manager.targets";
const LOAD = "get_ipython().extension_manager.load_extension('deepseek_jupyter')";

/** How long a notebook that has no kernel yet may be about to get one, in milliseconds. */
const PATIENCE = 4000;

/** A notebook at the other end. */
export class NotebookLink extends Link {
  constructor(
    private _panel: NotebookPanel,
    private _hub: ICommHub,
    private _translator: ITranslator
  ) {
    super();
    _panel.sessionContext.kernelChanged.connect(this._onKernel, this);
    _panel.sessionContext.statusChanged.connect(this._onStatus, this);
    _panel.title.changed.connect(this._onName, this);
    _hub.connectionChanged.connect(this._onConnected, this);
    _hub.messageReceived.connect(this._onMessage, this);
    _hub.transcriptChanged.connect(this._onTranscript, this);
    void _panel.sessionContext.ready.then(() => this.changed.emit());
    setTimeout(() => this.changed.emit(), PATIENCE + 50);
    this._lookSoon();
  }

  get name(): string {
    return this._panel.title.label;
  }

  get presence(): Presence {
    const kernel = this._kernel;
    if (!kernel || kernel.isDisposed || kernel.status === 'dead') {
      const waited = Date.now() - this._made > PATIENCE;
      return waited || this._panel.sessionContext.isReady ? 'none' : 'connecting';
    }
    if (this._looked !== kernel && !this._hub.isConnected(kernel)) {
      return 'connecting';
    }
    return this._hub.isConnected(kernel) ? 'live' : this._isPython ? 'unloaded' : 'none';
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
      const trans = wordsIn(this._translator);
      throw new Error(trans.__('There is no kernel.'));
    }
    return this._hub.request(kernel, type, body);
  }

  send(message: TurnMessage): void {
    this._kernel && this._hub.tell(this._kernel, message);
  }

  async load(): Promise<boolean> {
    while (this.presence === 'connecting' && !this._panel.isDisposed) {
      await new Promise<void>(resolve => {
        const once = () => void (this.changed.disconnect(once) && resolve());
        this.changed.connect(once);
      });
    }
    const kernel = this._kernel;
    if (!kernel || this.presence === 'none') {
      return false;
    }
    if (this.presence === 'live') {
      return true;
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

  override lastError(): string | null {
    const cells = this._panel.content.model?.sharedModel.cells ?? [];
    const failed = cells
      .map(cell => cell.toJSON() as { execution_count?: number; outputs?: JSONObject[] })
      .flatMap(({ execution_count: count, outputs }) =>
        (outputs ?? []).filter(item => item['output_type'] === 'error').map(item => ({ count, item }))
      )
      .sort((a, b) => (b.count ?? 0) - (a.count ?? 0));
    return failed.length ? `In[${failed[0].count}], ${String(failed[0].item['ename'])}` : null;
  }

  /** Connect to the kernel if it has loaded the extension. */
  private async _look(): Promise<void> {
    const kernel = this._kernel;
    if (!kernel || this._hub.isConnected(kernel)) {
      this._looked = kernel;
      this.changed.emit();
      return;
    }
    const { language_info: language } = await kernel.info;
    this._isPython = language?.name === 'python';
    if (this._isPython) {
      const asked = { code: '', silent: true, store_history: false };
      const expressions = { user_expressions: { loaded: LOADED } };
      const reply = await kernel.requestExecute({ ...asked, ...expressions }).done;
      const { user_expressions: values } = reply.content as { user_expressions?: JSONObject };
      if (JSON.stringify(values?.['loaded'] ?? '').includes('"True"')) {
        this._hub.connect(kernel, true);
      }
    }
    this._looked = kernel;
    this.changed.emit();
  }

  private _lookSoon(): void {
    const kernel = this._kernel;
    void this._look().catch(() => {
      this._looked = kernel; // it went away meanwhile
      this.changed.emit();
    });
  }

  private _onKernel(): void {
    this._lookSoon();
  }

  private _onStatus(_: unknown, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      this._restarted = true;
      this.changed.emit();
    } else if (status === 'idle' && this._restarted) {
      this._restarted = false;
      this._lookSoon();
    }
  }

  private _onName(): void {
    if (this._name !== this.name) {
      this._name = this.name;
      this.changed.emit();
    }
  }

  private _onConnected(_: ICommHub, kernel: Kernel.IKernelConnection): void {
    kernel === this._kernel && this.changed.emit();
  }

  private _onMessage(_: ICommHub, { kernel, message }: ICommMessage): void {
    kernel === this._kernel && this.messageReceived.emit(message);
  }

  private _onTranscript(_: ICommHub, transcript: ITranscript): void {
    this.transcriptChanged.emit(transcript);
  }

  private get _kernel(): Kernel.IKernelConnection | null {
    return this._panel.sessionContext.session?.kernel ?? null;
  }

  /** The notebook's active cell. */
  private _at(action: (host: IHostCell) => unknown): void {
    const { content } = this._panel;
    const index = content.activeCellIndex;
    const cell = content.widgets[index] as CodeCell | undefined;
    if (cell) {
      void action({ panel: this._panel, cell, index });
    }
  }

  private readonly _code: ICodeTarget = {
    insert: code => this._at(host => insertBelow(host, code)),
    replace: code => this._at(host => isEditable(host) && replaceCell(host, code)),
    run: code => this._at(host => runBelow(host, code, this._translator))
  };

  private _made = Date.now();
  private _looked: Kernel.IKernelConnection | null = null;
  private _isPython = false;
  private _restarted = false;
  private _name = '';
}
