/** The side bar: a panel for the notebook in front. */
import { Widget } from '@lumino/widgets';
import type { Message } from '@lumino/messaging';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ITranslator } from '@jupyterlab/translation';
import { make } from '../dom';
import { BlockRenderer } from '../markdown';
import type { ICommHub } from '../tokens';
import type { PanelView } from './view';

/** What a side bar needs. */
export interface ISideBarOptions {
  readonly tracker: INotebookTracker;
  readonly hub: ICommHub;
  readonly rendermime: IRenderMimeRegistry;
  readonly translator: ITranslator;
}

/** Follows the notebook in front. The panel's code is loaded when it is first shown. */
export class SideBar extends Widget {
  constructor(private _options: ISideBarOptions) {
    super();
    const trans = _options.translator.load('deepseek_jupyter');
    this.addClass('jp-DeepSeek-sidebar');
    this._empty = make('p', 'panel-about', trans.__('Open a notebook to ask about it.'));
    this.node.append(this._empty);
    _options.tracker.currentChanged.connect(this._follow, this);
  }

  /** Write into the composer of the panel, once it is there. */
  async write(text: string): Promise<void> {
    await this._opening;
    this._view?.write(text);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._options.tracker.currentChanged.disconnect(this._follow, this);
      this._drop();
      super.dispose();
    }
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._follow();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this._view ? this._view.focus() : (this._focus = true);
  }

  /** Show the panel of the notebook in front. */
  private _follow(): void {
    const panel = this._options.tracker.currentWidget;
    if (this.isVisible && panel !== this._panel) {
      this._drop();
      this._panel = panel;
      this._empty.hidden = panel !== null;
      this._opening = this._open(panel);
    }
  }

  private async _open(panel: NotebookPanel | null): Promise<void> {
    if (!panel) {
      return;
    }
    const [{ PanelView }, { NotebookLink }] = await Promise.all([
      import('./view'),
      import('./notebook_link')
    ]);
    await panel.context.ready;
    if (this.isDisposed || panel.isDisposed || this._panel !== panel) {
      return;
    }
    const { hub, rendermime, translator } = this._options;
    const link = new NotebookLink(panel, hub, translator);
    const trans = translator.load('deepseek_jupyter');
    const { sanitizer, latexTypesetter, markdownParser } = rendermime;
    const view = new PanelView(
      link,
      new BlockRenderer({
        mimeType: 'text/markdown',
        resolver: null,
        linkHandler: null,
        ...{ sanitizer, latexTypesetter, markdownParser, translator }
      }),
      trans
    );
    this._view = view;
    this._close = () => {
      view.dispose();
      link.dispose();
      view.node.remove();
    };
    this.node.append(view.node);
    panel.disposed.connect(this._onClosed, this);
    if (this._focus) {
      this._focus = false;
      view.focus();
    }
  }

  private _onClosed(panel: NotebookPanel): void {
    if (panel === this._panel) {
      this._drop();
      this._empty.hidden = false;
    }
  }

  private _drop(): void {
    this._panel?.disposed.disconnect(this._onClosed, this);
    this._panel = null;
    this._close?.();
    this._close = null;
    this._view = null;
  }

  private _empty: HTMLElement;
  private _panel: NotebookPanel | null = null;
  private _view: PanelView | null = null;
  private _close: (() => void) | null = null;
  private _opening: Promise<void> = Promise.resolve();
  private _focus = false;
}
