/** The chips of what a question mentions with `@`: each with how much of it may go out. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { make } from '../dom';
import type { IName } from './complete';

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
    this.node.hidden = true;
  }

  /** What is attached with a policy of the user's choice: `name:policy`. */
  get specifications(): string[] {
    return [...this._policies].filter(([, policy]) => policy).map(([name, policy]) => `${name}:${policy}`);
  }

  /** Show the chips of a prompt. */
  update(prompt: string, names: readonly IName[]): void {
    this.node.hidden = !prompt.trim();
    const shown = names.map(({ name }) => name).join();
    if (shown === this._shown) {
      return;
    }
    this._shown = shown;
    const kept = new Map(names.map(({ name }) => [name, this._policies.get(name) ?? '']));
    this._policies = kept;
    this._chips.replaceChildren(...names.map(name => this._chip(name)));
    this._chips.hidden = !names.length;
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
  private _shown = '';
}
