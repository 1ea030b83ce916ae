/** What a model would write next: bars, and sliders that re-weight them here, without a request. */
import { Widget } from '@lumino/widgets';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { list, number, object, text } from '../kernel/json';
import { percent, reweighted, visible } from '../kernel/logprobs';
import { wordsIn } from '../words';
import { make } from './dom';

/** The type; the kernel writes it in `deepseek_jupyter/asking/next_tokens.py`. */
export const NEXT_MIME = 'application/vnd.deepseek.next-tokens+json';

/** Shows the most likely next tokens. */
export class NextTokens extends Widget implements IRenderMime.IRenderer {
  constructor(translator: ITranslator) {
    super();
    this._trans = wordsIn(translator);
    this.addClass('jp-DeepSeek-next');
    this._temperature = this._slider(this._trans.__('Temperature'), 2);
    this._topP = this._slider(this._trans.__('Top-p'), 1);
  }

  async renderModel({ data }: IRenderMime.IMimeModel): Promise<void> {
    const saved = object(data[NEXT_MIME]);
    const pairs = list(saved['tokens']).map(list);
    this._probabilities = pairs.map(([, p]) => Math.min(1, Math.max(0, number(p) ?? 0)));
    const rows = pairs.map(([token], at) => {
      const row = make('tr', 'next-row');
      const name = make('th', 'token-name', visible(text(token)));
      name.scope = 'row';
      row.append(name, make('td', 'token-p', percent(this._probabilities[at])), make('td', 'token-p'), make('td', 'token-bar'));
      return row;
    });
    const head = make('tr', 'next-head');
    const heads = [this._trans.__('Token'), this._trans.__('As reported'), this._trans.__('With these settings')];
    head.append(...heads.map(word => make('th', 'next-th', word)), make('td', 'next-th'));
    this._rows = rows;
    const table = make('table', 'next-table');
    table.append(head, ...rows);
    const sliders = make('div', 'next-sliders');
    sliders.append(...[this._temperature, this._topP].map(input => input.parentElement!));
    const title = make('p', 'next-title', `${text(saved['text'])} … · ${text(saved['model'])}`);
    this.node.replaceChildren(title, sliders, table);
    this._update();
  }

  private _slider(label: string, most: number): HTMLInputElement {
    const input = make('input', 'next-slider');
    Object.assign(input, { type: 'range', min: '0', max: String(most), step: '0.05', value: '1' });
    const value = make('output', 'next-value', '1.00');
    input.addEventListener('input', () => {
      value.textContent = Number(input.value).toFixed(2);
      this._update();
    });
    const node = make('label', 'next-label', `${label} `);
    node.append(input, value);
    return input;
  }

  private _update(): void {
    const [temperature, topP] = [this._temperature, this._topP].map(input => Number(input.value));
    reweighted(this._probabilities, temperature, topP).forEach((share, at) => {
      const [, , p, bar] = this._rows[at].children as unknown as HTMLElement[];
      p.textContent = share ? percent(share) : '–';
      bar.style.setProperty('--jp-DeepSeek-p', `${share * 100}%`);
    });
  }

  private _trans: TranslationBundle;
  private _temperature: HTMLInputElement;
  private _topP: HTMLInputElement;
  private _rows: HTMLElement[] = [];
  private _probabilities: number[] = [];
}
