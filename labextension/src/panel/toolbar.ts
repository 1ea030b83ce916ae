/** The row of buttons over the conversation, and what each opens in the drawer. */
import {
  addIcon,
  downloadIcon,
  historyIcon,
  searchIcon,
  settingsIcon,
  treeViewIcon
} from '@jupyterlab/ui-components';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { JSONObject } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { button, make, say } from '../card/dom';
import { conversations, Drawer, hits, preview, tree } from './drawer';
import { SettingsForm } from './settings';
import type { ISettings } from './state';

/** How long typing must rest before it is searched for, in milliseconds. */
const REST = 200;

/** What the bar asks for. */
export interface IToolbarActions {
  /** Ask the kernel; null after an error, which is shown. */
  request(type: string, body?: JSONObject): Promise<JSONObject | null>;
  /** Go on from a turn. */
  go(id: string): void;
  /** Ask a question that was drawn. */
  ask(question: JSONObject): void;
  failed(error: unknown): void;
}

/** Shows the buttons and the drawer. */
export class PanelToolbar {
  readonly node = make('div', 'panel-bar');
  readonly drawer = new Drawer();

  constructor(private _actions: IToolbarActions, private _trans: TranslationBundle) {
    const trans = _trans;
    this._controls = new SettingsForm(
      some => void _actions.request('settings', { set: some }),
      () => _actions.request('models'),
      trans
    );
    const buttons = make('div', 'buttons');
    buttons.setAttribute('role', 'toolbar');
    buttons.setAttribute('aria-label', trans.__('Conversation'));
    buttons.append(
      this._button(addIcon, trans.__('New conversation'), () => void _actions.request('new')),
      this._opener(historyIcon, trans.__('Conversations'), opener => this._history(opener)),
      this._opener(treeViewIcon, trans.__('Tree of the conversation'), opener => this._tree(opener)),
      this._opener(searchIcon, trans.__('Search'), opener => this._search(opener)),
      this._opener(downloadIcon, trans.__('Export'), opener => this._export(opener)),
      (this._settings = this._opener(settingsIcon, trans.__('Settings'), () => this.settings()))
    );
    this.node.append(this._name, buttons);
  }

  /** Show the name of what the panel is about, and its settings. */
  update(name: string, live: boolean, settings: ISettings): void {
    say(this._name, name);
    this._name.title = name;
    this._live.forEach(item => (item.disabled = !live));
    this._controls.update(settings);
    if (!live && this.drawer.name) {
      this.drawer.close();
    }
  }

  /** Open or close the settings. */
  settings(): void {
    const { _settings: opener, _controls: controls } = this;
    this.drawer.toggle('settings', this._trans.__('Settings'), opener, controls.node);
  }

  /** Show what a question would send. */
  async preview(question: JSONObject): Promise<void> {
    const { drawer } = this;
    const label = this._trans.__('What would be sent');
    const json = await this._actions.request('dry_run', question);
    if (json) {
      drawer.name === 'preview' && drawer.close();
      drawer.toggle('preview', label, null, preview(json, this._trans));
      const close = make('button', 'panel-textbutton', this._trans.__('Close'));
      close.addEventListener('click', () => drawer.close());
      // What was drawn, whatever the composer says by now.
      const send = make('button', 'panel-textbutton', this._trans.__('Send this'));
      send.classList.add('jp-mod-primary');
      send.disabled = !question['prompt'] || !json['drawn'];
      send.addEventListener('click', () => {
        drawer.close();
        this._actions.ask({ ...question, drawn: json['drawn'] ?? null });
      });
      drawer.node.append(send, close);
      close.focus({ preventScroll: true });
    }
  }

  private async _history(opener: HTMLElement): Promise<void> {
    const { drawer } = this;
    if (drawer.toggle('history', this._trans.__('Conversations of this notebook'), opener)) {
      const json = await this._actions.request('conversations');
      const open = (id: string) => {
        void this._actions.request('open', { conversation: id });
        drawer.close();
      };
      drawer.fill('history', conversations(json, open, this._trans));
    }
  }

  private async _tree(opener: HTMLElement): Promise<void> {
    const { drawer } = this;
    if (drawer.toggle('tree', this._trans.__('Tree of the conversation'), opener)) {
      const json = await this._actions.request('tree');
      drawer.fill('tree', tree(json, id => this._actions.go(id), this._trans));
    }
  }

  private _search(opener: HTMLElement): void {
    const trans = this._trans;
    const field = make('input', 'panel-input');
    field.type = 'search';
    field.setAttribute('aria-label', trans.__('Words to look for'));
    field.placeholder = trans.__('Words to look for');
    const found = make('div', 'panel-found');
    let timer = 0;
    field.addEventListener('input', () => {
      clearTimeout(timer);
      timer = window.setTimeout(async () => {
        const query = field.value.trim();
        const json = query ? await this._actions.request('search', { query }) : null;
        const list = json && hits(json, id => this._actions.go(id), trans);
        found.replaceChildren(...(list ? [list] : []));
      }, REST);
    });
    if (this.drawer.toggle('search', trans.__('Search'), opener, field, found)) {
      field.focus();
    }
  }

  private _export(opener: HTMLElement): void {
    const trans = this._trans;
    const kinds = { md: 'Markdown', html: 'HTML', json: 'JSON', ipynb: trans.__('Notebook') };
    const rows = Object.entries(kinds).map(([format, label]) => {
      const item = make('button', 'panel-textbutton', label);
      item.type = 'button';
      item.addEventListener('click', async () => {
        const file = await this._actions.request('export', { format });
        if (file) {
          download(String(file['name']), String(file['text']));
          this.drawer.close();
        }
      });
      return item;
    });
    this.drawer.toggle('export', trans.__('Export the conversation'), opener, ...rows);
  }

  private _opener(icon: LabIcon, label: string, open: (opener: HTMLElement) => void): HTMLElement {
    const node = this._button(icon, label, () => open(node));
    node.setAttribute('aria-expanded', 'false');
    return node;
  }

  private _button(icon: LabIcon, label: string, onClick: () => void): HTMLButtonElement {
    const node = button(icon, label, onClick);
    this._live.push(node);
    return node;
  }

  private _controls: SettingsForm;
  private _settings: HTMLElement;
  private _name = make('span', 'panel-title');
  private _live: HTMLButtonElement[] = [];
}

/** Hand a text to the browser as a file. */
function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
