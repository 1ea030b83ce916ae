/** The line over the answer: who answered, where it stands, and what can be done. */
import { copyIcon, refreshIcon, stopIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { button, confirm, make, say } from './dom';
import { isRunning } from './record';
import { phase } from './words';
import type { ITurnRecord } from './record';

/** What the header's buttons do. */
export interface IHeaderActions {
  copy(): void;
  regenerate(): void;
  stop(): void;
}

/** Shows a turn's header. */
export class Header {
  readonly node = make('header', 'header');

  /** `branch` leads to the other answers. */
  constructor(
    actions: IHeaderActions,
    branch: HTMLElement,
    private _trans: TranslationBundle
  ) {
    const trans = this._trans;
    this._copy = button(copyIcon, trans.__('Copy the answer'), () => {
      actions.copy();
      confirm(this._copy, copyIcon);
    });
    this._regenerate = button(refreshIcon, trans.__('Ask again'), () => actions.regenerate());
    this._regenerate.classList.add('jp-mod-notebook');
    this._stop = button(stopIcon, trans.__('Stop'), () => {
      this._stop.disabled = true;
      actions.stop();
    });
    this._stop.classList.add('jp-DeepSeek-stop');
    const buttons = make('div', 'buttons');
    buttons.append(this._copy, this._regenerate, this._stop);
    this.node.append(this._model, branch, this._phase, buttons);
  }

  /** Show a record's header. */
  update(record: ITurnRecord, live: boolean): void {
    const { model, served_model, provider, status } = record;
    const running = live && isRunning(status);
    say(this._model, served_model || model);
    this._model.title = provider;
    // While it thinks, the fold says so.
    const silent = running && status === 'thinking';
    say(this._phase, silent ? '' : phase(status, live, this._trans));
    this._phase.dataset.status = running ? 'running' : status;
    this._stop.hidden = !running;
    this._stop.disabled &&= running;
    this._copy.hidden = !record.answer;
    this._regenerate.hidden = running;
  }

  private _model = make('span', 'model');
  private _phase = make('span', 'phase');
  private _copy: HTMLButtonElement;
  private _regenerate: HTMLButtonElement;
  private _stop: HTMLButtonElement;
}
