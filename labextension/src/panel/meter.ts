/** What the conversation used and cost, in a line. */
import type { TranslationBundle } from '@jupyterlab/translation';

/** The line; empty before the first turn. */
export function meter(json: unknown, trans: TranslationBundle): string {
  const raw = json !== null && typeof json === 'object' ? (json as Record<string, unknown>) : {};
  const number = (name: string) => (typeof raw[name] === 'number' ? (raw[name] as number) : 0);
  const turns = number('turns');
  if (!turns) {
    return '';
  }
  const prompt = number('prompt');
  const cached = prompt ? Math.round((100 * number('cached')) / prompt) : 0;
  const costs = Object.entries((raw['cost'] ?? {}) as Record<string, unknown>);
  return [
    trans._n('%1 turn', '%1 turns', turns),
    trans.__('%1 tokens', short(prompt + number('out'))),
    prompt ? trans.__('%1 % cached', cached) : '',
    ...costs.map(([currency, amount]) => money(Number(amount), currency))
  ]
    .filter(Boolean)
    .join(' · ');
}

function short(count: number): string {
  if (count < 10_000) {
    return count.toLocaleString('en');
  }
  return count < 1_000_000 ? `${Math.round(count / 1000)}k` : `${(count / 1e6).toFixed(1)}M`;
}

function money(amount: number, currency: string): string {
  const sign = { USD: '$', CNY: '¥' }[currency] ?? `${currency} `;
  return `~${sign}${amount >= 1 ? amount.toFixed(2) : Number(amount.toPrecision(2))}`;
}
