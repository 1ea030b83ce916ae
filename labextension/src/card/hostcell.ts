/**
 * The cell that hosts a card, a proposal or an error in its output: what their buttons do to its
 * notebook, each one step for Undo; and what a kernel says of turns whose outputs this page missed.
 *
 * Display updates reach only the page that sent the request. After a reload, or where the connection
 * was lost, the record comes over the data comm instead (docs/record.md, "The last word").
 */
import { NotebookActions } from '@jupyterlab/notebook';
import type { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { ITranslator } from '@jupyterlab/translation';
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
import type { Status } from '../kernel/record';
import type { ICommHub, ICommMessage } from '../tokens';

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
