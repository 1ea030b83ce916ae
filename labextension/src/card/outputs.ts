/**
 * What a kernel says of turns whose outputs this page missed, written to the outputs of the notebook.
 *
 * Display updates reach only the page that sent the request. After a reload, or where the connection
 * was lost, the record comes over the data comm instead (docs/record.md, "The last word").
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import type { JSONObject } from '@lumino/coreutils';
import { list, maybeObject, number, object, text } from '../kernel/json';
import {
  asOutput,
  COMPARE_MIME,
  isRunning,
  MIME_TYPE,
  readComparison,
  readRecords
} from '../kernel/record';
import { isExecuting, panelOf } from './hostcell';
import type { Status } from '../kernel/record';
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
    const panel = news && panelOf(tracker, kernel);
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
  for (const { model } of cells) {
    for (let at = 0; at < model.outputs.length; at++) {
      const { data, metadata } = outputOf(model, at);
      const now = withNews(data, id, bundle, metadata);
      if (now) {
        now !== data && model.outputs.set(at, shown(now));
        return;
      }
    }
  }
  const host = cells.find(({ model }) => model.id === cell.split('#')[0]);
  if (host && !isExecuting({ panel, cell: host, index: 0 })) {
    const { outputs } = host.model;
    // One without an id is this question's, from before it was settled.
    const mine = (at: number) => {
      const { data, metadata } = outputOf(host.model, at);
      return readRecords(data, metadata).some(({ id, cell_id }) => !id || cell_id === cell);
    };
    const earlier = [...Array(outputs.length).keys()].find(mine);
    const output = shown(comparisonOf(bundle));
    earlier === undefined ? outputs.add(output) : outputs.set(earlier, output);
  }
}

/**
 * The data of an output with what is known of the turn or comparison `id`: as it is where that had
 * ended; null where it shows another.
 */
export function withNews(
  data: JSONObject,
  id: string,
  bundle: JSONObject,
  metadata: JSONObject = {}
): JSONObject | null {
  const running = ({ status }: { status: Status }) => isRunning(status);
  const compared = readComparison(data);
  if (!compared || compared.id === id) {
    const records = readRecords(data, metadata);
    const here = compared ? true : records.some(record => record.id === id);
    return here ? (records.some(running) ? bundle : data) : null;
  }
  const at = compared.turns.findIndex(({ record }) => record.id === id);
  if (at < 0 || !running(compared.turns[at].record)) {
    return at < 0 ? null : data;
  }
  const raw = object(data[COMPARE_MIME]) as JSONObject;
  const turns = list(raw['turns']).map((turn, index) => (index === at ? bundle : turn));
  return { ...data, [COMPARE_MIME]: { ...raw, turns } } as JSONObject;
}

/** The output of the comparison that a turn is of, as far as the turn says; else the turn's own. */
export function comparisonOf(bundle: JSONObject): JSONObject {
  const { compare } = object(bundle[MIME_TYPE]);
  const { id, turns } = object(compare);
  const own = text(object(bundle[MIME_TYPE])['id']);
  const bundles = list(turns).map(id => (id === own ? bundle : { [MIME_TYPE]: { id, compare, status: 'waiting' } }));
  return bundles.length ? ({ [COMPARE_MIME]: { schema: 1, id, turns: bundles } } as JSONObject) : bundle;
}

function shown(data: JSONObject): never {
  return { output_type: 'display_data', ...asOutput(data) } as never;
}

function outputOf(model: ICodeCellModel, index: number): { data: JSONObject; metadata: JSONObject } {
  const { data, metadata } = model.outputs.get(index);
  return { data: data as JSONObject, metadata: metadata as JSONObject };
}
