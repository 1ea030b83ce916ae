/**
 * The attachments of a question as chips: what it mentions with `@`, each with how much of it may be
 * sent, and cells that were dragged onto the panel.
 *
 * #### Notes
 * JupyterLab drags the selected cells as their JSON, together with their widgets. A panel in an output
 * takes no cells: the notebook around it takes every drag of a cell for a move.
 */
import { closeIcon } from '@jupyterlab/ui-components';
import type { JSONObject, MimeData } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';
import { button, make, say, textButton } from '../card/dom';
import { shareOf } from '../card/parts';
import { summarizeCell } from '../kernel/requests';
import type { IName } from './composer';

/** Types that have columns, and so a policy. */
export const FRAMES = /^(?:DataFrame|LazyFrame|Series|Table|RecordBatch|DuckDBPyRelation)$/;

/** How long nothing is written before the context is measured, in milliseconds. */
const REST = 600;

const POLICIES = ['', 'schema', 'stats', 'sample', 'full', 'none'];

/** Shows the chips. */
export class QuestionAttachments {
  readonly node = make('div', 'panel-attached');

  /**
   * @param preview - Shows what would be sent.
   * @param _measure - Asks the kernel how full the context would be; null where it cannot say.
   */
  constructor(
    preview: () => void,
    private _measure: () => Promise<string | null>,
    private _trans: TranslationBundle
  ) {
    this._preview = textButton('panel-textbutton', _trans.__('Show what would be sent'), preview);
    this._chips.setAttribute('aria-label', _trans.__('Attached'));
    this.node.append(this._chips, this._preview, this._gauge);
    this._show();
  }

  /** The fields of a request: policies of the user's choice as `name:policy`, and cells. */
  get fields(): JSONObject {
    const attach = this._names
      .map(({ name }) => [name, this._policies.get(name)])
      .filter(([, policy]) => policy)
      .map(pair => pair.join(':'));
    const cells = this._cells.map(({ cell }) => cell);
    return { ...(attach.length ? { attach } : {}), ...(cells.length ? { cells } : {}) };
  }

  /** The policy of what a question says nothing of. */
  set policy(policy: string) {
    if (policy !== this._policy) {
      this._policy = policy;
      this._show();
    }
  }

  /** Show the chips of a prompt. A policy that was chosen for a name is kept for the next one. */
  update(prompt: string, names: readonly IName[]): void {
    this._written = prompt.trim() !== '';
    const same = names.map(({ name }) => name).join() === this._names.map(({ name }) => name).join();
    this._names = names;
    this._show(!same);
  }

  /** Attach cells; one that is there already is taken as it is now. */
  add(cells: readonly IDropped[]): void {
    const labels = new Set(cells.map(({ label }) => label));
    this._cells = [...this._cells.filter(({ label }) => !labels.has(label)), ...cells];
    this._show();
  }

  /** Let go of the cells, which went out; returns them. */
  release(): readonly IDropped[] {
    const cells = this._cells;
    this._cells = [];
    this._show();
    return cells;
  }

  private _show(changed = true): void {
    this.node.hidden = !this._written && !this._cells.length;
    if (changed) {
      const chips = [...this._names.map(name => this._chip(name)), ...this._cells.map(c => this._cell(c))];
      this._chips.replaceChildren(...chips);
      this._chips.hidden = !chips.length;
    }
    this.measure();
  }

  /** Show how full the context would be, once nothing is written for a while. */
  measure(): void {
    clearTimeout(this._timer);
    if (!this._written) {
      say(this._gauge, '');
      return;
    }
    const timer = window.setTimeout(async () => {
      const found = await this._measure();
      if (timer === this._timer) {
        say(this._gauge, found ?? '');
      }
    }, REST);
    this._timer = timer;
  }

  private _cell(dropped: IDropped): HTMLElement {
    const chip = make('li', 'chip', dropped.label);
    chip.title = String(dropped.cell['source']);
    chip.append(
      button(closeIcon, this._trans.__('Do not attach %1', dropped.label), () => {
        this._cells = this._cells.filter(other => other !== dropped);
        this._show();
      })
    );
    return chip;
  }

  private _chip({ name, type, shape }: IName): HTMLElement {
    const trans = this._trans;
    const chip = make('li', 'chip', `@${name}`);
    chip.append(make('span', 'chip-note', [type, shape].filter(Boolean).join(' ')));
    if (FRAMES.test(type)) {
      const select = make('select', 'panel-policy');
      select.setAttribute('aria-label', trans.__('What of %1 may be sent', name));
      const usual = shareOf(this._policy || 'sample', trans);
      POLICIES.filter(policy => !policy || shareOf(policy, trans) !== usual).forEach(policy =>
        select.add(new Option(shareOf(policy || this._policy || 'sample', trans), policy))
      );
      select.value = this._policies.get(name) ?? '';
      select.addEventListener('change', () => {
        this._policies.set(name, select.value);
        this.measure();
      });
      chip.append(select);
    }
    return chip;
  }

  private _chips = make('ul', 'chips');
  private _gauge = make('span', 'panel-gauge');
  private _timer = 0;
  private _preview: HTMLButtonElement;
  private _policies = new Map<string, string>();
  private _names: readonly IName[] = [];
  private _cells: readonly IDropped[] = [];
  private _policy = '';
  private _written = false;
}

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
export function acceptCells(
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
  return summarizeCell(cell, Infinity) ?? { cell_type: type, source };
}

function placeOf(widget: unknown): number | null {
  const cell = widget as Widget | null;
  const { widgets } = (cell?.parent ?? {}) as { widgets?: readonly Widget[] };
  const at = cell && widgets ? widgets.indexOf(cell) : -1;
  return at < 0 ? null : at + 1;
}
