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
import { findHostCell, kernelOf } from './hostcell';
import type { ITurnRecord } from '../kernel/record';

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
