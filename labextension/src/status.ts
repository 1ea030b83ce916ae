/** The item in the status bar: what the notebook in front has cost, and what the cache saved. */
import { Widget } from '@lumino/widgets';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { atLength, inShort, isStanding, readStanding } from './standing';
import type { IStanding } from './standing';
import type { ICommHub } from './tokens';

/** Shows the standing of the notebook in front. */
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
    hub.told.connect((_, { kernel, message }) => {
      if (isStanding(message)) {
        this._take(kernel, message);
      }
    });
    // A page that is loaded again finds a kernel that has told before.
    hub.connected.connect((_, kernel) => {
      if (hub.isConnected(kernel)) {
        hub.request(kernel, 'standing').then(
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
    const standing = readStanding(json);
    if (standing) {
      this._standings.set(kernel.id, standing);
      this._show();
    }
  }

  private _show(): void {
    const kernel = this._tracker.currentWidget?.sessionContext.session?.kernel;
    const standing = (kernel && this._standings.get(kernel.id)) ?? null;
    this.node.textContent = inShort(standing, this._trans);
    this.node.title = atLength(standing, this._trans);
    this._activeChanged.emit();
  }

  private _standings = new Map<string, IStanding>();
  private _activeChanged = new Signal<this, void>(this);
}
