import { describe, expect, it } from 'vitest';
import { layOut } from '../../src/panel/toolbar';

describe('the tree', () => {
  const node = (id: string, parent: string | null) => ({ id, parent, head: `${id}?` });

  it('steps to the right where answers part', () => {
    const nodes = [node('a', null), node('b', 'a'), node('c', 'b'), node('d', 'a'), node('e', 'd')];
    const rows = layOut({ nodes, tip: 'e', branches: { main: 'e', old: 'c' } });
    expect(rows.map(row => [row.id, row.depth])).toEqual([
      ['a', 0], ['b', 1], ['c', 1], ['d', 1], ['e', 1]
    ]);
    expect(rows.filter(row => row.onWay).map(row => row.id)).toEqual(['a', 'd', 'e']);
    expect(rows[2].branches).toEqual(['old']);
  });

  it('begins at nodes whose parents are not there', () => {
    expect(layOut({ nodes: [node('b', 'gone')], tip: 'b' })).toHaveLength(1);
  });

  it.each([null, {}, { nodes: [null] }, { nodes: [node('a', 'a')], tip: 'a' }])('ends: %j', json => {
    expect(Array.isArray(layOut(json))).toBe(true);
  });
});
