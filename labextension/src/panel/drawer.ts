/** The part over the conversation that shows one thing at a time: tree, search, settings, … */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';
import { make } from '../card/dom';
import { list, object } from '../kernel/json';

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
  const node = make('ul', 'panel-rows');
  node.setAttribute('aria-label', trans.__('Tree of the conversation'));
  for (const row of rows) {
    const button = item(node, row.head || '…', () => go(row.id));
    button.style.paddingInlineStart = `${8 + Math.min(row.depth, 12) * 14}px`;
    button.classList.toggle('jp-mod-current', row.onWay);
    if (row.created) {
      button.append(make('span', 'panel-snippet', new Date(row.created).toLocaleString()));
    }
    row.branches.forEach(name => button.append(make('span', 'chip-note', name)));
    if (row.onWay) {
      button.setAttribute('aria-current', 'true');
    }
    if (row.isTip) {
      // Once it is in the page: a long tree opens at the present turn, not at its beginning.
      requestAnimationFrame(() => button.scrollIntoView({ block: 'center' }));
    }
  }
  return rows.length ? node : empty(trans.__('No turn yet.'));
}

/** What a search found, as a list of buttons. */
export function hits(
  json: unknown,
  go: (id: string) => void,
  trans: TranslationBundle
): HTMLElement {
  const found = list(object(json)['hits']).map(object);
  const node = make('ul', 'panel-rows');
  node.setAttribute('aria-label', trans.__('Found'));
  for (const hit of found) {
    const button = item(node, String(hit['head'] ?? ''), () => go(String(hit['turn'])));
    const piece = make('span', 'panel-snippet');
    for (const [text, marked] of list(hit['pieces']) as [unknown, unknown][]) {
      piece.append(marked === true ? make('mark', 'panel-mark', String(text)) : String(text));
    }
    button.append(piece);
  }
  return found.length ? node : empty(trans.__('Nothing was found.'));
}

/** The notebook's conversations, as a list of buttons. */
export function conversations(
  json: unknown,
  open: (id: string) => void,
  trans: TranslationBundle
): HTMLElement {
  const raw = object(json);
  const node = make('ul', 'panel-rows');
  node.setAttribute('aria-label', trans.__('Conversations of this notebook'));
  for (const row of list(raw['conversations']).map(object)) {
    const title = String(row['title'] || trans.__('New conversation'));
    const button = item(node, title, () => open(String(row['id'])));
    const turns = typeof row['turns'] === 'number' ? row['turns'] : 0;
    const moment = row['newest'] ? new Date(String(row['newest'])).toLocaleString() : '';
    const facts = [trans._n('%1 turn', '%1 turns', turns), moment].filter(Boolean).join(' · ');
    button.append(make('span', 'panel-snippet', facts));
    if (row['id'] === raw['current']) {
      button.classList.add('jp-mod-current');
      button.setAttribute('aria-current', 'true');
    }
  }
  return node;
}

function item(list: HTMLElement, text: string, onClick: () => void): HTMLButtonElement {
  const button = make('button', 'panel-item', text);
  button.type = 'button';
  button.addEventListener('click', onClick);
  const row = document.createElement('li');
  row.append(button);
  list.append(row);
  return button;
}

function empty(text: string): HTMLElement {
  return make('p', 'panel-empty', text);
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
