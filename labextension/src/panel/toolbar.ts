/** The row of buttons over the conversation, and the drawer in which each shows one thing: tree, search, settings, … */
import {
  addIcon,
  downloadIcon,
  historyIcon,
  searchIcon,
  settingsIcon,
  treeViewIcon
} from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { JSONObject } from '@lumino/coreutils';
import { button, make, say, textButton } from '../card/dom';
import { list, object } from '../kernel/json';
import { SettingsForm } from './settings';
import type { ISettings } from './state';

/** A place for one thing at a time; Escape closes it. */
export class Drawer {
  readonly node = make('section', 'panel-drawer');

  constructor() {
    this.node.hidden = true;
    this.node.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        this.close();
      }
    });
  }

  /** What is shown; empty for nothing. */
  get name(): string {
    return this._name;
  }

  /**
   * Show something, or close it where it is shown already; returns whether it is shown now.
   *
   * @param opener - The button that gets the focus back.
   */
  toggle(name: string, label: string, opener: HTMLElement | null, ...content: Node[]): boolean {
    if (this._name === name && opener === this._opener) {
      this.close();
      return false;
    }
    this._opener?.setAttribute('aria-expanded', 'false');
    this._opener = opener;
    opener?.setAttribute('aria-expanded', 'true');
    this._name = name;
    this.node.setAttribute('aria-label', label);
    this.node.replaceChildren(make('h2', 'panel-heading', label), ...content);
    this.node.hidden = false;
    return true;
  }

  /** Put other content under the heading, if this is still shown. */
  fill(name: string, ...content: Node[]): void {
    if (this._name === name) {
      this.node.replaceChildren(this.node.firstElementChild!, ...content);
    }
  }

  close(): void {
    this.node.hidden = true;
    this.node.replaceChildren();
    this._opener?.setAttribute('aria-expanded', 'false');
    this._opener?.focus();
    this._opener = null;
    this._name = '';
  }

  private _name = '';
  private _opener: HTMLElement | null = null;
}

/** A node of the tree, with its depth as it is drawn. */
export interface IRow {
  readonly id: string;
  readonly head: string;
  readonly depth: number;
  readonly branches: readonly string[];
  readonly onWay: boolean;
  readonly isTip: boolean;
  /** When it was asked. */
  readonly created: string;
}

/**
 * Lay out the tree: a turn that has siblings begins a step to the right, a chain stays in its column.
 */
export function layOut(json: unknown): IRow[] {
  const raw = object(json);
  const nodes = list(raw['nodes']).map(object);
  const parents = new Map(nodes.map(node => [String(node['id']), node['parent'] ?? null]));
  const children = new Map<unknown, Record<string, unknown>[]>();
  for (const node of nodes) {
    const parent = parents.has(String(node['parent'])) ? node['parent'] : null;
    children.set(parent, [...(children.get(parent) ?? []), node]);
  }
  const way = new Set<unknown>();
  for (let at: unknown = raw['tip']; parents.has(String(at)) && !way.has(at); ) {
    way.add(at);
    at = parents.get(String(at)) ?? null;
  }
  const tips = Object.entries(object(raw['branches']));
  const rows: IRow[] = [];
  const waiting = [...(children.get(null) ?? [])]
    .reverse()
    .map(node => ({ node, depth: 0 }));
  while (waiting.length) {
    const { node, depth } = waiting.pop()!;
    const id = String(node['id']);
    rows.push({
      id,
      head: String(node['head'] ?? ''),
      depth,
      branches: tips.filter(([, tip]) => tip === id).map(([name]) => name),
      onWay: way.has(node['id']),
      isTip: node['id'] === raw['tip'],
      created: String(node['created'] ?? '')
    });
    const below = children.get(node['id']) ?? [];
    const inner = below.length > 1 ? depth + 1 : depth;
    waiting.push(...[...below].reverse().map(child => ({ node: child, depth: inner })));
  }
  return rows;
}

/** The tree as a list of buttons. */
export function tree(
  json: unknown,
  go: (id: string) => void,
  trans: TranslationBundle
): HTMLElement {
  const rows = layOut(json);
  const none = trans.__('No turn yet.');
  return choices(trans.__('Tree of the conversation'), rows, none, row => {
    const moment = row.created ? snippet(new Date(row.created).toLocaleString()) : '';
    const names = row.branches.map(name => make('span', 'chip-note', name));
    const button = item(row.head || '…', () => go(row.id), row.onWay, moment, ...names);
    button.style.paddingInlineStart = `${8 + Math.min(row.depth, 12) * 14}px`;
    if (row.isTip) {
      // Once it is in the page: a long tree opens at the present turn, not at its beginning.
      requestAnimationFrame(() => button.scrollIntoView({ block: 'center' }));
    }
    return button;
  });
}

/** What a search found, as a list of buttons. */
export function hits(
  json: unknown,
  go: (id: string) => void,
  trans: TranslationBundle
): HTMLElement {
  const found = list(object(json)['hits']).map(object);
  return choices(trans.__('Found'), found, trans.__('Nothing was found.'), hit => {
    const piece = snippet();
    for (const [text, marked] of list(hit['pieces']) as [unknown, unknown][]) {
      piece.append(marked === true ? make('mark', 'panel-mark', String(text)) : String(text));
    }
    return item(String(hit['head'] ?? ''), () => go(String(hit['turn'])), false, piece);
  });
}

/** The notebook's conversations, as a list of buttons. */
export function conversations(
  json: unknown,
  open: (id: string) => void,
  trans: TranslationBundle
): HTMLElement {
  const raw = object(json);
  const rows = list(raw['conversations']).map(object);
  const none = trans.__('No turn yet.');
  return choices(trans.__('Conversations of this notebook'), rows, none, row => {
    const title = String(row['title'] || trans.__('New conversation'));
    const turns = typeof row['turns'] === 'number' ? row['turns'] : 0;
    const moment = row['newest'] ? new Date(String(row['newest'])).toLocaleString() : '';
    const facts = [trans._n('%1 turn', '%1 turns', turns), moment].filter(Boolean).join(' · ');
    return item(title, () => open(String(row['id'])), row['id'] === raw['current'], snippet(facts));
  });
}

/** A list of buttons, one a row; or what is said where there is no row. */
function choices<T>(
  label: string,
  rows: readonly T[],
  none: string,
  of: (row: T) => HTMLButtonElement
): HTMLElement {
  if (!rows.length) {
    return make('p', 'panel-empty', none);
  }
  const node = make('ul', 'panel-rows');
  node.setAttribute('aria-label', label);
  node.append(
    ...rows.map(row => {
      const line = document.createElement('li');
      line.append(of(row));
      return line;
    })
  );
  return node;
}

function item(
  text: string,
  onClick: () => void,
  current: boolean,
  ...more: (Node | string)[]
): HTMLButtonElement {
  const button = textButton('panel-item', text, onClick);
  button.append(...more);
  if (current) {
    button.classList.add('jp-mod-current');
    button.setAttribute('aria-current', 'true');
  }
  return button;
}

function snippet(text = ''): HTMLElement {
  return make('span', 'panel-snippet', text);
}

interface IReport {
  readonly title: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly remark: string;
}

/** The answer to `dry_run`, to be read. */
export function preview(json: JSONObject, trans: TranslationBundle): HTMLElement {
  const node = make('div', 'panel-preview');
  node.append(
    make('p', 'panel-summary', String(json['summary'] ?? '')),
    make('p', 'panel-snippet', String(json['title'] ?? ''))
  );
  for (const item of (json['reports'] ?? []) as unknown as IReport[]) {
    node.append(report(item));
  }
  const messages = (json['messages'] ?? []) as { role: string; text: string }[];
  messages.forEach(({ role, text }) => {
    const fold = make('details', 'tool');
    const shown = make('pre', 'tool-text', text);
    shown.tabIndex = 0;
    shown.setAttribute('role', 'region');
    shown.setAttribute('aria-label', trans.__('Message of %1', role));
    fold.append(make('summary', 'tool-summary', role), shown);
    node.append(fold);
  });
  return node;
}

function report({ title, heads, rows, remark }: IReport): HTMLElement {
  const table = make('table', 'panel-table');
  table.createCaption().textContent = title;
  if (heads.length) {
    const row = table.createTHead().insertRow();
    heads.forEach(head => row.appendChild(make('th', 'panel-cell', head)).setAttribute('scope', 'col'));
  }
  for (const cells of rows) {
    const row = table.insertRow();
    cells.forEach(cell => {
      const shown = row.appendChild(make('td', 'panel-cell', cell));
      shown.classList.toggle('jp-mod-number', /^[~$¥€]?[\d,.]+$/.test(cell));
    });
  }
  const host = make('div', 'panel-report');
  host.append(table);
  if (remark) {
    host.append(make('p', 'panel-snippet', remark));
  }
  return host;
}

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
      const close = textButton('panel-textbutton', this._trans.__('Close'), () => drawer.close());
      // What was drawn, whatever the composer says by now.
      const send = textButton('panel-textbutton', this._trans.__('Send this'), () => {
        drawer.close();
        this._actions.ask({ ...question, drawn: json['drawn'] ?? null });
      });
      send.classList.add('jp-mod-primary');
      send.disabled = !question['prompt'] || !json['drawn'];
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
      return textButton('panel-textbutton', label, async () => {
        const file = await this._actions.request('export', { format });
        if (file) {
          download(String(file['name']), String(file['text']));
          this.drawer.close();
        }
      });
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
