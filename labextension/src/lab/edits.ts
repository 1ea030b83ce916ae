/**
 * Writes to cells what the kernel asks for, after the user has accepted it there.
 *
 * A cell is written only as long as it says what the kernel expects; of several cells all are
 * written or none. The counterpart is `deepseek_jupyter/display/pages.py`, the messages are in
 * docs/record.md.
 */
import { NotebookActions } from '@jupyterlab/notebook';
import type { Cell } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { JSONObject, JSONValue } from '@lumino/coreutils';
import type { ITranslator } from '@jupyterlab/translation';
import { panelOf } from '../card/hostcell';
import { METADATA } from '../kernel/record';
import { digest, readEditRequest } from '../kernel/requests';
import type { IChange, IEdit, IEditRequest, IInsertion } from '../kernel/requests';
import type { ICommHub, ICommMessage } from '../tokens';

/** The outcome of a request. */
interface IOutcome extends JSONObject {
  outcome: 'applied' | 'refused';
  why: string;
  provenance: JSONValue[];
}

/** Carries out what kernels ask for. */
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
