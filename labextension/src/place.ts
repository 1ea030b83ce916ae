/** Where a card stands: the notebook and the cell whose output it is. */
import type { CodeCell } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';

/** A cell of a notebook that is open. */
export interface IPlace {
  readonly panel: NotebookPanel;
  readonly cell: CodeCell;
  readonly index: number;
}

/** Find the cell that shows an element; null outside of notebooks. */
export function findPlace(tracker: INotebookTracker | null, node: HTMLElement): IPlace | null {
  const panel = tracker?.find(item => item.node.contains(node));
  if (!panel) {
    return null;
  }
  const index = panel.content.widgets.findIndex(cell => cell.node.contains(node));
  const cell = panel.content.widgets[index];
  return cell?.model.type === 'code' ? { panel, cell: cell as CodeCell, index } : null;
}

/** The kernel of a place. */
export function kernelOf(place: IPlace | null): Kernel.IKernelConnection | null {
  return place?.panel.sessionContext.session?.kernel ?? null;
}

/**
 * Whether this page waits for a cell to end.
 *
 * #### Notes
 * Neither a kernel's status tells (it is idle as soon as one of its subshells is) nor whether the
 * request is disposed of (it is kept), only that the request is not done.
 */
export function isExecuting(place: IPlace | null): boolean {
  const future = place?.cell.outputArea.future as Kernel.IFuture<never, never> | undefined;
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
