import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const SOURCE = join(__dirname, '../src');
const FILES = (readdirSync(SOURCE, { recursive: true }) as string[])
  .filter(name => name.endsWith('.ts'))
  .map(name => name.slice(0, -'.ts'.length).replaceAll('\\', '/'));

/** The families, each of which may import those before it. */
const LADDER = ['kernel', 'markdown', 'card', 'lab', 'panel', 'widget'];

/** What each file imports, types and late imports included. */
const IMPORTS = new Map(
  FILES.map(name => {
    const text = readFileSync(join(SOURCE, `${name}.ts`), 'utf8');
    const found = [...text.matchAll(/(?:from|import\((?:\s*\/\*.*?\*\/)?)\s*'(\.[^']*)'/g)]
      .map(match => join(name, '..', match[1]).replaceAll('\\', '/'))
      .map(path => (FILES.includes(path) ? path : `${path}/index`))
      .filter(path => FILES.includes(path));
    return [name, found] as const;
  })
);

const family = (name: string) => LADDER.indexOf(name.split('/')[0]);

/** The files that a file reaches over its imports. */
function reached(name: string, seen = new Set<string>()): Set<string> {
  for (const next of IMPORTS.get(name)!.filter(path => !seen.has(path))) {
    reached(next, seen.add(next));
  }
  return seen;
}

describe('the files of the source', () => {
  it('have one name each', () => {
    const names = FILES.map(name => name.split('/').pop()).filter(name => name !== 'index');
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  it('import none that imports them', () => {
    expect(FILES.filter(name => reached(name).has(name))).toEqual([]);
  });

  it('import no family above their own', () => {
    const up = [...IMPORTS].flatMap(([name, found]) =>
      found.filter(path => family(path) > family(name) && family(name) >= 0).map(path => [name, path])
    );
    expect(up).toEqual([]);
  });
});
