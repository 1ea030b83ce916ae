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

/** Seconds of waiting that need no clock. */
const SHORT = 3;

/** What a turn waits for that has waited some seconds for it, which are said once they are many. */
export function waitingFor(record: ITurnRecord, waited: number, trans: TranslationBundle): string {
  const { waiting } = record;
  const left = waiting?.reason === 'retry' ? Math.ceil(waiting.seconds - waited) : 0;
  if (waiting && left > 0) {
    const why = failure(waiting.kind, record.provider, trans);
    return trans.__('%1 Trying again in %2 s (%3 of %4).', why, left, waiting.number, waiting.of);
  }
  const since = waited - (waiting?.reason === 'retry' ? waiting.seconds : 0);
  const clock = since >= SHORT ? ` ${duration(Math.floor(since), trans, 0)}` : '';
  return waitsFor(record, trans) + clock;
}

function waitsFor({ waiting, provider, model }: ITurnRecord, trans: TranslationBundle): string {
  if (waiting?.reason === 'start') {
    return trans.__('Starting %1 on this machine…', waiting.name);
  }
  if (waiting?.reason === 'read') {
    return trans.__('Reading %1 (%2 rows)…', waiting.name, waiting.rows.toLocaleString('en'));
  }
  const who = provider === 'local' ? model : provider;
  return who ? trans.__('Waiting for %1…', who) : trans.__('Getting ready…');
}

function failure(kind: string, provider: string, trans: TranslationBundle): string {
  switch (kind) {
    case 'RateLimitError':
      return trans.__('Too many requests at once.');
    case 'UnreachableError':
      return trans.__('%1 cannot be reached.', provider);
    default:
      return trans.__('%1 is busy.', provider);
  }
}

/** What a turn cost and took, in as few words as can be. */
export function price(record: ITurnRecord, trans: TranslationBundle): string {
  const { cost, timing, replayed, recorded } = record;
  return [
    replayed ? trans.__('replayed') : '',
    replayed && recorded ? trans.__('recorded %1', recorded.slice(0, 10)) : '',
    cost ? `~${money(cost.amount, cost.currency)}` : '',
    timing.total === null ? '' : duration(timing.total, trans)
  ]
    .filter(Boolean)
    .join(' · ');
}

/** A turn's status for a screen reader, which also announces that a turn is done. */
export function announcement(record: ITurnRecord, live: boolean, trans: TranslationBundle): string {
  return record.status === 'done' ? trans.__('Done') : phase(record.status, live, trans);
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
