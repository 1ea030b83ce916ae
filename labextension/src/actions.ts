/**
 * What the card's buttons do to the notebook. Each is one step for Undo.
 */
import { NotebookActions } from '@jupyterlab/notebook';
import type { ITranslator } from '@jupyterlab/translation';
import { isExecuting, kernelOf } from './place';
import type { IPlace } from './place';
import type { ICommHub } from './tokens';

/** How long a stop that was asked for may take before the kernel is interrupted. */
const PATIENCE = 250;

/** Put code into a new cell below; the index of the new cell. */
export function insertBelow(place: IPlace, code: string): number {
  const { panel, index } = place;
  const shared = panel.content.model!.sharedModel;
  shared.transact(() => {
    shared.insertCell(index + 1, { cell_type: 'code', source: code, metadata: { trusted: true } });
  });
  panel.content.activeCellIndex = index + 1;
  panel.content.deselectAll();
  return index + 1;
}

/** Put code into the cell that holds the card, in place of what it says. */
export function replaceCell(place: IPlace, code: string): void {
  const shared = place.panel.content.model!.sharedModel;
  shared.transact(() => {
    place.cell.model.sharedModel.setSource(code);
  });
  place.panel.content.activeCellIndex = place.index;
}

/** Put code into a new cell below and run that. */
export async function runBelow(
  place: IPlace,
  code: string,
  translator?: ITranslator
): Promise<void> {
  await run(place, insertBelow(place, code), translator);
}

/** Run the cell that holds the card again. */
export async function regenerate(place: IPlace, translator?: ITranslator): Promise<void> {
  place.panel.content.activeCellIndex = place.index;
  place.panel.content.deselectAll();
  await run(place, place.index, translator);
}

/** Whether the cell that holds the card may be written to. */
export function isEditable(place: IPlace): boolean {
  return place.cell.model.getMetadata('editable') !== false && !place.cell.readOnly;
}

/**
 * Stop a turn.
 *
 * The control comm is asked first: it stops this turn and nothing else. If it is missing, or the
 * turn still runs after a moment, the kernel is interrupted, as far as it is busy.
 */
export async function stop(
  id: string,
  place: IPlace | null,
  hub: ICommHub | null,
  isRunning: () => boolean
): Promise<void> {
  const kernel = kernelOf(place);
  if (!kernel) {
    return;
  }
  if (hub?.stop(id, kernel)) {
    await new Promise(resolve => setTimeout(resolve, PATIENCE));
  }
  if (isRunning() && (isExecuting(place) || kernel.status === 'busy')) {
    await kernel.interrupt();
  }
}

async function run(place: IPlace, index: number, translator?: ITranslator): Promise<void> {
  const { content, sessionContext } = place.panel;
  const cell = content.widgets[index];
  if (cell) {
    await NotebookActions.runCells(content, [cell], sessionContext, undefined, translator);
  }
}
