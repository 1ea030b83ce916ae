/** How one text differs from another, word by word; the ends of lines count as words. Pure. */

/** Words that both texts have, the first alone or the second alone. */
export type Change = readonly ['same' | 'gone' | 'new', string];

/** The most pairs of words that are looked at; of longer texts all counts as changed. */
const MOST = 16_000_000;

/** What makes `one` into `other`, by a longest common subsequence. */
export function wordDiff(one: string, other: string): Change[] {
  const [a, b] = [one, other].map(text => text.match(/\n+|\S+/g) ?? []);
  const wide = b.length + 1;
  const known = a.length * wide <= MOST;
  const common = new Uint16Array(known ? (a.length + 1) * wide : 0);
  for (let i = known ? a.length - 1 : -1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * wide + j;
      common[at] = a[i] === b[j] ? common[at + wide + 1] + 1 : Math.max(common[at + wide], common[at + 1]);
    }
  }
  const found: [Change[0], string][] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const both = known && i < a.length && a[i] === b[j];
    const at = i * wide + j;
    const gone = i < a.length && (j === b.length || !known || common[at + wide] >= common[at + 1]);
    const kind = both ? 'same' : gone ? 'gone' : 'new';
    const word = kind === 'new' ? b[j] : a[i];
    const last = found[found.length - 1];
    last?.[0] === kind ? (last[1] += ` ${word}`) : found.push([kind, word]);
    i += kind === 'new' ? 0 : 1;
    j += kind === 'gone' ? 0 : 1;
  }
  return found;
}
