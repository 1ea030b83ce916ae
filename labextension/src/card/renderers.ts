/** The outputs besides a turn's card: a comparison, what would be sent, the next tokens, a proposal. */
import { Widget } from '@lumino/widgets';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';
import type { Message } from '@lumino/messaging';
import { joined, list, number, object, text } from '../kernel/json';
import { COMPARE_MIME, isRunning, readComparison } from '../kernel/record';
import { LabRenderer } from '../markdown/labrenderer';
import { wordsIn } from '../words';
import { findHostCell, kernelOf, runBelow, stop } from './hostcell';
import { Card } from './card';
import { Columns } from './columns';
import { asCode, make, textButton } from './dom';
import { Proposal, readProposal } from './proposal';
import { percent, reweighted, visible } from './tokenview';
import type { ITurnRecord } from '../kernel/record';

/**
 * Creates a renderer, or one that shows text in its place; drawing that fails shows text, too: an output
 * must not take the notebook with it.
 */
export function orText(create: () => IRenderMime.IRenderer): IRenderMime.IRenderer {
  let renderer: IRenderMime.IRenderer;
  try {
    renderer = create();
  } catch (error) {
    console.error('deepseek-jupyter: shown as text', error);
    return new PlainText();
  }
  const draw = renderer.renderModel.bind(renderer);
  renderer.renderModel = async model => {
    try {
      await draw(model);
    } catch (error) {
      console.error('deepseek-jupyter: shown as text', error);
      showText(renderer.node, model);
    }
  };
  return renderer;
}

class PlainText extends Widget implements IRenderMime.IRenderer {
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    showText(this.node, model);
  }
}

function showText(node: HTMLElement, { data }: IRenderMime.IMimeModel): void {
  const shown = document.createElement('pre');
  shown.textContent = joined(data['text/markdown'] ?? data['text/plain']);
  shown.style.whiteSpace = 'pre-wrap';
  node.replaceChildren(shown);
}

/** The type of a dry run; the kernel writes it in `deepseek_jupyter/asking/preview.py`. */
export const DRAWN_MIME = 'application/vnd.deepseek.dry-run+json';

/** Shows what a question in a cell would send, with a button that asks exactly this. */
export class DryRun extends Widget implements IRenderMime.IRenderer {
  constructor(private _options: Card.IOptions) {
    super();
    this.addClass('jp-DeepSeek-dryrun');
    this._drawn.classList.add('jp-RenderedHTMLCommon', 'jp-RenderedHTML');
    const trans = wordsIn(_options.translator);
    const ask = () => this._run(`%deepseek send ${this._id}`);
    const send = textButton('panel-textbutton', trans.__('Send this'), ask);
    send.classList.add('jp-mod-primary');
    const show = (form: string) => this._run(`%deepseek show drawn-${this._id} --as ${form}`);
    this.node.append(this._drawn, send, asCode(show, trans));
  }

  async renderModel({ data }: IRenderMime.IMimeModel): Promise<void> {
    const { sanitizer } = this._options.rendererOptions;
    this._drawn.innerHTML = sanitizer.sanitize(joined(data['text/html']));
    // It comes from a file, and is written into a cell.
    this._id = text(object(data[DRAWN_MIME])['id']).replace(/[^0-9a-f]/g, '');
  }

  private _run(command: string): void {
    const host = findHostCell(this._options.tracker, this.node);
    host && void runBelow(host, command, this._options.translator);
  }

  private _drawn = make('div', 'drawn');
  private _id = '';
}

/** The type of the next tokens; the kernel writes it in `deepseek_jupyter/asking/next_tokens.py`. */
export const NEXT_MIME = 'application/vnd.deepseek.next-tokens+json';

/** Shows what a model would write next: bars, and sliders that re-weight them here, without a request. */
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

/** The type of a proposal. */
export const CHANGES_MIME = 'application/vnd.deepseek.changes+json';

/**
 * Shows a proposal: what `%deepseek fix accept` and its kin show, and what notebooks of earlier versions
 * have below an answer. The twin is `deepseek_jupyter/fixing/fix.py`.
 */
export class Changes extends Widget implements IRenderMime.IRenderer {
  constructor({ translator, hub, tracker, rendererOptions }: Card.IOptions) {
    super();
    this._proposal = new Proposal(
      {
        hub,
        kernel: () => kernelOf(findHostCell(tracker, this.node)),
        renderer: new LabRenderer(rendererOptions)
      },
      wordsIn(translator)
    );
    this.node.append(this._proposal.node);
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._proposal.update(readProposal(model.data[CHANGES_MIME]));
  }

  private _proposal: Proposal;
}

/** Shows a comparison: a card for each turn, side by side. */
export class Compare extends Widget implements IRenderMime.IRenderer {
  constructor(private _options: Card.IOptions) {
    super();
    this._columns = new Columns(
      { use: id => this._use(id), stop: id => this._stop(id) },
      wordsIn(_options.translator)
    );
    this.addClass('jp-DeepSeek-compare');
    this.node.append(this._columns.node);
  }

  async renderModel({ data }: IRenderMime.IMimeModel): Promise<void> {
    const shown = readComparison(data);
    if (!shown) {
      throw new Error('no comparison that is known here'); // shown as its text
    }
    this._shown = shown;
    this._states = shown.turns.map(({ record }, at) => [record, this._states[at]?.[1] ?? false]);
    this._cards.splice(shown.turns.length).forEach(card => card.dispose());
    shown.turns.forEach((_, at) => {
      const changed = (record: ITurnRecord, live: boolean) => this._changed(at, record, live);
      this._cards[at] ??= new Card({ ...this._options, changed });
    });
    this._update();
    this.isAttached && this._attach();
    const rest = { metadata: {}, trusted: false, setData: () => undefined };
    await Promise.all(this._cards.map((card, at) => card.renderModel({ data: shown.turns[at].bundle, ...rest })));
  }

  override dispose(): void {
    this._cards.forEach(card => card.dispose());
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._attach();
    this._shown && this._update();
  }

  protected override onBeforeDetach(message: Message): void {
    this._cards.forEach(card => card.isAttached && Widget.detach(card));
    super.onBeforeDetach(message);
  }

  /** Their nodes are in the columns already: the cards learn that those are on the page. */
  private _attach(): void {
    for (const card of this._cards.filter(card => !card.isAttached)) {
      const slot = card.node.parentElement!;
      card.node.remove();
      Widget.attach(card, slot);
    }
  }

  private _changed(at: number, record: ITurnRecord, live: boolean): void {
    const [before, lived] = this._states[at];
    this._states[at] = [record, live];
    if (before.status !== record.status || lived !== live) {
      this._update(); // the text of a running one is its card's alone
    }
  }

  private _update(): void {
    const { turns, chosen, remark } = this._shown!;
    const answered = this._states.find(([{ answer, status }]) => answer && !isRunning(status));
    const columns = turns.map(({ name }, at) => {
      const [record, live] = this._states[at];
      return { name, record, live, node: this._cards[at].node };
    });
    const kernel = kernelOf(findHostCell(this._options.tracker, this.node));
    this._columns.update(columns, chosen || (answered?.[0].id ?? ''), kernel !== null, remark);
  }

  /** Go on with a turn; the output says so from then on. */
  private async _use(id: string): Promise<void> {
    const host = findHostCell(this._options.tracker, this.node);
    const kernel = kernelOf(host);
    await (kernel && this._options.hub?.request(kernel, 'use', { id }));
    this._shown = { ...this._shown!, chosen: id };
    this._update();
    const outputs = host?.cell.model.outputs;
    for (let at = 0; at < (outputs?.length ?? 0); at++) {
      const output = outputs!.get(at).toJSON();
      const data = object(output['data']) as JSONObject;
      if (readComparison(data)?.id === this._shown.id) {
        const compared = { ...object(data[COMPARE_MIME]), chosen: id };
        outputs!.set(at, { ...output, data: { ...data, [COMPARE_MIME]: compared } } as never);
      }
    }
  }

  private _stop(id: string): void {
    const host = findHostCell(this._options.tracker, this.node);
    void stop(id, host, this._options.hub, () => this._states.some(([, live]) => live));
  }

  private _columns: Columns;
  private _cards: Card[] = [];
  private _states: [ITurnRecord, boolean][] = []; // what each card shows, and whether it runs
  private _shown: ReturnType<typeof readComparison> = null;
}
