/** The item in the status bar: the status of the notebook in front. */
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import { isNotebookStatus, readNotebookStatus, statusLabel, statusTooltip } from './status';
import type { ICommHub } from '../tokens';
import type { INotebookStatus } from './status';

/** Shows the status of the notebook in front. */
export class StatusItem extends Widget {
  constructor(
    hub: ICommHub,
    private _tracker: INotebookTracker,
    private _trans: TranslationBundle,
    onClick: () => void
  ) {
    super({ node: document.createElement('button') });
    this.addClass('jp-DeepSeek-status-item');
    (this.node as HTMLButtonElement).type = 'button';
    this.node.addEventListener('click', onClick);
    hub.messageReceived.connect((_, { kernel, message }) => {
      if (isNotebookStatus(message)) {
        this._take(kernel, message);
      }
    });
    // After a reload of the page, the kernel has sent its status before and will not send it again.
    hub.connectionChanged.connect((_, kernel) => {
      if (hub.isConnected(kernel)) {
        hub.request(kernel, 'notebook_status').then(
          result => this._take(kernel, result),
          () => undefined
        );
      }
    });
    _tracker.currentChanged.connect(this._show, this);
    _tracker.widgetAdded.connect((_, panel) => {
      panel.sessionContext.kernelChanged.connect(this._show, this);
    });
    this._show();
  }

  /** Whether there is anything to show. */
  get isActive(): boolean {
    return this.node.textContent !== '';
  }

  /** A signal emitted when that may have changed. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  private _take(kernel: Kernel.IKernelConnection, json: unknown): void {
    const status = readNotebookStatus(json);
    if (status) {
      this._statuses.set(kernel.id, status);
      this._show();
    }
  }

  private _show(): void {
    const kernel = this._tracker.currentWidget?.sessionContext.session?.kernel;
    const status = (kernel && this._statuses.get(kernel.id)) ?? null;
    this.node.textContent = statusLabel(status, this._trans);
    this.node.title = statusTooltip(status, this._trans);
    this._activeChanged.emit();
  }

  private _statuses = new Map<string, INotebookStatus>();
  private _activeChanged = new Signal<this, void>(this);
}
