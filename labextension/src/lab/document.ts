/**
 * The notebook's document: its code cells as its kernel asks for them, its id, the language of its cells.
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
 */
import type { ICellModel } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import { panelOf } from '../card/hostcell';
import { object } from '../kernel/json';
import { METADATA } from '../kernel/record';
import { summarizeCell } from '../kernel/requests';
import { isNotebookStatus, readNotebookStatus } from './statusbar';
import type { ICommHub } from '../tokens';

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
