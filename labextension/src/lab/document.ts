/**
 * The notebook's document, for its kernel: the code cells as they are now, and the notebook's id.
 *
 * A kernel asks for the cells (`--cells`); the counterpart is `deepseek_jupyter/asking/`. What it would
 * not show anyway (pictures, long outputs) is not sent.
 *
 * A kernel also says which notebook this is, and the id is kept in the notebook's metadata, so that
 * it is known again under another name. The kernel decides (`deepseek_jupyter/conversation/`): a copy
 * gets an id of its own. A notebook in which nothing was asked is left as it is.
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import { list, object, text } from '../kernel/json';
import { isNotebookStatus, readNotebookStatus } from './status';
import type { ICommHub } from '../tokens';

/** How much of one output is sent, in characters. */
const LONGEST = 4000;

/** Answer kernels that ask for the document of their notebook. */
export function sendDocuments(hub: ICommHub, tracker: INotebookTracker): void {
  hub.messageReceived.connect((_, { kernel, message }) => {
    const ask = documentRequest(message);
    const cells = ask && cellsFor(kernel, tracker);
    if (ask && cells) {
      // The kernel has other sources; one that is gone needs none.
      hub.request(kernel, 'document', { ask, cells }).catch(() => undefined);
    }
  });
}

/** The number of the question, where a message asks for the document; else null. */
export function documentRequest(message: unknown): string | null {
  const { type, ask } = object(message);
  return type === 'document' && typeof ask === 'string' ? ask : null;
}

/**
 * The parts of a code cell's JSON that the kernel needs; null for other cells. Texts of outputs are cut
 * to what a page needs to send of a whole document.
 */
export function summarizeCell(cell: JSONObject, longest = LONGEST): JSONObject | null {
  if (cell['cell_type'] !== 'code') {
    return null;
  }
  const outputs = list(cell['outputs']) as JSONObject[];
  const written = (object(cell['metadata'])[METADATA] ?? null) as JSONObject | null; // by whom
  return {
    ...(written ? { metadata: { [METADATA]: written } } : {}),
    cell_type: 'code',
    id: cell['id'] ?? '',
    source: joined(cell['source']),
    execution_count: cell['execution_count'] ?? null,
    outputs: outputs.map(output => summarizeOutput(output, longest))
  };
}

function summarizeOutput(output: JSONObject, longest: number): JSONObject {
  const kept: JSONObject = { output_type: output['output_type'] ?? '' };
  for (const name of ['text', 'ename', 'evalue']) {
    if (name in output) {
      kept[name] = joined(output[name]).slice(0, longest);
    }
  }
  const data = output['data'];
  if (data && typeof data === 'object') {
    const entries = Object.entries(data as JSONObject).map(([type, value]) => [
      type,
      /^text\/(?:plain|html)$/.test(type) ? joined(value).slice(0, longest) : ''
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
    ? cells.map(cell => summarizeCell(cell.toJSON() as unknown as JSONObject)).filter(cell => cell !== null)
    : null;
}

/** The key of the notebook's metadata; Python: `conversation/restore.py`. */
export const METADATA = 'deepseek';

/** Write the ids that kernels send. */
export function keepNotebookId(hub: ICommHub, tracker: INotebookTracker): void {
  hub.messageReceived.connect((_, { kernel, message }) => {
    const status = isNotebookStatus(message) ? readNotebookStatus(message) : null;
    if (status?.asked && status.notebook) {
      tracker
        .filter(panel => panel.sessionContext.session?.kernel?.id === kernel.id)
        .forEach(panel => write(panel, status.notebook!));
    }
  });
}

function write({ content }: NotebookPanel, notebook: string): void {
  const shared = content.model?.sharedModel;
  const before = shared?.getMetadata(METADATA);
  const known = before && typeof before === 'object' && !Array.isArray(before) ? before : {};
  if (shared && known['notebook'] !== notebook) {
    shared.setMetadata(METADATA, { ...known, notebook });
  }
}
