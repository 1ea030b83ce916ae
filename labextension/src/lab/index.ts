/**
 * The plugins around the notebook: commands, edits, the button at errors, inline completion, status, launcher.
 *
 * Each does one thing and can be disabled alone. Their code is one file of its own, which a page
 * fetches when it starts the first of them; none waits for its settings, for JupyterLab would too.
 */
import { ICommandPalette, IToolbarWidgetRegistry, ToolbarButton } from '@jupyterlab/apputils';
import { ICompletionProviderManager } from '@jupyterlab/completer';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import { ICommHub } from '../tokens';
import { toWords, wordsIn } from '../words';
import type { IInlineCompletionSettings } from './inlinecompletion';

const CATEGORY = 'DeepSeek';
const TOGGLE = 'deepseek:toggle-ghost-text';
const NEW_NOTEBOOK = 'deepseek:new-notebook';

const commands: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:commands',
  description: 'Commands that write %deepseek cells, their menu and the button of a cell.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommHub, ICommandPalette, IToolbarWidgetRegistry, ISettingRegistry, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    hub: ICommHub | null,
    palette: ICommandPalette | null,
    toolbars: IToolbarWidgetRegistry | null,
    settings: ISettingRegistry | null,
    translator: ITranslator | null
  ) => {
    const { COMMANDS, Commands, deepSeekIcon } = await import(/* webpackChunkName: 'lab' */ './commands');
    const given = translator ?? nullTranslator;
    const trans = wordsIn(given);
    const made = new Commands({ app, tracker, translator: given, hub });
    Object.values(COMMANDS).forEach(command => palette?.addItem({ command, category: CATEGORY }));
    toolbars?.addFactory('Cell', 'deepseek-menu', () => {
      const button: ToolbarButton = new ToolbarButton({
        icon: deepSeekIcon,
        tooltip: trans.__('Ask DeepSeek about this cell'),
        onClick: () => made.openMenu(button.node)
      });
      return button;
    });
    // Menu, shortcuts and the toolbar's item are in the schema.
    settings?.load('deepseek-jupyter:commands').catch(() => undefined);
  }
};

const documents: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:document',
  description: 'Sends the notebook’s code cells to a kernel that asks for them.',
  autoStart: true,
  requires: [ICommHub, INotebookTracker],
  activate: async (_app: JupyterFrontEnd, hub: ICommHub, tracker: INotebookTracker) => {
    const { sendDocuments } = await import(/* webpackChunkName: 'lab' */ './document');
    sendDocuments(hub, tracker);
  }
};

const edits: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:edits',
  description: 'Writes changes that the user accepted in the kernel to the cells of its notebook.',
  autoStart: true,
  requires: [ICommHub, INotebookTracker],
  optional: [ITranslator],
  activate: async (
    _app: JupyterFrontEnd,
    hub: ICommHub,
    tracker: INotebookTracker,
    translator: ITranslator | null
  ) => {
    const { CellWriter } = await import(/* webpackChunkName: 'lab' */ './document');
    new CellWriter(hub, tracker, translator ?? undefined);
  }
};

const cellLanguage: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:cell-language',
  description: 'Edits cells that ask a model as Markdown.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: async (_app: JupyterFrontEnd, tracker: INotebookTracker) => {
    const { watchCells } = await import(/* webpackChunkName: 'lab' */ './document');
    watchCells(tracker);
  }
};

const fixButton: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:fix-button',
  description: 'A button under the error of a cell that asks for a correction.',
  autoStart: true,
  requires: [IRenderMimeRegistry, INotebookTracker],
  optional: [ISettingRegistry, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    tracker: INotebookTracker,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ) => {
    const { ERROR_TYPE, ErrorWithButton } = await import(/* webpackChunkName: 'lab' */ './commands');
    const trans = wordsIn(translator);
    let isShown = true;
    rendermime.addFactory(
      {
        safe: true,
        mimeTypes: [ERROR_TYPE],
        createRenderer: rendererOptions =>
          new ErrorWithButton({
            ...{ rendermime, rendererOptions, commands: app.commands, tracker, trans },
            isShown: () => isShown && app.commands.hasCommand('deepseek:fix')
          })
      },
      0
    );
    registry?.load('deepseek-jupyter:fix-button').then(
      settings => {
        const read = () => {
          isShown = settings.get('enabled').composite !== false;
        };
        settings.changed.connect(read);
        read();
      },
      () => undefined // no settings: the button is shown
    );
  }
};

const ghostText: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:ghost-text',
  description: 'Suggests code at the cursor, once it is turned on.',
  autoStart: true,
  requires: [ICommHub, ICompletionProviderManager, ISettingRegistry],
  optional: [ICommandPalette, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    hub: ICommHub,
    manager: ICompletionProviderManager,
    registry: ISettingRegistry,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    const trans = wordsIn(translator);
    let settings: ISettingRegistry.ISettings | null = null;
    const isOn = () => settings?.get('enabled').composite === true;
    app.commands.addCommand(TOGGLE, {
      label: trans.__('DeepSeek Ghost Text'),
      caption: trans.__('Suggest code at the cursor; each suggestion is a paid request'),
      isEnabled: () => settings !== null,
      isToggled: isOn,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => settings?.set('enabled', !isOn())
    });
    palette?.addItem({ command: TOGGLE, category: CATEGORY });
    const { InlineCompletionProvider } = await import(/* webpackChunkName: 'lab' */ './inlinecompletion');
    const provider = new InlineCompletionProvider(hub, trans);
    manager.registerInlineProvider(provider);
    registry.load('deepseek-jupyter:ghost-text').then(
      loaded => {
        settings = loaded;
        const read = () => {
          provider.settings = loaded.composite as unknown as IInlineCompletionSettings;
          app.commands.notifyCommandChanged(TOGGLE);
        };
        loaded.changed.connect(read);
        read();
      },
      () => undefined // no settings: it stays off
    );
  }
};

/** An item of the status bar that is there at times. */
interface IActiveItem extends Widget {
  readonly isActive: boolean;
  readonly activeChanged: ISignal<unknown, void>;
}

const status: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:status',
  description: 'Shows what the notebook has cost, what the cache saved, and a job that runs, in the status bar.',
  autoStart: true,
  requires: [ICommHub, INotebookTracker],
  optional: [IStatusBar, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    hub: ICommHub,
    tracker: INotebookTracker,
    bar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (!bar) {
      return; // Notebook 7 has none
    }
    const { JobItem, StatusItem } = await import(/* webpackChunkName: 'lab' */ './statusbar');
    const trans = wordsIn(translator);
    const item = new StatusItem(hub, tracker, trans, () => {
      if (app.commands.hasCommand('deepseek:usage')) {
        void app.commands.execute('deepseek:usage');
      }
    });
    const show = (id: string, item: IActiveItem, rank: number) =>
      bar.registerStatusItem(id, {
        item,
        align: 'right',
        rank,
        isActive: () => item.isActive,
        activeStateChanged: item.activeChanged
      });
    show('deepseek-jupyter:status', item, 40);
    show('deepseek-jupyter:job', new JobItem(hub, tracker, trans), 41);
  }
};

const identity: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:identity',
  description: 'Keeps the id of a conversation’s notebook in its metadata.',
  autoStart: true,
  requires: [ICommHub, INotebookTracker],
  activate: async (_app: JupyterFrontEnd, hub: ICommHub, tracker: INotebookTracker) => {
    const { keepNotebookId } = await import(/* webpackChunkName: 'lab' */ './document');
    keepNotebookId(hub, tracker);
  }
};

const schemaTexts: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:schema-texts',
  description: 'Shows our settings in the page’s language.',
  autoStart: true,
  requires: [ISettingRegistry, ITranslator],
  activate: (_app: JupyterFrontEnd, registry: ISettingRegistry, translator: ITranslator) => {
    // Lab's server looks for the words of schemas in language packs only, where extensions have none.
    const trans = wordsIn(translator);
    const translate = (id: string) => toWords(registry.plugins[id]?.schema, trans);
    registry.pluginChanged.connect((_, id) => {
      id.startsWith('deepseek-jupyter:') && translate(id); // it was saved and fetched again
    });
    for (const name of ['commands', 'fix-button', 'ghost-text', 'sidebar']) {
      const id = `deepseek-jupyter:${name}`;
      registry.load(id).then(
        () => translate(id),
        () => undefined // its plugin is disabled
      );
    }
  }
};

const launcher: JupyterFrontEndPlugin<void> = {
  id: 'deepseek-jupyter:launcher',
  description: 'Starts a notebook that is ready to ask.',
  autoStart: true,
  optional: [ILauncher, ICommandPalette, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    cards: ILauncher | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    const trans = wordsIn(translator);
    const { deepSeekIcon, newNotebook } = await import(/* webpackChunkName: 'lab' */ './commands');
    app.commands.addCommand(NEW_NOTEBOOK, {
      label: args =>
        args['isPalette'] ? trans.__('New Notebook With DeepSeek') : trans.__('DeepSeek Notebook'),
      caption: trans.__('A notebook that has loaded the extension'),
      icon: args => (args['isPalette'] ? undefined : deepSeekIcon),
      describedBy: {
        args: {
          type: 'object',
          properties: {
            cwd: { type: 'string', description: 'The folder of the notebook.' },
            isPalette: { type: 'boolean' }
          }
        }
      },
      execute: args => newNotebook(app, String(args['cwd'] ?? ''), trans.__('Ask here, then run the cell.'))
    });
    cards?.add({ command: NEW_NOTEBOOK, category: 'Notebook', rank: 10 });
    palette?.addItem({ command: NEW_NOTEBOOK, category: CATEGORY, args: { isPalette: true } });
  }
};

export const labPlugins = [
  ...[commands, cellLanguage, edits, fixButton, ghostText, status, identity, launcher, documents],
  schemaTexts
];
