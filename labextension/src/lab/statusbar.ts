/** What the status bar shows of the notebook in front: what it has cost (docs/record.md), and a job that runs. */
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import { make } from '../card/dom';
import { JobBar, readJob } from '../card/parts';
import { number, object, text } from '../kernel/json';
import type { IJob } from '../card/parts';
import type { ICommHub } from '../tokens';

/** What a notebook's conversation and its ghost texts cost. */
export interface INotebookStatus {
  /** The UUID that the kernel knows the notebook by; null before the first question. */
  readonly notebook: string | null;
  /** Whether anything was asked since the kernel started. */
  readonly asked: boolean;
  readonly turns: number;
  /** Money, as the kernel words it; empty where no price is known. */
  readonly spent: string;
  readonly tokens: number;
  /** The share of prompt tokens that the provider's cache had. */
  readonly hit: number | null;
  readonly ghosts: number;
  readonly ghostSpent: string;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Read a kernel's message or answer; null for anything else. */
export function readNotebookStatus(json: unknown): INotebookStatus | null {
  const raw = object(json);
  if (typeof raw['asked'] !== 'boolean') {
    return null;
  }
  const { notebook } = raw;
  return {
    notebook: typeof notebook === 'string' && UUID.test(notebook) ? notebook : null,
    asked: raw['asked'],
    turns: number(raw['turns']) ?? 0,
    spent: text(raw['spent']),
    tokens: number(raw['tokens']) ?? 0,
    hit: number(raw['hit']),
    ghosts: number(raw['ghosts']) ?? 0,
    ghostSpent: text(raw['ghost_spent'])
  };
}

/** Whether a message of the data comm is a notebook's status. */
export function isNotebookStatus(message: unknown): boolean {
  return object(message)['type'] === 'notebook_status';
}

/** The words in the status bar; empty while nothing was asked. */
export function statusLabel(status: INotebookStatus | null, trans: TranslationBundle): string {
  if (!status || (!status.turns && !status.ghosts)) {
    return '';
  }
  const { turns, spent, tokens, hit, ghosts, ghostSpent } = status;
  const parts = turns ? [spent || trans._n('%1 token', '%1 tokens', tokens)] : [];
  if (hit !== null) {
    parts.push(trans.__('%1% cached', Math.round(100 * hit)));
  }
  if (ghosts) {
    parts.push(trans.__('ghost text %1', ghostSpent || String(ghosts)));
  }
  return `DeepSeek ${parts.join(' · ')}`;
}

/** The tooltip of the status bar's item: its figures in sentences. */
export function statusTooltip(status: INotebookStatus | null, trans: TranslationBundle): string {
  if (!status) {
    return '';
  }
  const { turns, spent, hit, ghosts, ghostSpent } = status;
  const lines = [];
  if (turns) {
    lines.push(trans._n('This notebook asked %1 question.', 'This notebook asked %1 questions.', turns));
  }
  if (turns && spent) {
    lines.push(trans.__('Estimated cost: %1', spent));
  }
  if (hit !== null) {
    lines.push(trans.__('%1% of the prompt tokens came from the cache.', Math.round(100 * hit)));
  }
  if (ghosts) {
    const cost = ghostSpent || trans.__('no price known');
    lines.push(trans._n('%1 ghost text, %2', '%1 ghost texts, %2', ghosts, cost));
  }
  return lines.join('\n');
}

/** An item about the notebook in front. */
abstract class FrontItem extends Widget {
  constructor(private _tracker: INotebookTracker, node: HTMLElement = document.createElement('div')) {
    super({ node });
    _tracker.currentChanged.connect(this.refresh, this);
    _tracker.widgetAdded.connect((_, panel) => {
      panel.sessionContext.kernelChanged.connect(this.refresh, this);
    });
  }

  /** Whether there is anything to show. */
  abstract get isActive(): boolean;

  /** A signal emitted when that may have changed. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  protected get kernel(): Kernel.IKernelConnection | null {
    return this._tracker.currentWidget?.sessionContext.session?.kernel ?? null;
  }

  protected refresh(): void {
    this.draw();
    this._activeChanged.emit();
  }

  protected abstract draw(): void;

  private _activeChanged = new Signal<this, void>(this);
}

/** Shows the status of the notebook in front. */
export class StatusItem extends FrontItem {
  constructor(
    hub: ICommHub,
    tracker: INotebookTracker,
    private _trans: TranslationBundle,
    onClick: () => void
  ) {
    super(tracker, make('button', 'status-item'));
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
    this.refresh();
  }

  get isActive(): boolean {
    return this.node.textContent !== '';
  }

  protected draw(): void {
    const status = this._statuses.get(this.kernel?.id ?? '') ?? null;
    this.node.textContent = statusLabel(status, this._trans);
    this.node.title = statusTooltip(status, this._trans);
  }

  private _take(kernel: Kernel.IKernelConnection, json: unknown): void {
    const status = readNotebookStatus(json);
    if (status) {
      this._statuses.set(kernel.id, status);
      this.refresh();
    }
  }

  private _statuses = new Map<string, INotebookStatus>();
}

/** The jobs that kernels run. */
export class Jobs {
  constructor(hub: ICommHub, tracker: INotebookTracker) {
    hub.messageReceived.connect((_, { kernel, message }) => {
      const job = readJob(message);
      if (job) {
        job.isOver ? this._jobs.delete(kernel.id) : this._jobs.set(kernel.id, job);
        this._changed.emit();
      }
    });
    tracker.widgetAdded.connect((_, { sessionContext }) => {
      sessionContext.statusChanged.connect((_, status) => {
        // A kernel that is gone says nothing of its end.
        const id = sessionContext.session?.kernel?.id;
        if (id && /restart|dead|terminat/.test(status) && this._jobs.delete(id)) {
          this._changed.emit();
        }
      });
    });
  }

  /** A signal emitted when one came further, began or ended. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The job that a kernel runs. */
  of(kernel: Kernel.IKernelConnection | null): IJob | null {
    return this._jobs.get(kernel?.id ?? '') ?? null;
  }

  private _jobs = new Map<string, IJob>();
  private _changed = new Signal<this, void>(this);
}

/** Shows the progress of the job of the notebook in front, and stops it. */
export class JobItem extends FrontItem {
  constructor(hub: ICommHub, tracker: INotebookTracker, trans: TranslationBundle) {
    super(tracker);
    this._jobs = new Jobs(hub, tracker);
    this._bar = new JobBar(id => {
      const kernel = this.kernel;
      kernel && hub.tell(kernel, { type: 'stop', id });
    }, trans);
    this.node.append(this._bar.node);
    this._jobs.changed.connect(this.refresh, this);
    this.refresh();
  }

  get isActive(): boolean {
    return !this._bar.node.hidden;
  }

  protected draw(): void {
    this._bar.show(this._jobs.of(this.kernel));
  }

  private _bar: JobBar;
  private _jobs: Jobs;
}
