/** The item in the status bar for the job that the kernel of the notebook in front runs. */
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import { JobBar, readJob } from '../card/job';
import type { ICommHub } from '../tokens';
import type { IJob } from '../card/job';

/** Shows the progress of a job, and stops it. */
export class JobItem extends Widget {
  constructor(hub: ICommHub, private _tracker: INotebookTracker, trans: TranslationBundle) {
    super();
    this._bar = new JobBar(id => {
      const kernel = this._kernel;
      kernel && hub.stop(id, kernel);
    }, trans);
    this.node.append(this._bar.node);
    hub.messageReceived.connect((_, { kernel, message }) => {
      const job = readJob(message);
      if (job) {
        job.isOver ? this._jobs.delete(kernel.id) : this._jobs.set(kernel.id, job);
        this._show();
      }
    });
    _tracker.currentChanged.connect(this._show, this);
    _tracker.widgetAdded.connect((_, panel) => {
      panel.sessionContext.kernelChanged.connect(this._show, this);
      panel.sessionContext.statusChanged.connect((_, status) => {
        // A kernel that is gone says nothing of its end.
        const id = panel.sessionContext.session?.kernel?.id;
        if (id && /restart|dead|terminat/.test(status) && this._jobs.delete(id)) {
          this._show();
        }
      });
    });
    this._show();
  }

  /** Whether there is a job. */
  get isActive(): boolean {
    return !this._bar.node.hidden;
  }

  /** A signal emitted when that may have changed. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  private get _kernel(): Kernel.IKernelConnection | null {
    return this._tracker.currentWidget?.sessionContext.session?.kernel ?? null;
  }

  private _show(): void {
    this._bar.show(this._jobs.get(this._kernel?.id ?? '') ?? null);
    this._activeChanged.emit();
  }

  private _bar: JobBar;
  private _jobs = new Map<string, IJob>();
  private _activeChanged = new Signal<this, void>(this);
}
