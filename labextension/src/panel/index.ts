/** The plugins of the panel, and the widgets that hold it: the side bar, and what `ds.panel()` shows. */
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';
import { SplitPanel, Widget } from '@lumino/widgets';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Message } from '@lumino/messaging';
import { make } from '../card/dom';
import { orText } from '../card/renderers';
import { LabRenderer } from '../markdown/labrenderer';
import { ICommHub, ISidePanel } from '../tokens';
import { wordsIn } from '../words';
import type { IBlockRenderer } from '../markdown/renderer';
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

/** Before every other kind of output; a widget has -10, and `ds.panel()` may be shown as one, too. */
const RANK = -20;

const ID = 'deepseek-jupyter-panel';
const OPEN = 'deepseek:open-conversation';
const SETTINGS = 'deepseek:settings';

const SVG =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">' +
  '<path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 ' +
  '2h-7l-5 4.5V17H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm1 2.6v8.8h5.2v1.9l2.2-1.9H19V5.6zm2.2 2h9.6v' +
  '1.7H7.2zm0 3.4h6.4v1.7H7.2z"/></svg>';

/** The icon of the panel. */
export const panelIcon = new LabIcon({ name: 'deepseek-jupyter:panel', svgstr: SVG });

/** The side bar with the conversation of the notebook in front. */
export const sidebar: JupyterFrontEndPlugin<ISidePanel> = {
  id: 'deepseek-jupyter:sidebar',
  description: 'The conversation of the notebook in front, in the side bar.',
  autoStart: true,
  provides: ISidePanel,
  requires: [INotebookTracker, IRenderMimeRegistry, ICommHub],
  optional: [ITranslator, ILayoutRestorer, ICommandPalette, ILauncher, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    rendermime: IRenderMimeRegistry,
    hub: ICommHub,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    settings: ISettingRegistry | null
  ) => {
    const given = translator ?? nullTranslator;
    const bar = new SideBar({ tracker, hub, rendermime, translator: given });
    const trans = wordsIn(translator);
    const label = trans.__('DeepSeek conversation');
    bar.id = ID;
    bar.title.icon = panelIcon;
    bar.title.caption = label;
    bar.node.setAttribute('role', 'region');
    bar.node.setAttribute('aria-label', label);
    app.shell.add(bar, 'right', { rank: 500, type: 'DeepSeek' });
    restorer?.add(bar, ID);
    const { commands } = app;
    const described = { args: { type: 'object' as const, properties: { toolbar: { type: 'boolean' as const } } } };
    commands.addCommand(OPEN, {
      label: args => (args['toolbar'] ? '' : trans.__('Open Conversation')),
      caption: trans.__('Ask DeepSeek about the notebook in front'),
      icon: panelIcon,
      describedBy: described,
      execute: () => app.shell.activateById(ID)
    });
    commands.addCommand(SETTINGS, {
      label: trans.__('Settings'),
      caption: trans.__('Model, thinking and tools of the notebook in front'),
      describedBy: described,
      execute: async () => {
        app.shell.activateById(ID);
        await bar.settings();
      }
    });
    [OPEN, SETTINGS].forEach(command => palette?.addItem({ command, category: 'DeepSeek' }));
    launcher?.add({ command: OPEN, category: 'Other', rank: 10 });
    // Menu, shortcut and the toolbar's item are in the schema.
    settings?.load('deepseek-jupyter:sidebar').catch(() => undefined);
    return {
      open: () => app.shell.activateById(ID),
      write: async text => {
        app.shell.activateById(ID);
        await bar.write(text);
      }
    };
  }
};

/** The panel in the output of a cell. */
export const output: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:panel',
  description: 'The conversation of a notebook in the output of a cell: ds.panel().',
  autoStart: true,
  requires: [INotebookTracker, IRenderMimeRegistry, ICommHub],
  optional: [ITranslator],
  activate: (
    _app: JupyterFrontEnd,
    tracker: INotebookTracker,
    rendermime: IRenderMimeRegistry,
    hub: ICommHub,
    translator: ITranslator | null
  ) => {
    rendermime.addFactory(
      {
        safe: true,
        mimeTypes: [PANEL_TYPE],
        defaultRank: RANK,
        createRenderer: options =>
          orText(() => new PanelOutput(options, tracker, hub, translator ?? nullTranslator))
      },
      RANK
    );
  }
};
