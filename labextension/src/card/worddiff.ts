/** How one text differs from another, word by word; the ends of lines count as words. Pure. */

/** Words that both texts have, the first alone or the second alone. */
export type Change = readonly ['same' | 'gone' | 'new', string];

/** As many steps of the search as a page has time for; beyond them all counts as changed. */
const MOST = 2000;

/** What makes `one` into `other`, by the shortest way there is (Myers 1986, Algorithmica 1). */
export function wordDiff(one: string, other: string): Change[] {
  const [a, b] = [one, other].map(text => text.match(/\n+|\S+/g) ?? []);
  const size = Math.min(a.length + b.length, MOST);
  const reached = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let steps = 0; steps <= size; steps++) {
    trace.push(new Map(reached));
    for (let k = -steps; k <= steps; k += 2) {
      let x = isDown(reached, k, steps) ? reached.get(k + 1)! : reached.get(k - 1)! + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) {
        x++;
      }
      reached.set(k, x);
      if (x >= a.length && x - k >= b.length) {
        return joined(walkBack(trace, a, b));
      }
    }
  }
  return joined([...a.map(word => ['gone', word] as const), ...b.map(word => ['new', word] as const)]);
}

/** Whether diagonal `k` is reached by a word of the second text. */
function isDown(reached: Map<number, number>, k: number, steps: number): boolean {
  return k === -steps || (k !== steps && reached.get(k - 1)! < reached.get(k + 1)!);
}

function walkBack(trace: Map<number, number>[], a: string[], b: string[]): Change[] {
  const found: Change[] = [];
  let [x, y] = [a.length, b.length];
  for (let steps = trace.length - 1; steps >= 0; steps--) {
    const down = isDown(trace[steps], x - y, steps);
    const before = x - y + (down ? 1 : -1);
    const from = steps ? trace[steps].get(before)! : 0;
    const until = steps ? from + (down ? 0 : 1) : 0;
    while (x > until) {
      found.push(['same', a[--x]]);
      y--;
    }
    if (steps) {
      found.push(down ? ['new', b[--y]] : ['gone', a[--x]]);
    }
  }
  return found.reverse();
}

/** Neighbours of one kind as one change. */
function joined(changes: readonly Change[]): Change[] {
  return changes.reduce<Change[]>((found, [kind, word]) => {
    const last = found[found.length - 1];
    return last?.[0] === kind ? [...found.slice(0, -1), [kind, `${last[1]} ${word}`]] : [...found, [kind, word]];
  }, []);
}
