/** The two settings that a question is most often asked with, at the composer: model and thinking. */
import type { JSONObject } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { focused, make, say } from '../card/dom';
import { list, object, text } from '../kernel/json';
import type { ISettings } from './state';

/** What the controls ask for. */
export interface IQuickActions {
  set(some: JSONObject): void;
  /** The provider's title, its models and the one that is used when none is set. */
  models(): Promise<JSONObject | null>;
  /** The provider's title and the model that is used when none is set, and no more. */
  standard(): Promise<JSONObject | null>;
}

/** Shows which model answers and whether it thinks, and sets both. */
export class QuickSettings {
  readonly node = make('div', 'panel-quick');

  constructor(private _actions: IQuickActions, private _trans: TranslationBundle) {
    const { _model: model, _think: think } = this;
    model.setAttribute('aria-label', _trans.__('Model'));
    model.addEventListener('pointerdown', () => void this._offer());
    model.addEventListener('focus', () => void this._offer());
    model.addEventListener('change', () => _actions.set({ model: model.value }));
    think.type = 'button';
    think.title = _trans.__('Let the model think before it answers');
    think.addEventListener('click', () => _actions.set({ think: this._thinks ? 'auto' : 'on' }));
    const { _compare: compare, _variants: variants } = this;
    compare.type = 'button';
    compare.title = _trans.__('Ask several models at once, side by side');
    compare.setAttribute('aria-pressed', 'false');
    compare.addEventListener('click', () => {
      variants.hidden = !variants.hidden;
      compare.setAttribute('aria-pressed', String(!variants.hidden));
      variants.hidden || variants.focus();
    });
    variants.hidden = true;
    variants.placeholder = 'deepseek-flash, deepseek-v4-pro?think=off';
    variants.setAttribute('aria-label', _trans.__('Variants, with commas between them'));
    variants.addEventListener('keydown', event => event.stopPropagation());
    this.node.append(model, think, compare, variants);
    say(think, _trans.__('Think'));
    say(compare, _trans.__('Compare'));
  }

  /** Show the settings; `used` is the model of the newest answer. */
  update(settings: ISettings, used: string, live: boolean): void {
    this._thinks = settings.think === 'on';
    this._think.setAttribute('aria-pressed', String(this._thinks));
    this._think.disabled = this._model.disabled = !live;
    if (focused(this._model) !== this._model) {
      this._default = settings.model ? this._default : used || this._default;
      this._fill(settings.model);
    }
  }

  /** What a question is asked with besides. */
  get fields(): JSONObject {
    const variants = this._variants.hidden ? [] : this._variants.value.split(',');
    const named = variants.map(name => name.trim()).filter(Boolean);
    return named.length ? { variants: named } : {};
  }

  /** The model that is used when none is set and whose it is, in words; asked for once. */
  async standard(): Promise<string> {
    if (!this._default || !this._model.title) {
      const json = object(await this._actions.standard());
      this._default = text(json['default']);
      this._model.title = text(json['provider']);
      this._fill(this._model.value);
    }
    return [this._default, this._model.title].filter(Boolean).join(', ');
  }

  private async _offer(): Promise<void> {
    if (this._offered) {
      return;
    }
    this._offered = true;
    const json = object(await this._actions.models());
    this._models = list(json['models']).map(text).filter(Boolean);
    this._default = text(json['default']) || this._default;
    this._model.title = text(json['provider']);
    this._offered = this._models.length > 0;
    this._fill(this._model.value);
  }

  private _fill(chosen: string): void {
    const ids = new Set([...this._models, chosen].filter(id => id && id !== this._default));
    const meant = this._default
      ? this._trans.__('the default (%1)', this._default)
      : this._trans.__('Default model');
    const standard = new Option(meant, '');
    this._model.replaceChildren(standard, ...[...ids].map(id => new Option(id, id)));
    this._model.value = ids.has(chosen) ? chosen : '';
  }

  private _model = make('select', 'panel-pick');
  private _think = make('button', 'panel-pick');
  private _compare = make('button', 'panel-pick');
  private _variants = make('input', 'panel-pick');
  private _models: readonly string[] = [];
  private _default = '';
  private _offered = false;
  private _thinks = false;
}
