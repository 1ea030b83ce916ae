/** The widgets that hold a panel in JupyterLab: the side bar, and the output of `ds.panel()`. */
import { SplitPanel, Widget } from '@lumino/widgets';
import type { Message } from '@lumino/messaging';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ITranslator } from '@jupyterlab/translation';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { make } from '../card/dom';
import { LabRenderer } from '../markdown/labrenderer';
import { wordsIn } from '../words';
import type { IBlockRenderer } from '../markdown/renderer';
import type { ICommHub } from '../tokens';
import type { PanelView } from './view';

/** The width at the first opening, in pixels, and where the page notes that it was opened. */
const WIDTH = 380;
const OPENED = 'deepseek-jupyter:opened';

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
    const trans = wordsIn(_options.translator);
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

  /** Open the settings of the panel, once it is there. */
  async settings(): Promise<void> {
    await this._opening;
    await this._view?.settings();
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
    this._widen();
    this._follow();
  }

  /** Open wide enough for code the first time; from then on the width is the user's. */
  private _widen(): void {
    if (localStorage.getItem(OPENED)) {
      return;
    }
    localStorage.setItem(OPENED, 'yes');
    let part: Widget = this;
    while (part.parent && !(part.parent instanceof SplitPanel)) {
      part = part.parent;
    }
    const split = part.parent as SplitPanel | null;
    setTimeout(() => {
      // Lab has opened the side bar by now, with a size of its own.
      const sizes = split?.relativeSizes() ?? [];
      const at = split?.widgets.indexOf(part) ?? -1;
      const missing = Math.min(WIDTH / (split?.node.clientWidth ?? 0), 1 / 3) - sizes[at];
      if (missing > 0) {
        sizes[sizes.indexOf(Math.max(...sizes))] -= missing;
        sizes[at] += missing;
        split!.setRelativeSizes(sizes);
      }
    });
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
    const { hub, rendermime, translator } = this._options;
    const { sanitizer, latexTypesetter, markdownParser } = rendermime;
    const renderer = new LabRenderer({
      mimeType: 'text/markdown',
      resolver: null,
      linkHandler: null,
      ...{ sanitizer, latexTypesetter, markdownParser, translator }
    });
    const isWanted = () => !this.isDisposed && !panel.isDisposed && this._panel === panel;
    const opened = await openPanel(panel, hub, translator, renderer, isWanted);
    if (!opened) {
      return;
    }
    const { view } = opened;
    this._view = view;
    this._close = opened.close;
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

/** The MIME type of a panel. */
export const PANEL_TYPE = 'application/vnd.deepseek.panel+json';

/** The least and the greatest height, in pixels. */
const BOUNDS = [240, 1600];

/** Shows the panel of the notebook whose output this is. */
export class PanelOutput extends Widget implements IRenderMime.IRenderer {
  constructor(
    private _options: IRenderMime.IRendererOptions,
    private _tracker: INotebookTracker,
    private _hub: ICommHub,
    private _translator: ITranslator
  ) {
    super();
    this.addClass('jp-DeepSeek-panelOutput');
  }

  /** Take the height from the output; the rest is the notebook's. */
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const data = model.data[PANEL_TYPE] as { height?: unknown } | null;
    const height = typeof data?.height === 'number' ? data.height : 480;
    this.node.style.height = `${Math.min(Math.max(height, BOUNDS[0]), BOUNDS[1])}px`;
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._close();
      super.dispose();
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    // Keys that are typed here are not the notebook's.
    this.node.setAttribute('data-lm-suppress-shortcuts', 'true');
    void this._open();
  }

  private async _open(): Promise<void> {
    const panel = this._tracker.find(item => item.node.contains(this.node));
    const trans = wordsIn(this._translator);
    if (this._opened) {
      return;
    }
    if (!panel) {
      this.node.replaceChildren(
        make('p', 'panel-about', trans.__('The panel belongs into a notebook.'))
      );
      return;
    }
    this._opened = true;
    const renderer = new LabRenderer(this._options);
    const isWanted = () => !this.isDisposed && !panel.isDisposed;
    const opened = await openPanel(panel, this._hub, this._translator, renderer, isWanted);
    if (opened) {
      this.node.replaceChildren(opened.view.node);
      this._close = opened.close;
    }
  }

  private _opened = false;
  private _close: () => void = () => undefined;
}

/** A panel that is open, and what takes it down. */
interface IOpenPanel {
  readonly view: PanelView;
  close(): void;
}

/** Load the panel's code, and open the panel of a notebook if it is still wanted then. */
async function openPanel(
  panel: NotebookPanel,
  hub: ICommHub,
  translator: ITranslator,
  renderer: IBlockRenderer,
  isWanted: () => boolean
): Promise<IOpenPanel | null> {
  const [{ PanelView }, { NotebookLink }] = await Promise.all([
    import(/* webpackChunkName: 'panel' */ './view'),
    import(/* webpackChunkName: 'panel' */ './notebooklink')
  ]);
  await panel.context.ready;
  if (!isWanted()) {
    return null;
  }
  const link = new NotebookLink(panel, hub, translator);
  const view = new PanelView(link, renderer, wordsIn(translator));
  const close = () => {
    view.dispose();
    link.dispose();
    view.node.remove();
  };
  return { view, close };
}
