/** The plugins, each for one role, so that each can be disabled alone. */
import { PageConfig } from '@jupyterlab/coreutils';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Card } from './card/card';
import {
  Changes,
  CHANGES_MIME,
  Compare,
  DRAWN_MIME,
  DryRun,
  NEXT_MIME,
  NextTokens,
  orText
} from './card/renderers';
import { page } from './card/notes';
import { keepOutputs } from './card/hostcell';
import { CommHub } from './kernel/comms';
import { COMPARE_MIME, MIME_TYPE } from './kernel/record';
import { labPlugins } from './lab/index';
import { output, sidebar } from './panel/index';
import { speak } from './said';
import { ICommHub, ISidePanel } from './tokens';

export { ICommHub, ISidePanel };

/** Before every other kind of output. */
const RANK = -10;

/** Have outputs of a type shown by a renderer. */
function draw(
  rendermime: IRenderMimeRegistry,
  mimeType: string,
  create: (options: IRenderMime.IRendererOptions) => IRenderMime.IRenderer
): void {
  const createRenderer = (options: IRenderMime.IRendererOptions) => orText(() => create(options));
  rendermime.addFactory({ safe: true, mimeTypes: [mimeType], defaultRank: RANK, createRenderer }, RANK);
}

/** Fetch the catalogue of the kernel's words; without it they stay English. */
async function speakIn(language: string): Promise<void> {
  if (language.toLowerCase().startsWith('zh')) {
    const { default: entries } = await import('../locale/zh_CN/kernel.json');
    speak(entries);
  }
}
/** The plugins that run cells over the page's own connection; servers that do it turn them off. */
const EXECUTOR = '@jupyterlab/notebook-extension:cell-executor';
const SHARED_EXECUTOR = '@jupyter/docprovider-extension:notebook-cell-executor';

/** Where a page that is loaded again finds the kernels to which it was connected. */
const CONNECTED = 'deepseek-jupyter:connected';

const comms: JupyterFrontEndPlugin<ICommHub> = {
  id: 'deepseek-jupyter:comms',
  description: 'Opens the comms over which a kernel streams an answer and takes requests.',
  autoStart: true,
  provides: ICommHub,
  optional: [INotebookTracker, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    tracker: INotebookTracker | null,
    translator: ITranslator | null
  ) => {
    const language = translator?.languageCode ?? 'en';
    await speakIn(language).catch(error => console.warn('deepseek-jupyter: no catalogue', error));
    const hub = new CommHub(
      app.hasPlugin(EXECUTOR) ||
        (app.hasPlugin(SHARED_EXECUTOR) && PageConfig.getOption('serverSideExecution') !== 'true'),
      language
    );
    const connected = sessionStorage.getItem(CONNECTED) ?? '';
    sessionStorage.removeItem(CONNECTED);
    // A cell that names the extension has most likely just loaded it.
    NotebookActions.executed.connect((_, { notebook, cell }) => {
      const panel = tracker?.find(item => item.content === notebook);
      const kernel = panel?.sessionContext.session?.kernel;
      if (kernel && cell.model.sharedModel.source.includes('deepseek')) {
        hub.connect(kernel);
      }
    });
    // Before its connection ends: a question must not wait for a page that is closed.
    tracker?.widgetAdded.connect((_, { sessionContext }) => {
      sessionContext.kernelChanged.connect((_, { newValue }) => {
        newValue && connected.includes(newValue.id) && hub.connect(newValue);
      });
      sessionContext.disposed.connect(() => {
        const kernel = sessionContext.session?.kernel;
        kernel && hub.leave(kernel);
      });
    });
    // A page that is only put aside may come back.
    window.addEventListener('pagehide', ({ persisted }) => {
      if (!persisted) {
        sessionStorage.setItem(CONNECTED, hub.kernels.join());
        hub.leave();
      }
    });
    tracker && keepOutputs(hub, tracker);
    return hub;
  }
};

const renderer: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:renderer',
  description: 'Shows the answer of a DeepSeek model in the output of a cell.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ICommHub, INotebookTracker, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    hub: ICommHub | null,
    tracker: INotebookTracker | null,
    translator: ITranslator | null
  ) => {
    forbidNamePrefetch();
    page.enterKey = () => void app.commands.execute('deepseek:login');
    const options = { translator: translator ?? nullTranslator, hub, tracker };
    draw(rendermime, MIME_TYPE, rendererOptions => new Card({ ...options, rendererOptions }));
    draw(rendermime, COMPARE_MIME, rendererOptions => new Compare({ ...options, rendererOptions }));
    draw(rendermime, DRAWN_MIME, rendererOptions => new DryRun({ ...options, rendererOptions }));
    draw(rendermime, NEXT_MIME, () => new NextTokens(options.translator));
  }
};

const changes: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:changes',
  description: 'Shows changes that a model proposes, with buttons to accept or reject them.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ICommHub, INotebookTracker, ITranslator],
  activate: (
    _app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    hub: ICommHub | null,
    tracker: INotebookTracker | null,
    translator: ITranslator | null
  ) => {
    const options = { translator: translator ?? nullTranslator, hub, tracker };
    draw(rendermime, CHANGES_MIME, rendererOptions => new Changes({ ...options, rendererOptions }));
  }
};

/**
 * Keep the browser from looking up the host names of links before they are clicked.
 *
 * #### Notes
 * On a page served over http, Chromium asks for the name of every link's host as soon as the link
 * exists. A model can be made to write data into such a name.
 */
function forbidNamePrefetch(): void {
  const meta = document.createElement('meta');
  meta.httpEquiv = 'x-dns-prefetch-control';
  meta.content = 'off';
  document.head.appendChild(meta);
}

export default [comms, renderer, changes, sidebar, output, ...labPlugins];
