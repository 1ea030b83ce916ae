/**
 * The cell that hosts a card, a proposal or an error in its output, and what their buttons do to its
 * notebook; each is one step for Undo.
 */
import { NotebookActions } from '@jupyterlab/notebook';
import type { CodeCell } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { ITranslator } from '@jupyterlab/translation';
import type { ICommHub } from '../tokens';

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

/** Find the notebook of a kernel. */
export function panelOf(
  tracker: INotebookTracker,
  kernel: Kernel.IKernelConnection
): NotebookPanel | undefined {
  return tracker.find(({ sessionContext }) => sessionContext.session?.kernel?.id === kernel.id);
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

/** How long a stop that was asked for may take before the kernel is interrupted. */
const PATIENCE = 250;

/** Put code into a new cell below; the index of the new cell. */
export function insertBelow(host: IHostCell, code: string): number {
  const { panel, index } = host;
  const shared = panel.content.model!.sharedModel;
  shared.transact(() => {
    shared.insertCell(index + 1, { cell_type: 'code', source: code, metadata: { trusted: true } });
  });
  panel.content.activeCellIndex = index + 1;
  panel.content.deselectAll();
  return index + 1;
}

/** Put code into the cell that holds the card, in place of its source. */
export function replaceCell(host: IHostCell, code: string): void {
  const shared = host.panel.content.model!.sharedModel;
  shared.transact(() => {
    host.cell.model.sharedModel.setSource(code);
  });
  host.panel.content.activeCellIndex = host.index;
}

/** Put code into a new cell below and run that. */
export async function runBelow(
  host: IHostCell,
  code: string,
  translator?: ITranslator
): Promise<void> {
  await run(host, insertBelow(host, code), translator);
}

/** Run the cell that holds the card again. */
export async function regenerate(host: IHostCell, translator?: ITranslator): Promise<void> {
  host.panel.content.activeCellIndex = host.index;
  host.panel.content.deselectAll();
  await run(host, host.index, translator);
}

/** Whether the cell that holds the card may be written to. */
export function isEditable(host: IHostCell): boolean {
  return host.cell.model.getMetadata('editable') !== false && !host.cell.readOnly;
}

/**
 * Stop a turn.
 *
 * The control comm is asked first: it stops this turn and nothing else. If it is missing, or the
 * turn still runs after a moment, the kernel is interrupted, as far as it is busy.
 */
export async function stop(
  id: string,
  host: IHostCell | null,
  hub: ICommHub | null,
  isRunning: () => boolean
): Promise<void> {
  const kernel = kernelOf(host);
  if (!kernel) {
    return;
  }
  if (hub?.tell(kernel, { type: 'stop', id })) {
    await new Promise(resolve => setTimeout(resolve, PATIENCE));
  }
  if (isRunning() && (isExecuting(host) || kernel.status === 'busy')) {
    await kernel.interrupt();
  }
}

async function run(host: IHostCell, index: number, translator?: ITranslator): Promise<void> {
  const { content, sessionContext } = host.panel;
  const cell = content.widgets[index];
  if (cell) {
    await NotebookActions.runCells(content, [cell], sessionContext, undefined, translator);
  }
}
