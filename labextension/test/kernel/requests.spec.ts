import { describe, expect, it } from 'vitest';
import { digest, readEditRequest } from '../../src/kernel/requests';

const CHANGE = { cell_id: 'c', expect: 'a', source: 'b', provenance: { turn: 't', model: 'm' } };

describe('readEditRequest', () => {
  it('reads an edit', () => {
    const request = readEditRequest({ type: 'edit', id: 'i', edits: [CHANGE], run: true });
    expect(request).toEqual({ type: 'edit', id: 'i', edits: [CHANGE], run: true });
  });

  it('reads an insertion, which runs only if it says so', () => {
    const request = readEditRequest({ type: 'insert', id: 'i', after: 'c', sources: ['x'], run: 'yes' });
    expect(request).toMatchObject({ after: 'c', sources: ['x'], provenance: {}, run: false });
  });

  it.each([
    null,
    'edit',
    { type: 'edit', id: 'i', edits: [] },
    { type: 'edit', id: 'i', edits: [CHANGE, { ...CHANGE, source: 3 }] },
    { type: 'edit', edits: [CHANGE] },
    { type: 'insert', id: 'i', after: 'c', sources: [1] },
    { type: 'insert', id: 'i', sources: ['x'] },
    { type: 'delete', id: 'i', edits: [CHANGE] }
  ])('takes nothing half-formed: %j', json => {
    expect(readEditRequest(json)).toBeNull();
  });
});

describe('digest', () => {
  it('tells texts apart that differ in one character', () => {
    const texts = ['', 'a', 'b', 'ab', 'ba', 'a\n', 'é', '😀'];
    expect(new Set(texts.map(digest)).size).toBe(texts.length);
  });
});
