/**
 * What a kernel says of turns whose outputs this page missed, written to the outputs of the notebook.
 *
 * Display updates reach only the page that sent the request. After a reload, or where the connection
 * was lost, the record comes over the data comm instead (docs/record.md, "The last word").
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import type { JSONObject } from '@lumino/coreutils';
import { maybeObject, number, object, text } from '../kernel/json';
import { asOutput, isRunning, MIME_TYPE, readOutput } from '../kernel/record';
import { isExecuting } from './hostcell';
import type { ICommHub, ICommMessage } from '../tokens';

/** How long each page before this one may take, in milliseconds. */
const WAIT = 1000;

/** What is known of a turn. */
export interface INews {
  readonly id: string;
  /** The cell that asked, where this page may put an output that it does not have; else empty. */
  readonly cell: string;
  readonly bundle: JSONObject;
  /** How many pages write it before this one does. */
  readonly rank: number;
}

/** Read a message of the data comm; null for one that says nothing of an output. */
export function readNews(message: unknown): INews | null {
  const raw = object(message);
  const alone = raw['alone'] === true;
  const id = text(raw['id']);
  if (raw['type'] === 'snapshot' && alone) {
    const record = object(raw['record']) as JSONObject;
    const bundle = { [MIME_TYPE]: record, 'text/plain': '…' };
    return { id, cell: text(record['cell_id']), bundle, rank: 0 };
  }
  const bundle = maybeObject(raw['bundle']) as JSONObject | null;
  if (raw['type'] !== 'final' || !bundle) {
    return null;
  }
  return { id, cell: alone ? text(raw['cell']) : '', bundle, rank: number(raw['rank']) ?? 0 };
}

/** Write to the outputs of open notebooks what their kernels say. */
export function keepOutputs(hub: ICommHub, tracker: INotebookTracker): void {
  hub.messageReceived.connect((_: ICommHub, { kernel, message }: ICommMessage) => {
    const news = readNews(message);
    const panel =
      news && tracker.find(({ sessionContext }) => sessionContext.session?.kernel?.id === kernel.id);
    if (news && panel) {
      void panel.context.ready.then(() => settle(panel, news));
    }
  });
}

/** Write it where the notebook is behind, once another page should have done so and did not. */
export function settle(panel: NotebookPanel, news: INews): void {
  if (news.rank) {
    setTimeout(() => panel.isDisposed || write(panel, news), news.rank * WAIT);
  } else {
    write(panel, news);
  }
}

function write(panel: NotebookPanel, { id, cell, bundle }: INews): void {
  const cells = panel.content.widgets.filter(item => item.model.type === 'code') as CodeCell[];
  const output = { output_type: 'display_data', ...asOutput(bundle) } as never;
  for (const { model } of cells) {
    const at = findOutput(model, record => record.id === id);
    if (at >= 0) {
      isRunning(recordOf(model, at).status) && model.outputs.set(at, output);
      return;
    }
  }
  const host = cells.find(({ model }) => model.id === cell.split('#')[0]);
  if (host && !isExecuting({ panel, cell: host, index: 0 })) {
    // One without an id is this question's, from before it was settled.
    const earlier = findOutput(host.model, ({ id, cell_id }) => !id || cell_id === cell);
    earlier < 0 ? host.model.outputs.add(output) : host.model.outputs.set(earlier, output);
  }
}

function findOutput(
  model: ICodeCellModel,
  fits: (record: ReturnType<typeof readOutput>) => boolean
): number {
  for (let index = 0; index < model.outputs.length; index++) {
    if (MIME_TYPE in model.outputs.get(index).data && fits(recordOf(model, index))) {
      return index;
    }
  }
  return -1;
}

function recordOf(model: ICodeCellModel, index: number): ReturnType<typeof readOutput> {
  const { data, metadata } = model.outputs.get(index);
  return readOutput(data, metadata);
}
