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
      return trans.__('Cut short');
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
      ? trans.__('Thinking… %1 s', Math.floor(seconds))
      : trans.__('Thinking…');
  }
  return seconds === null ? trans.__('Thinking') : trans.__('Thought for %1 s', short(seconds));
}

function short(seconds: number): string {
  return seconds < 10 ? seconds.toFixed(1) : String(Math.round(seconds));
}
