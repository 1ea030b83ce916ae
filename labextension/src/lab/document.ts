/**
 * The notebook's document: its code cells as its kernel asks for them and writes to them, its id, the
 * language of its cells.
 *
 * A kernel asks for the cells (`--cells`); the counterpart is `deepseek_jupyter/asking/`. What it would
 * not show anyway (pictures, long outputs) is not sent.
 *
 * A kernel also says which notebook this is, and the id is kept in the notebook's metadata, so that
 * it is known again under another name. The kernel decides (`deepseek_jupyter/conversation/`): a copy
 * gets an id of its own. A notebook in which nothing was asked is left as it is.
 *
 * Cells that ask are edited as Markdown, which a question is, and not as Python. The notebook sets the
 * language of all its code cells when the kernel tells its own, and of each cell it makes; views of one
 * notebook share the cells' models. So each model is watched, and corrected.
 *
 * A cell is written to after the user has accepted that in the kernel, and only as long as it says what the
 * kernel expects; of several cells all are written or none (`deepseek_jupyter/display/pages.py`; the messages
 * are in docs/record.md).
 */
import { NotebookActions } from '@jupyterlab/notebook';
import type { Cell, ICellModel } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { ITranslator } from '@jupyterlab/translation';
import type { JSONObject, JSONValue } from '@lumino/coreutils';
import { panelOf } from '../card/hostcell';
import { object } from '../kernel/json';
import { METADATA } from '../kernel/record';
import { digest, readEditRequest, summarizeCell } from '../kernel/requests';
import { isNotebookStatus, readNotebookStatus } from './statusbar';
import type { IChange, IEdit, IEditRequest, IInsertion } from '../kernel/requests';
import type { ICommHub, ICommMessage } from '../tokens';

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

function cellsFor(
  kernel: Kernel.IKernelConnection,
  tracker: INotebookTracker
): JSONObject[] | null {
  const cells = panelOf(tracker, kernel)?.content.model?.sharedModel.cells;
  return cells
    ? cells.map(cell => summarizeCell(cell.toJSON() as unknown as JSONObject)).filter(cell => cell !== null)
    : null;
}

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

/** The language of Lab's own Markdown cells. */
const MARKDOWN = 'text/x-ipythongfm';

/** Whether a source is a question: its first line is the magic, alone or with flags. */
export function isQuestion(source: string): boolean {
  return /^%%(?:ds|deepseek)(?:[ \t]|$)/m.test(source.split('\n', 1)[0]);
}

/** Keep the language of cells right, in every notebook. */
export function watchCells(tracker: INotebookTracker): void {
  const watch = (panel: NotebookPanel) => {
    const { content } = panel;
    const cells = () => {
      for (const cell of content.model?.cells ?? []) {
        watchCell(cell, content);
      }
    };
    const begin = () => {
      content.model?.cells.changed.connect(cells);
      cells();
    };
    content.modelChanged.connect(begin);
    begin();
  };
  tracker.widgetAdded.connect((_, panel) => watch(panel));
  tracker.forEach(watch);
}

const watched = new WeakSet<ICellModel>();

function watchCell(cell: ICellModel, notebook: NotebookPanel['content']): void {
  if (cell.type !== 'code') {
    return;
  }
  const correct = () => {
    if (isQuestion(cell.sharedModel.source)) {
      cell.mimeType = MARKDOWN;
    } else if (cell.mimeType === MARKDOWN) {
      cell.mimeType = notebook.codeMimetype;
    }
  };
  if (!watched.has(cell)) {
    watched.add(cell);
    cell.contentChanged.connect(correct);
    cell.mimeTypeChanged.connect(correct);
  }
  correct();
}

/** The outcome of a request. */
interface IOutcome extends JSONObject {
  outcome: 'applied' | 'refused';
  why: string;
  provenance: JSONValue[];
}

/** Writes to cells what kernels ask for. */
export class CellWriter {
  constructor(
    private _hub: ICommHub,
    private _tracker: INotebookTracker,
    private _translator?: ITranslator
  ) {
    _hub.messageReceived.connect(this._onMessage, this);
  }

  private _onMessage(_: ICommHub, { kernel, message }: ICommMessage): void {
    const request = readEditRequest(message);
    if (!request) {
      return;
    }
    const panel = panelOf(this._tracker, kernel);
    const outcome = panel ? this._write(panel, request) : refused('The notebook is not open here.');
    this._hub.request(kernel, 'edited', { id: request.id, ...outcome }).catch(() => undefined);
  }

  private _write(panel: NotebookPanel, request: IEditRequest): IOutcome {
    if (!panel.content.model || panel.content.model.readOnly) {
      return refused('The notebook is read-only.');
    }
    return request.type === 'edit' ? this._edit(panel, request) : this._insert(panel, request);
  }

  private _edit(panel: NotebookPanel, { edits, run }: IEdit): IOutcome {
    const cells: Cell[] = [];
    for (const edit of edits) {
      const cell = panel.content.widgets.find(item => item.model.id === edit.cell_id);
      const why = cell ? reason(cell, edit) : 'The cell is no longer in the notebook.';
      if (why) {
        return refused(why);
      }
      cells.push(cell!);
    }
    const provenance = cells.map(cell => cell.model.getMetadata(METADATA) ?? null);
    panel.content.model!.sharedModel.transact(() => {
      cells.forEach((cell, index) => change(cell, edits[index]!));
    });
    if (run) {
      const order = panel.content.widgets.filter(cell => cells.includes(cell));
      this._run(panel, order);
    }
    return { outcome: 'applied', why: '', provenance };
  }

  private _insert(panel: NotebookPanel, insertion: IInsertion): IOutcome {
    const { widgets } = panel.content;
    const index = widgets.findIndex(cell => cell.model.id === insertion.after);
    if (index < 0) {
      return refused('The cell that asked is no longer in the notebook.');
    }
    const old = ofEarlierRun(widgets.slice(index + 1), insertion.after).map(cell => cell.model.id);
    const shared = panel.content.model!.sharedModel;
    shared.transact(() => {
      for (const id of old) {
        shared.deleteCell(shared.cells.findIndex(cell => cell.getId() === id));
      }
      const cells = insertion.sources.map(source => ({
        cell_type: 'code',
        source,
        metadata: {
          trusted: true,
          [METADATA]: { ...insertion.provenance, asked: insertion.after, hash: digest(source) }
        }
      }));
      shared.insertCells(index + 1, cells);
    });
    if (insertion.run) {
      this._run(panel, panel.content.widgets.slice(index + 1, index + 1 + insertion.sources.length));
    }
    return { outcome: 'applied', why: '', provenance: [] };
  }

  private _run(panel: NotebookPanel, cells: readonly Cell[]): void {
    const { content, sessionContext } = panel;
    void NotebookActions.runCells(content, cells, sessionContext, undefined, this._translator);
  }
}

/** Why a cell must not be written to; empty if it may. */
function reason(cell: Cell, { expect }: IChange): string {
  if (cell.model.getMetadata('editable') === false) {
    return 'The cell is locked.';
  }
  const same = cell.model.sharedModel.getSource().trimEnd() === expect.trimEnd();
  return same ? '' : 'The cell was changed in the meantime.';
}

function change(cell: Cell, { source, provenance }: IChange): void {
  cell.model.sharedModel.setSource(source);
  if (provenance) {
    cell.model.setMetadata(METADATA, provenance);
  } else {
    cell.model.deleteMetadata(METADATA);
  }
}

/** The cells right below that an earlier run put there and that are unchanged since. */
function ofEarlierRun(below: readonly Cell[], asked: string): Cell[] {
  const of = (cell: Cell) => cell.model.getMetadata(METADATA) as JSONObject | undefined;
  const end = below.findIndex(cell => of(cell)?.['asked'] !== asked);
  return below
    .slice(0, end < 0 ? below.length : end)
    .filter(cell => of(cell)!['hash'] === digest(cell.model.sharedModel.getSource()));
}

function refused(why: string): IOutcome {
  return { outcome: 'refused', why, provenance: [] };
}
