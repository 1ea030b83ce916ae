/** What a notebook has cost and what the cache saved, as its kernel reports it (docs/record.md). Pure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { number, object, text } from '../kernel/json';

/** What a notebook's conversation and its ghost texts cost. */
export interface INotebookStatus {
  /** The UUID that the kernel knows the notebook by; null before the first question. */
  readonly notebook: string | null;
  /** Whether anything was asked since the kernel started. */
  readonly asked: boolean;
  readonly turns: number;
  /** Money, as the kernel words it; empty where no price is known. */
  readonly spent: string;
  readonly tokens: number;
  /** The share of prompt tokens that the provider's cache had. */
  readonly hit: number | null;
  readonly ghosts: number;
  readonly ghostSpent: string;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Read a kernel's message or answer; null for anything else. */
export function readNotebookStatus(json: unknown): INotebookStatus | null {
  const raw = object(json);
  if (typeof raw['asked'] !== 'boolean') {
    return null;
  }
  const { notebook } = raw;
  return {
    notebook: typeof notebook === 'string' && UUID.test(notebook) ? notebook : null,
    asked: raw['asked'],
    turns: number(raw['turns']) ?? 0,
    spent: text(raw['spent']),
    tokens: number(raw['tokens']) ?? 0,
    hit: number(raw['hit']),
    ghosts: number(raw['ghosts']) ?? 0,
    ghostSpent: text(raw['ghost_spent'])
  };
}

/** Whether a message of the data comm is a notebook's status. */
export function isNotebookStatus(message: unknown): boolean {
  return object(message)['type'] === 'notebook_status';
}

/** The words in the status bar; empty while nothing was asked. */
export function statusLabel(status: INotebookStatus | null, trans: TranslationBundle): string {
  if (!status || (!status.turns && !status.ghosts)) {
    return '';
  }
  const { turns, spent, tokens, hit, ghosts, ghostSpent } = status;
  const parts = turns ? [spent || trans._n('%1 token', '%1 tokens', tokens)] : [];
  if (hit !== null) {
    parts.push(trans.__('%1% cached', Math.round(100 * hit)));
  }
  if (ghosts) {
    parts.push(trans.__('ghost text %1', ghostSpent || String(ghosts)));
  }
  return `DeepSeek ${parts.join(' · ')}`;
}

/** The tooltip of the status bar's item: its figures in sentences. */
export function statusTooltip(status: INotebookStatus | null, trans: TranslationBundle): string {
  if (!status) {
    return '';
  }
  const { turns, spent, hit, ghosts, ghostSpent } = status;
  const lines = [];
  if (turns) {
    lines.push(trans._n('This notebook asked %1 question.', 'This notebook asked %1 questions.', turns));
  }
  if (turns && spent) {
    lines.push(trans.__('Estimated cost: %1', spent));
  }
  if (hit !== null) {
    lines.push(trans.__('%1% of the prompt tokens came from the cache.', Math.round(100 * hit)));
  }
  if (ghosts) {
    const cost = ghostSpent || trans.__('no price known');
    lines.push(trans._n('%1 ghost text, %2', '%1 ghost texts, %2', ghosts, cost));
  }
  return lines.join('\n');
}
