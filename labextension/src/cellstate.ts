/** What of a notebook's cells ran in the kernel that is there now. */
import type { Cell, CodeCell } from '@jupyterlab/cells';
import type { IError } from '@jupyterlab/nbformat';
import { NotebookActions } from '@jupyterlab/notebook';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { ICellText } from './prompts';

/** Remembers which kernel ran a cell, and which cell failed last. */
export class CellState {
  constructor(private _tracker: INotebookTracker) {
    NotebookActions.executed.connect(this._onExecuted, this);
    _tracker.widgetAdded.connect((_, panel) => {
      panel.sessionContext.statusChanged.connect((context, status) => {
        if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
          this._began.set(context, (this._began.get(context) ?? 0) + 1);
        }
      });
    });
  }

  /** A cell as the commands see it. */
  read(panel: NotebookPanel, cell: Cell): ICellText {
    const source = cell.model.sharedModel.source;
    const count = this._ranHere(panel, cell) ? (cell as CodeCell).model.executionCount : null;
    const error = errorOf(cell);
    return {
      source,
      count,
      error: error && {
        name: error.ename,
        message: error.evalue,
        traceback: error.traceback.join('\n')
      }
    };
  }

  /** Whether a cell is the one that failed last. */
  isLastError(panel: NotebookPanel, cell: Cell): boolean {
    return this._failed.get(panel.content) === cell.model.id;
  }

  private _ranHere(panel: NotebookPanel, cell: Cell): boolean {
    const ran = this._ran.get(cell.model);
    return ran !== undefined && ran === this._life(panel);
  }

  /** What tells one life of a kernel from the next. */
  private _life({ sessionContext }: NotebookPanel): string {
    return `${sessionContext.session?.kernel?.id} ${this._began.get(sessionContext) ?? 0}`;
  }

  private _onExecuted(
    _: unknown,
    { notebook, cell, success }: { notebook: NotebookPanel['content']; cell: Cell; success: boolean }
  ): void {
    const panel = this._tracker.find(item => item.content === notebook);
    if (!panel || cell.model.type !== 'code') {
      return;
    }
    this._ran.set(cell.model, this._life(panel));
    if (!success) {
      this._failed.set(notebook, cell.model.id);
    }
  }

  private _ran = new WeakMap<object, string>();
  private _began = new WeakMap<object, number>();
  private _failed = new WeakMap<object, string>();
}

/** The error that a cell ended with. */
function errorOf(cell: Cell): IError | null {
  if (cell.model.type !== 'code') {
    return null;
  }
  const outputs = (cell as CodeCell).model.outputs.toJSON();
  return (outputs.find(output => output.output_type === 'error') as IError | undefined) ?? null;
}
