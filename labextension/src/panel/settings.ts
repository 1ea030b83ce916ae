/** The controls of the kernel's settings: all in the drawer, those that change most at the composer. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';
import { focused, make, say, textButton } from '../card/dom';
import { list, object, text } from '../kernel/json';
import { said } from '../said';
import type { ISettings } from './state';

let controls = 0;

/** Shows model, thinking, effort, temperature, length of answers and tools, and sets them. */
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
    this._tools.placeholder = trans.__('e.g. sql, run_python');
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

/** What the controls ask for. */
export interface IQuickActions {
  set(some: JSONObject): void;
  /** The provider's title, its models and the one that is used when none is set. */
  models(): Promise<JSONObject | null>;
  /** The provider's title, the model that is used when none is set, what a web search means; no more. */
  standard(): Promise<JSONObject | null>;
  /** What a question is asked with is another. */
  changed(): void;
}

/** Shows which model answers and whether it thinks, and sets both. */
export class QuickSettings {
  readonly node = make('div', 'panel-quick');

  constructor(private _actions: IQuickActions, private _trans: TranslationBundle) {
    const { _model: model } = this;
    model.setAttribute('aria-label', _trans.__('Model'));
    model.addEventListener('pointerdown', () => void this._offer());
    model.addEventListener('focus', () => void this._offer());
    model.addEventListener('change', () => _actions.set({ model: model.value }));
    this._think = textButton('panel-pick', _trans.__('Think'), () =>
      _actions.set({ think: this._thinks ? 'auto' : 'on' })
    );
    this._think.title = _trans.__('Let the model think before it answers');
    this._web = textButton('panel-pick', _trans.__('Web'), () => (this.web = !this.web));
    this._web.classList.add('jp-DeepSeek-panel-globe');
    this._web.hidden = true;
    this.web = false;
    const { _variants: variants } = this;
    const compare = textButton('panel-pick', _trans.__('Compare'), () => {
      variants.hidden = !variants.hidden;
      compare.setAttribute('aria-pressed', String(!variants.hidden));
      variants.hidden || variants.focus();
    });
    compare.title = _trans.__('Ask several models at once, side by side');
    compare.setAttribute('aria-pressed', 'false');
    variants.hidden = true;
    variants.placeholder = 'deepseek-flash, deepseek-v4-pro?think=off';
    variants.setAttribute('aria-label', _trans.__('Variants, with commas between them'));
    variants.addEventListener('keydown', event => event.stopPropagation());
    this.node.append(model, this._then, this._think, this._web, compare, variants);
  }

  /** Show the settings; `used` is the model of the newest answer. */
  update(settings: ISettings, used: string, live: boolean): void {
    this._thinks = settings.think === 'on';
    this._think.setAttribute('aria-pressed', String(this._thinks));
    this._think.disabled = this._model.disabled = !live;
    const [first = '', ...more] = settings.fallback;
    const rest = more.length ? ` +${more.length}` : '';
    say(this._then, first && this._trans.__('else %1', first.split(':')[0] + rest));
    this._then.title = this._trans.__(
      'If it is turned away the question goes on to: %1. What would be sent tells prices, and which may not have it.',
      settings.fallback.join(', ')
    );
    const asked = JSON.stringify([settings.provider, settings.model]);
    if (live && asked !== this._asked) {
      this._asked = asked;
      this._reading = this._actions.standard().then(json => this._take(object(json)));
      this._reading.catch(() => (this._asked = ''));
    }
    if (focused(this._model) !== this._model) {
      this._default = settings.model ? this._default : used || this._default;
      this._fill(settings.model);
    }
  }

  /** What a question is asked with besides. */
  get fields(): JSONObject {
    const variants = this._variants.hidden ? [] : this._variants.value.split(',');
    const named = variants.map(name => name.trim()).filter(Boolean);
    return { ...(named.length ? { variants: named } : {}), ...(this.web ? { web: true } : {}) };
  }

  /** Whether the next question may be searched for. */
  get web(): boolean {
    return this._web.getAttribute('aria-pressed') === 'true' && !this._web.hidden;
  }
  set web(web: boolean) {
    this._web.setAttribute('aria-pressed', String(web));
    this._actions.changed();
  }

  /** The model that is used when none is set and whose it is, in words. */
  async standard(): Promise<string> {
    await this._reading;
    return [this._default, this._model.title].filter(Boolean).join(', ');
  }

  private _take(json: Record<string, unknown>): void {
    this._default = text(json['default']) || this._default;
    this._model.title = text(json['provider']);
    const web = said(text(json['web']));
    this._web.hidden = !web;
    this._web.title = web;
    this._fill(this._model.value);
  }

  private async _offer(): Promise<void> {
    if (this._offered) {
      return;
    }
    this._offered = true;
    const json = object(await this._actions.models());
    this._models = list(json['models']).map(text).filter(Boolean);
    this._offered = this._models.length > 0;
    this._take(json);
  }

  private _fill(chosen: string): void {
    const ids = new Set([...this._models, chosen].filter(id => id && id !== this._default));
    const other = ids.has(chosen) ? chosen : '';
    const named = other ? this._trans.__('the default (%1)', this._default) : this._default;
    const standard = new Option(this._default ? named : this._trans.__('Default model'), '');
    this._model.replaceChildren(standard, ...[...ids].map(id => new Option(id, id)));
    this._model.value = other;
  }

  private _model = make('select', 'panel-pick');
  private _then = make('span', 'chip-note');
  private _think: HTMLButtonElement;
  private _web: HTMLButtonElement;
  private _variants = make('input', 'panel-pick');
  private _models: readonly string[] = [];
  private _default = '';
  private _offered = false;
  private _thinks = false;
  private _asked = '';
  private _reading: Promise<void> = Promise.resolve();
}
