/**
 * Cells that ask are edited as Markdown, which a question is, and not as Python.
 *
 * The notebook sets the language of all its code cells when the kernel tells its own, and of each cell
 * it makes; views of one notebook share the cells' models. So each model is watched, and corrected.
 */
import type { ICellModel } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

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
