/** What a question would send: the messages as they are, and tables of what they hold. */
import type { JSONObject } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { make } from '../dom';

interface IReport {
  readonly title: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly remark: string;
}

/** The answer to `dry_run`, to be read. */
export function preview(json: JSONObject, trans: TranslationBundle): HTMLElement {
  const node = make('div', 'panel-preview');
  node.append(make('p', 'panel-snippet', String(json['title'] ?? '')));
  for (const item of (json['reports'] ?? []) as unknown as IReport[]) {
    node.append(report(item));
  }
  const messages = (json['messages'] ?? []) as { role: string; text: string }[];
  messages.forEach(({ role, text }, index) => {
    const fold = make('details', 'tool');
    fold.open = index === messages.length - 1;
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
    cells.forEach(cell => row.appendChild(make('td', 'panel-cell', cell)));
  }
  const host = make('div', 'panel-report');
  host.append(table);
  if (remark) {
    host.append(make('p', 'panel-snippet', remark));
  }
  return host;
}
