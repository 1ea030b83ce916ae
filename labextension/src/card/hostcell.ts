/** The cell that hosts a card, a proposal or an error in its output. */
import type { CodeCell } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';

/** A cell of a notebook that is open. */
export interface IHostCell {
  readonly panel: NotebookPanel;
  readonly cell: CodeCell;
  readonly index: number;
}

/** Find the cell that shows an element; null outside of notebooks. */
export function findHostCell(tracker: INotebookTracker | null, node: HTMLElement): IHostCell | null {
  const panel = tracker?.find(item => item.node.contains(node));
  if (!panel) {
    return null;
  }
  const index = panel.content.widgets.findIndex(cell => cell.node.contains(node));
  const cell = panel.content.widgets[index];
  return cell?.model.type === 'code' ? { panel, cell: cell as CodeCell, index } : null;
}

/** Hide the outputs of a cell's errors that a card says: of the error's class, with its advice. */
export function hideSaid({ cell }: IHostCell, error: { type: string; hint: string }): void {
  const { model, widgets } = cell.outputArea;
  widgets.forEach((widget, index) => {
    const output = model.get(index)?.toJSON() as { ename?: string; evalue?: string } | undefined;
    const isSaid = output?.ename === error.type && !!output.evalue?.endsWith(error.hint);
    isSaid && widget.node.classList.add('jp-DeepSeek-said');
  });
}

/** The kernel of a host cell's notebook. */
export function kernelOf(host: IHostCell | null): Kernel.IKernelConnection | null {
  return host?.panel.sessionContext.session?.kernel ?? null;
}

/**
 * Whether this page waits for a cell to end.
 *
 * #### Notes
 * The kernel's status does not say (it is idle as soon as one of its subshells is), nor does whether
 * the request is disposed of (it is kept): only whether the request is done.
 */
export function isExecuting(host: IHostCell | null): boolean {
  const future = host?.cell.outputArea.future as Kernel.IFuture<never, never> | undefined;
  if (!future) {
    return false;
  }
  if (!watched.has(future)) {
    watched.set(future, true);
    const done = () => void watched.set(future, false);
    future.done.then(done, done);
  }
  return watched.get(future)!;
}

/** The requests of cells, and whether they still run. */
const watched = new WeakMap<object, boolean>();
