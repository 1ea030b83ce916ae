/**
 * Cells that are dragged onto the panel. Each becomes an attachment of the next question.
 *
 * #### Notes
 * JupyterLab drags the selected cells as their JSON, and their widgets beside it. A panel in an
 * output is none: the notebook around it takes every drag of a cell for a move.
 */
import type { JSONObject, MimeData } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';
import { brief } from '../document';

const CELLS = 'application/vnd.jupyter.cells';
const WIDGETS = 'internal:cells';

/** A cell as it is sent along, with the place in its notebook, from 1. */
export interface IDropped {
  readonly label: string;
  readonly cell: JSONObject;
}

/** What Lumino's events of a drag have over a plain one. */
interface IDrag extends Event {
  readonly mimeData: MimeData;
  readonly relatedTarget: EventTarget | null;
  dropAction: string;
}

/** The cells of a drag; none where something else is dragged. */
export function droppedCells(data: MimeData): IDropped[] {
  const cells = data.getData(CELLS);
  const widgets = data.getData(WIDGETS);
  if (!Array.isArray(cells)) {
    return [];
  }
  return cells.map((cell: JSONObject, index) => {
    const place = placeOf(Array.isArray(widgets) ? widgets[index] : null) ?? index + 1;
    const count = cell['execution_count'];
    const label = typeof count === 'number' ? `In[${count}]` : `cell ${place}`;
    return { label, cell: { ...briefly(cell), place } };
  });
}

/** Take the cells that are dropped onto a node while it `accepts` them. */
export function takeCells(
  node: HTMLElement,
  accepts: () => boolean,
  take: (cells: readonly IDropped[]) => void
): void {
  const mark = (on: boolean) => void node.classList.toggle('jp-mod-dropTarget', on);
  const listen = (type: string, react: (event: IDrag) => void) => {
    node.addEventListener(type, event => {
      const drag = event as IDrag;
      if (drag.mimeData.hasData(CELLS) && accepts()) {
        drag.preventDefault();
        drag.stopPropagation();
        react(drag);
      }
    });
  };
  listen('lm-dragenter', () => mark(true));
  listen('lm-dragleave', ({ relatedTarget }) => mark(node.contains(relatedTarget as Node | null)));
  listen('lm-dragover', drag => {
    drag.dropAction = 'copy';
  });
  listen('lm-drop', drag => {
    mark(false);
    drag.dropAction = 'copy';
    take(droppedCells(drag.mimeData));
  });
}

/** Code with its outputs in short; of another cell its text. */
function briefly(cell: JSONObject): JSONObject {
  const { cell_type: type = '', source = '' } = cell;
  return brief(cell) ?? { cell_type: type, source };
}

function placeOf(widget: unknown): number | null {
  const cell = widget as Widget | null;
  const { widgets } = (cell?.parent ?? {}) as { widgets?: readonly Widget[] };
  const at = cell && widgets ? widgets.indexOf(cell) : -1;
  return at < 0 ? null : at + 1;
}
