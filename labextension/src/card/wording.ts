/** The words for a turn's status and thinking. Pure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { isRunning } from '../kernel/record';
import type { ITurnRecord, Status } from '../kernel/record';

/** A turn's status in a word or two; empty for a turn that is done. */
export function phase(status: Status, live: boolean, trans: TranslationBundle): string {
  if (isRunning(status) && !live) {
    return trans.__('Not finished');
  }
  switch (status) {
    case 'waiting':
      return trans.__('Waiting…');
    case 'thinking':
      return trans.__('Thinking…');
    case 'answering':
      return trans.__('Answering…');
    case 'interrupted':
      return trans.__('Stopped');
    case 'truncated':
      return trans.__('Broke off');
    case 'error':
      return trans.__('Failed');
    case 'done':
      return '';
  }
}

/** A turn's status for a screen reader, which also announces that a turn is done. */
export function announcement(record: ITurnRecord, live: boolean, trans: TranslationBundle): string {
  if (record.status !== 'done') {
    return phase(record.status, live, trans);
  }
  return record.footer ? trans.__('Done. %1', record.footer) : trans.__('Done');
}

/** The line on the thinking fold. */
export function thought(
  status: Status,
  seconds: number | null,
  live: boolean,
  trans: TranslationBundle
): string {
  if (live && (status === 'waiting' || status === 'thinking')) {
    return seconds && seconds >= 1
      ? trans.__('Thinking… %1', duration(Math.floor(seconds), trans, 0))
      : trans.__('Thinking…');
  }
  return seconds === null
    ? trans.__('Thinking')
    : trans.__('Thought for %1', duration(seconds, trans));
}

/** A duration as in the footer: 0.4 s, 12 s, 3 min 20 s. */
export function duration(seconds: number, trans: TranslationBundle, digits = 1): string {
  return seconds < 120
    ? trans.__('%1 s', seconds.toFixed(seconds < 9.95 ? digits : 0))
    : trans.__('%1 min %2 s', Math.floor(seconds / 60), Math.floor(seconds % 60));
}

/** How long a call took: 12 ms, 3.4 s. */
export function took(seconds: number, trans: TranslationBundle): string {
  return seconds < 0.9995
    ? trans.__('%1 ms', (seconds * 1000).toFixed(0))
    : duration(seconds, trans);
}

/** An amount as in the footer: enough digits to be more than zero, two where it is large. */
export function money(amount: number, currency: string): string {
  const symbol = { USD: '$', CNY: '¥', EUR: '€' }[currency] ?? `${currency} `;
  if (amount === 0) {
    return `${symbol}0`;
  }
  const digits = amount >= 1 ? 2 : Math.max(2, 1 - Math.floor(Math.log10(amount)));
  return symbol + amount.toFixed(digits);
}
