/**
 * The notebook's code cells as they stand at this moment, for a kernel that asks (`--cells`).
 *
 * The counterpart is `deepseek_jupyter/asking/notebook_cells.py`. What the kernel would not show anyway
 * (pictures, long outputs) is not sent.
 */
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import { list, object, text } from './json';
import type { ICommHub } from './tokens';

/** How much of one output is told, in characters. */
const LONGEST = 4000;

/** Answer kernels that ask for the document of their notebook. */
export function tellDocuments(hub: ICommHub, tracker: INotebookTracker): void {
  hub.told.connect((_, { kernel, message }) => {
    const ask = asked(message);
    const cells = ask && cellsFor(kernel, tracker);
    if (ask && cells) {
      // The kernel has other sources; one that is gone needs none.
      hub.request(kernel, 'document', { ask, cells }).catch(() => undefined);
    }
  });
}

/** The number of the question, where a message asks for the document; else null. */
export function asked(message: unknown): string | null {
  const { type, ask } = object(message);
  return type === 'document' && typeof ask === 'string' ? ask : null;
}

/** A code cell of a notebook's JSON without what nobody needs; null for other cells. */
export function brief(cell: JSONObject): JSONObject | null {
  if (cell['cell_type'] !== 'code') {
    return null;
  }
  const outputs = list(cell['outputs']) as JSONObject[];
  return {
    cell_type: 'code',
    id: cell['id'] ?? '',
    source: joined(cell['source']),
    execution_count: cell['execution_count'] ?? null,
    outputs: outputs.map(briefOutput)
  };
}

function briefOutput(output: JSONObject): JSONObject {
  const kept: JSONObject = { output_type: output['output_type'] ?? '' };
  for (const name of ['text', 'ename', 'evalue']) {
    if (name in output) {
      kept[name] = joined(output[name]).slice(0, LONGEST);
    }
  }
  const data = output['data'];
  if (data && typeof data === 'object') {
    const entries = Object.entries(data as JSONObject).map(([type, value]) => [
      type,
      /^text\/(?:plain|html)$/.test(type) ? joined(value).slice(0, LONGEST) : ''
    ]);
    kept['data'] = Object.fromEntries(entries) as JSONObject;
  }
  return kept;
}

/** A multi-line string of the notebook format. */
function joined(value: unknown): string {
  return Array.isArray(value) ? value.join('') : text(value);
}

function cellsFor(
  kernel: Kernel.IKernelConnection,
  tracker: INotebookTracker
): JSONObject[] | null {
  const panel = tracker.find(item => item.sessionContext.session?.kernel?.id === kernel.id);
  const cells = panel?.content.model?.sharedModel.cells;
  return cells
    ? cells.map(cell => brief(cell.toJSON() as unknown as JSONObject)).filter(cell => cell !== null)
    : null;
}
