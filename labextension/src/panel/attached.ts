/**
 * The chips of what goes along with a question: what it mentions with `@`, each with how much of it
 * may go out, and cells that were dragged in.
 */
import { closeIcon } from '@jupyterlab/ui-components';
import type { JSONObject } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { button, make } from '../dom';
import type { IName } from './complete';
import type { IDropped } from './drop';

/** Types that have columns, and so a policy. */
const FRAMES = /^(?:DataFrame|LazyFrame|Series|Table|RecordBatch|DuckDBPyRelation)$/;

const POLICIES = ['', 'schema', 'stats', 'sample', 'full', 'none'];

/** Shows the chips. */
export class Attached {
  readonly node = make('div', 'panel-attached');

  /** @param preview - Shows what would be sent. */
  constructor(preview: () => void, private _trans: TranslationBundle) {
    this._preview = make('button', 'panel-textbutton', _trans.__('Show what would be sent'));
    this._preview.type = 'button';
    this._preview.addEventListener('click', preview);
    this._chips.setAttribute('aria-label', _trans.__('Attached'));
    this.node.append(this._chips, this._preview);
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

  private _show(anew = true): void {
    this.node.hidden = !this._written && !this._cells.length;
    if (anew) {
      const chips = [...this._names.map(name => this._chip(name)), ...this._cells.map(c => this._cell(c))];
      this._chips.replaceChildren(...chips);
      this._chips.hidden = !chips.length;
    }
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
      const labels: Record<string, string> = {
        '': trans.__('by policy'),
        none: trans.__('nothing'),
        schema: trans.__('names and types'),
        stats: trans.__('statistics'),
        sample: trans.__('some rows'),
        full: trans.__('all rows')
      };
      const select = make('select', 'panel-policy');
      select.setAttribute('aria-label', trans.__('What of %1 may be sent', name));
      POLICIES.forEach(policy => select.add(new Option(labels[policy], policy)));
      select.value = this._policies.get(name) ?? '';
      select.addEventListener('change', () => void this._policies.set(name, select.value));
      chip.append(select);
    }
    return chip;
  }

  private _chips = make('ul', 'chips');
  private _preview: HTMLButtonElement;
  private _policies = new Map<string, string>();
  private _names: readonly IName[] = [];
  private _cells: readonly IDropped[] = [];
  private _written = false;
}
