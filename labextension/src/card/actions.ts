/** What the buttons of a card do to its notebook; each is one step for Undo. */
import { NotebookActions } from '@jupyterlab/notebook';
import type { ITranslator } from '@jupyterlab/translation';
import { isExecuting, kernelOf } from './hostcell';
import type { ICommHub } from '../tokens';
import type { IHostCell } from './hostcell';

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
  if (hub?.stop(id, kernel)) {
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
