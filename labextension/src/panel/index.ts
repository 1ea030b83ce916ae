/** The plugins of the panel: the side bar, and what `ds.panel()` shows. */
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { orText } from '../card/fallback';
import { ICommHub, ISidePanel } from '../tokens';
import { PANEL_TYPE, PanelOutput, SideBar } from './hosts';
import { wordsIn } from '../words';

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
