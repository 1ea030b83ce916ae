/** What of a frame a data policy lets out, in a few words. */
import type { TranslationBundle } from '@jupyterlab/translation';

const LEVELS = ['none', 'schema', 'stats', 'sample', 'full'];

/**
 * `5 rows` for `sample(5),name=none`: the level of most columns, under the rules laid over it.
 * `5 of 891 rows` where it is known how many left, and of how many.
 */
export function shareOf(
  policy: string,
  trans: TranslationBundle,
  [left, all]: readonly number[] = []
): string {
  const levels = policy
    .split(',')
    .map(rule => rule.trim().replace(/^\*<=/, ''))
    .filter(rule => /^[a-z]+(?:\(\d+\))?$/.test(rule));
  const rank = (level: string) => LEVELS.indexOf(level.replace(/\(.*/, ''));
  const least = levels.sort((a, b) => rank(a) - rank(b))[0] ?? '';
  const rows = Number(/\((\d+)\)/.exec(least)?.[1] ?? 5);
  if (left && all && rank(least) >= rank('sample')) {
    return left < all
      ? trans.__('%1 of %2 rows', left.toLocaleString('en'), all.toLocaleString('en'))
      : trans._n('%1 row', '%1 rows', all);
  }
  switch (LEVELS[rank(least)]) {
    case 'none':
      return trans.__('nothing');
    case 'schema':
      return trans.__('names and types');
    case 'stats':
      return trans.__('statistics');
    case 'sample':
      return trans._n('%1 row', '%1 rows', rows);
    default:
      return least && trans.__('all rows');
  }
}
