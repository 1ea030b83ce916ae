/** The output of a comparison: a card for each turn, side by side. */
import { Widget } from '@lumino/widgets';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { JSONObject } from '@lumino/coreutils';
import type { Message } from '@lumino/messaging';
import { object } from '../kernel/json';
import { COMPARE_MIME, isRunning, readComparison } from '../kernel/record';
import { wordsIn } from '../words';
import { stop } from './actions';
import { Card } from './card';
import { Columns } from './columns';
import { findHostCell, isExecuting, kernelOf } from './hostcell';
import type { IComparison, ITurnRecord } from '../kernel/record';

/** Shows a comparison. */
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
    const { turns } = this._shown;
    turns.forEach(({ record }, at) => {
      this._records[at] = record;
      this._cards[at] ??= new Card({ ...this._options, changed: now => this._changed(at, now) });
    });
    this._cards.splice(turns.length).forEach(card => card.dispose());
    this._update();
    this.isAttached && this._attach();
    const drawn = this._cards.map((card, at) => {
      const bundle = turns[at].bundle;
      return card.renderModel({ data: bundle, metadata: {}, trusted: false, setData: () => undefined });
    });
    await Promise.all(drawn);
  }

  override dispose(): void {
    this._cards.forEach(card => card.dispose());
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._attach();
    this._update();
  }

  protected override onBeforeDetach(message: Message): void {
    this._cards.forEach(card => card.isAttached && Widget.detach(card));
    super.onBeforeDetach(message);
  }

  /** Their nodes are on the page already: the cards learn of it. */
  private _attach(): void {
    for (const card of this._cards.filter(card => !card.isAttached)) {
      const slot = card.node.parentElement!;
      card.node.remove();
      Widget.attach(card, slot);
    }
  }

  private _changed(at: number, record: ITurnRecord): void {
    const before = this._records[at];
    this._records[at] = record;
    if (before.status !== record.status || !isRunning(record.status)) {
      this._update(); // the text of a running one is its card's alone
    }
  }

  private _update(): void {
    const { turns, chosen, remark } = this._shown;
    const host = findHostCell(this._options.tracker, this.node);
    const answered = this._records.find(({ answer, status }) => answer && !isRunning(status));
    const columns = turns.map(({ name }, at) => {
      const record = this._records[at];
      return { name, record, live: isRunning(record.status), node: this._cards[at].node };
    });
    this._columns.update(columns, chosen || (answered?.id ?? ''), kernelOf(host) !== null, remark);
  }

  private async _use(id: string): Promise<void> {
    const host = findHostCell(this._options.tracker, this.node);
    const kernel = kernelOf(host);
    if (!host || !kernel || !this._options.hub) {
      return;
    }
    await this._options.hub.request(kernel, 'use', { id });
    this._shown = { ...this._shown, chosen: id };
    this._update();
    const { outputs } = host.cell.model;
    for (let at = 0; at < outputs.length; at++) {
      const output = outputs.get(at).toJSON();
      const data = object(output['data']) as JSONObject;
      if (readComparison(data)?.id === this._shown.id) {
        const compared = { ...object(data[COMPARE_MIME]), chosen: id };
        outputs.set(at, { ...output, data: { ...data, [COMPARE_MIME]: compared } } as never);
      }
    }
  }

  private _stop(id: string): void {
    const host = findHostCell(this._options.tracker, this.node);
    const running = () => this._records.some(({ status }) => isRunning(status)) && isExecuting(host);
    void stop(id, host, this._options.hub, running);
  }

  private _columns: Columns;
  private _cards: Card[] = [];
  private _records: ITurnRecord[] = [];
  private _shown: IComparison = { id: '', turns: [], remark: '', chosen: '' };
}
