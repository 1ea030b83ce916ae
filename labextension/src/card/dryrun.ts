/** What a question in a cell would send, with a button that asks exactly this. */
import { Widget } from '@lumino/widgets';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ITranslator } from '@jupyterlab/translation';
import { object, text } from '../kernel/json';
import { wordsIn } from '../words';
import { runBelow } from './actions';
import { asCode, make } from './dom';
import { findHostCell } from './hostcell';

/** The type of a dry run; the kernel writes it in `deepseek_jupyter/asking/preview.py`. */
export const DRAWN_MIME = 'application/vnd.deepseek.dry-run+json';

/** Shows a dry run. */
export class DryRun extends Widget implements IRenderMime.IRenderer {
  constructor(private _options: DryRun.IOptions) {
    super();
    this.addClass('jp-DeepSeek-dryrun');
    this._drawn.classList.add('jp-RenderedHTMLCommon', 'jp-RenderedHTML');
    const send = make('button', 'panel-textbutton', wordsIn(_options.translator).__('Send this'));
    send.type = 'button';
    send.classList.add('jp-mod-primary');
    send.addEventListener('click', () => this._run(`%deepseek send ${this._id}`));
    const show = (form: string) => this._run(`%deepseek show drawn-${this._id} --as ${form}`);
    this.node.append(this._drawn, send, asCode(show, wordsIn(_options.translator)));
  }

  async renderModel({ data }: IRenderMime.IMimeModel): Promise<void> {
    const html = data['text/html'];
    const { sanitizer } = this._options.rendererOptions;
    this._drawn.innerHTML = sanitizer.sanitize(Array.isArray(html) ? html.join('') : text(html));
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

/** The namespace of the widget's options. */
export namespace DryRun {
  /** What it needs. */
  export interface IOptions {
    rendererOptions: IRenderMime.IRendererOptions;
    translator: ITranslator;
    /** The notebooks, where the host has some. */
    tracker: INotebookTracker | null;
  }
}
