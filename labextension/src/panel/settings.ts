/** The controls for model, thinking, effort, temperature, length of answers and tools. */
import type { JSONObject } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { focused, make } from '../card/dom';
import { list, object, text } from '../kernel/json';
import type { ISettings } from './state';

let controls = 0;

/** Shows the kernel's settings, and sets them. */
export class SettingsForm {
  readonly node = make('div', 'panel-controls');

  /**
   * @param set - Sets some of the settings.
   * @param models - The model ids to choose from and the default, asked for when they are wanted.
   */
  constructor(
    private _set: (some: JSONObject) => void,
    private _models: () => Promise<JSONObject | null>,
    private _trans: TranslationBundle
  ) {
    const trans = this._trans;
    this._list.id = `jp-DeepSeek-models-${++controls}`;
    this._model.setAttribute('list', this._list.id);
    this._model.placeholder = trans.__('the default');
    this._model.spellcheck = false;
    this._model.addEventListener('focus', () => void this._offer());
    this._model.addEventListener('change', () => this._set({ model: this._model.value.trim() }));
    this._choice(this._think, 'think', {
      auto: trans.__('as the model likes'),
      on: trans.__('on'),
      off: trans.__('off')
    });
    this._choice(this._effort, 'effort', {
      '': trans.__('as the model likes'),
      none: trans.__('none'),
      low: trans.__('low'),
      high: trans.__('high'),
      max: trans.__('highest')
    });
    this._number(this._temperature, 'temperature', { min: '0', max: '2', step: '0.1' });
    this._number(this._tokens, 'max_tokens', { min: '1', max: '1000000', step: '1' });
    for (const input of [this._temperature, this._tokens]) {
      input.placeholder = trans.__('the default');
    }
    this._tools.placeholder = trans.__('none; run_python, sql or your functions');
    this._tools.spellcheck = false;
    this._tools.addEventListener('change', () => {
      this._set({ tools: this._tools.value.split(/[\s,]+/).filter(Boolean) });
    });
    this.node.append(
      this._list,
      labelled(trans.__('Model'), this._model),
      labelled(trans.__('Thinking'), this._think),
      labelled(trans.__('Effort'), this._effort),
      labelled(trans.__('Temperature'), this._temperature),
      labelled(trans.__('Longest answer (tokens)'), this._tokens),
      labelled(trans.__('Tools'), this._tools)
    );
  }

  /** Show settings, but not over what is being typed. */
  update(settings: ISettings): void {
    const show = (input: HTMLInputElement | HTMLSelectElement, value: string) => {
      if (focused(input) !== input && input.value !== value) {
        input.value = value;
      }
    };
    show(this._model, settings.model);
    show(this._think, settings.think);
    show(this._effort, settings.effort);
    show(this._temperature, settings.temperature?.toString() ?? '');
    show(this._tokens, settings.max_tokens?.toString() ?? '');
    show(this._tools, settings.tools.join(', '));
  }

  private async _offer(): Promise<void> {
    const json = object(await this._models());
    const ids = list(json['models']).map(text);
    const standard = text(json['default']);
    if (standard) {
      this._model.placeholder = this._trans.__('the default (%1)', standard);
    }
    this._list.replaceChildren(
      ...ids.map(id => {
        const option = document.createElement('option');
        option.value = id;
        return option;
      })
    );
  }

  private _choice(node: HTMLSelectElement, name: string, options: Record<string, string>): void {
    for (const [value, label] of Object.entries(options)) {
      node.add(new Option(label, value));
    }
    node.addEventListener('change', () => this._set({ [name]: node.value }));
  }

  private _number(node: HTMLInputElement, name: string, bounds: Record<string, string>): void {
    node.type = 'number';
    Object.assign(node, bounds);
    node.addEventListener('change', () => {
      if (node.checkValidity()) {
        this._set({ [name]: node.value === '' ? null : Number(node.value) });
      }
    });
  }

  private _model = make('input', 'panel-input');
  private _list = document.createElement('datalist');
  private _think = make('select', 'panel-input');
  private _effort = make('select', 'panel-input');
  private _temperature = make('input', 'panel-input');
  private _tokens = make('input', 'panel-input');
  private _tools = make('input', 'panel-input');
}

function labelled(label: string, input: HTMLElement): HTMLElement {
  const node = make('label', 'panel-label');
  node.append(make('span', 'panel-label-text', label), input);
  return node;
}
