/**
 * The fold with the model's thinking.
 *
 * It opens while the model thinks and closes when the answer starts, as long as the reader has not
 * touched it; from then on it stays as the reader put it. A closed fold draws nothing. A policy file
 * may want the thinking always shown: then it cannot be closed.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { isRunning } from '../kernel/record';
import { Flow } from '../markdown/flow';
import { make, say } from './dom';
import { thought } from './wording';
import type { ITurnRecord } from '../kernel/record';
import type { IBlockRenderer } from '../markdown/renderer';

/** How near to its end, in pixels, the thinking is followed as it grows. */
const NEAR = 24;

/** Shows a turn's thinking. */
export class Thinking {
  readonly node = make('details', 'thinking');

  constructor(private _renderer: IBlockRenderer, private _trans: TranslationBundle) {
    const body = make('div', 'thinking-body');
    body.tabIndex = 0;
    body.setAttribute('role', 'region');
    body.setAttribute('aria-label', this._trans.__('Thinking'));
    const host = make('div', 'flow');
    host.classList.add('jp-RenderedHTMLCommon', 'jp-RenderedMarkdown');
    body.append(host, this._steps);
    this._host = host;
    this._body = body;
    this._summary = make('summary', 'thinking-summary');
    this._summary.addEventListener('click', event => {
      this._touched = true;
      if (this._pinned) {
        event.preventDefault();
      }
    });
    this.node.append(this._summary, body);
    this.node.addEventListener('toggle', () => void this._draw());
    this.node.hidden = true;
    this._flow = new Flow(host, this._renderer);
  }

  /** Show a record's thinking. */
  update(record: ITurnRecord, live: boolean): Promise<void> {
    const { status, reasoning } = record;
    const running = live && isRunning(status);
    const thinking = running && status !== 'answering' && !record.answer;
    this.node.hidden = !reasoning && !(live && status === 'thinking');
    if (thinking && status === 'thinking') {
      this._since ??= Date.now();
    } else if (this._since !== null && this._took === null) {
      this._took = (Date.now() - this._since) / 1000;
    }
    const elapsed = this._since === null ? null : (Date.now() - this._since) / 1000;
    const seconds = record.timing.thinking ?? this._took ?? (thinking ? elapsed : null);
    say(this._summary, thought(thinking ? 'thinking' : 'done', seconds, live, this._trans));
    this.node.classList.toggle('jp-mod-running', thinking);
    this._pinned = record.policy.includes('thinking');
    if (this._pinned) {
      this.node.open = true;
    } else if (!this._touched && !this._holdsSelection() && this.node.open !== thinking) {
      this.node.open = thinking;
    }
    this._source = reasoning;
    this._starts = record.outline;
    this._finished = !thinking;
    return this._draw();
  }

  dispose(): void {
    [this._flow, ...this._flows].forEach(flow => flow.dispose());
  }

  private async _draw(): Promise<void> {
    if (!this.node.open) {
      return;
    }
    const body = this._body;
    this._steps.hidden = !this._outlined;
    this._host.hidden = this._outlined;
    if (this._outlined) {
      this._outline();
      return;
    }
    const follow = body.scrollHeight - body.scrollTop - body.clientHeight < NEAR;
    await this._flow.set(this._source, this._finished);
    if (follow && !this._finished) {
      body.scrollTop = body.scrollHeight;
    }
  }

  /** The steps as folds, each drawn when it is opened. */
  private _outline(): void {
    const key = JSON.stringify([this._starts, this._source]);
    if (this._drawn === key) {
      return;
    }
    this._drawn = key;
    this._flows.forEach(flow => flow.dispose());
    this._flows = [];
    const lines = this._source.split('\n');
    const folds = this._starts.map((start, at) => {
      const fold = make('details', 'step');
      const host = this._host.cloneNode() as HTMLElement;
      host.hidden = false;
      const flow = new Flow(host, this._renderer);
      this._flows.push(flow);
      fold.append(make('summary', 'step-summary', lines[start]?.replace(/^[#>\s]+|[*`]/g, '')), host);
      const text = lines.slice(start, this._starts[at + 1]).join('\n');
      fold.addEventListener('toggle', () => void (fold.open && flow.set(text, true)));
      fold.open = this._pinned;
      return fold;
    });
    this._steps.replaceChildren(...folds);
  }

  /** Whether it is shown in steps: once it has ended. */
  private get _outlined(): boolean {
    return this._finished && this._starts.length > 0;
  }

  /** Whether the reader has marked some of the thinking. */
  private _holdsSelection(): boolean {
    const selection = document.getSelection();
    return !!selection && !selection.isCollapsed && selection.containsNode(this._body, true);
  }

  private _summary: HTMLElement;
  private _body: HTMLElement;
  private _flow: Flow;
  private _host: HTMLElement;
  private _steps = make('div', 'steps');
  private _flows: Flow[] = [];
  private _starts: readonly number[] = [];
  private _drawn = '';
  private _source = '';
  private _finished = false;
  private _touched = false;
  private _pinned = false;
  private _since: number | null = null;
  private _took: number | null = null;
}
