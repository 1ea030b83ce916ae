/** The panel in the output of a cell: what `ds.panel()` shows in JupyterLab and Notebook 7. */
import { Widget } from '@lumino/widgets';
import type { Message } from '@lumino/messaging';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ITranslator } from '@jupyterlab/translation';
import { make } from '../dom';
import { BlockRenderer } from '../markdown';
import type { ICommHub } from '../tokens';

/** The MIME type of a panel. */
export const PANEL_TYPE = 'application/vnd.deepseek.panel+json';

/** The least and the greatest height, in pixels. */
const BOUNDS = [240, 1600];

/** Shows a panel for the notebook that it stands in. */
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
    const trans = this._translator.load('deepseek_jupyter');
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
    const [{ PanelView }, { NotebookLink }] = await Promise.all([
      import('./view'),
      import('./notebook_link')
    ]);
    if (this.isDisposed) {
      return;
    }
    const link = new NotebookLink(panel, this._hub, this._translator);
    const view = new PanelView(link, new BlockRenderer(this._options), trans);
    this.node.replaceChildren(view.node);
    this._close = () => {
      view.dispose();
      link.dispose();
    };
  }

  private _opened = false;
  private _close: () => void = () => undefined;
}
