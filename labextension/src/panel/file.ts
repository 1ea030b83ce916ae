/** The turns that a notebook's file holds, as the panel shows them without a kernel. */
import { MIME_TYPE, readRecord } from '../record';
import type { ITurnRecord } from '../record';

/** Something with outputs, as nbformat writes them. */
export interface IOutputs {
  readonly outputs: readonly unknown[];
}

/**
 * The records in the outputs of cells, in an order in which each follows its parent.
 *
 * #### Notes
 * What the last of them belongs to is shown; the notebook may hold several conversations.
 */
export function savedTurns(cells: readonly IOutputs[]): ITurnRecord[] {
  const found = new Map<string, ITurnRecord>();
  for (const output of cells.flatMap(cell => cell.outputs)) {
    const data = (output as { data?: Record<string, unknown> } | null)?.data;
    if (data && data[MIME_TYPE]) {
      const record = readRecord(data[MIME_TYPE]);
      if (record.id && record.prompt) {
        found.set(record.id, record);
      }
    }
  }
  const records = [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1)); // ids tell the time
  const last = records[records.length - 1];
  return records.filter(record => record.conversation === last.conversation);
}
