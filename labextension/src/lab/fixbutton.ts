/**
 * A button under the error of a cell.
 *
 * The error itself is drawn by Lab's own renderer, with nothing changed; where the host has no
 * notebook around it, there is no button.
 */
import { PanelLayout, Widget } from '@lumino/widgets';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { make } from '../card/dom';
import { findHostCell } from '../card/hostcell';
import { COMMANDS, deepSeekIcon } from './commands';

/** The whole error of a cell; Lab draws it by the traceback, of the type after this one. */
export const ERROR_TYPE = 'application/vnd.jupyter.error';
const TRACEBACK_TYPE = 'application/vnd.jupyter.stderr';

/** Errors that no change to the code would fix. */
const NOT_THE_CODE = /^(?:UsageError|Interrupted|KeyboardInterrupt|SystemExit)$/;

/** Cells of ours: their errors say themselves what to do. */
const OUR_MAGIC = /^\s*%%?(?:deepseek|ds)\b/;

/** What the button needs. */
export interface IFixOptions {
  readonly rendermime: IRenderMimeRegistry;
  readonly rendererOptions: IRenderMime.IRendererOptions;
  readonly commands: JupyterFrontEnd['commands'];
  readonly tracker: INotebookTracker;
  readonly trans: TranslationBundle;
  readonly isShown: () => boolean;
}

/** An error with a button. */
export class ErrorWithButton extends Widget implements IRenderMime.IRenderer {
  constructor(private _options: IFixOptions) {
    super();
    const { rendermime, trans } = _options;
    this._error = rendermime.createRenderer(TRACEBACK_TYPE);
    this.layout = new PanelLayout();
    (this.layout as PanelLayout).addWidget(this._error);
    this.addClass('jp-DeepSeek-error-output');
    this._button.append(
      deepSeekIcon.element({ tag: 'span', elementSize: 'normal' }),
      trans.__('Fix with DeepSeek')
    );
    this._button.addEventListener('click', () => this._fix());
    this._button.hidden = true;
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    await this._error.renderModel(model);
    const error = model.data[ERROR_TYPE] as { ename?: unknown } | undefined;
    this._name = String(error?.ename ?? '');
    this._show();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.node.appendChild(this._button);
    this._show();
  }

  private _show(): void {
    const host = this.isAttached ? findHostCell(this._options.tracker, this.node) : null;
    const source = host?.cell.model.sharedModel.source ?? '';
    const fixable = !NOT_THE_CODE.test(this._name) && !OUR_MAGIC.test(source);
    this._button.hidden = !host || !fixable || !this._options.isShown();
  }

  private _fix(): void {
    const host = findHostCell(this._options.tracker, this.node);
    if (host) {
      void this._options.commands.execute(COMMANDS.fix, { cell: host.cell.model.id });
    }
  }

  private _error: IRenderMime.IRenderer;
  private _button = make('button', 'fix');
  private _name = '';
}
