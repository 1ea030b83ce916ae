import { describe, expect, it } from 'vitest';
import { isFull, Recent, shown } from '../src/recent';

const at = (prefix: string, suffix = '') => ({ prefix, suffix });

describe('Recent', () => {
  it('knows a ghost text again, and the rest of it while it is typed', () => {
    const recent = new Recent();
    recent.add(at('x = '), 'sum(values)');
    expect(recent.find(at('x = '))).toBe('sum(values)');
    expect(recent.find(at('x = sum('))).toBe('values)');
    expect(recent.find(at('x = max('))).toBeNull();
    expect(recent.find(at('x ='))).toBeNull();
    expect(recent.find(at('x = ', '\nprint(x)'))).toBeNull();
  });

  it('says nothing once it was taken whole', () => {
    const recent = new Recent();
    recent.add(at('x = '), '1');
    expect(recent.find(at('x = 1'))).toBeNull();
  });

  it('remembers that nothing was suggested', () => {
    const recent = new Recent();
    recent.add(at('done()'), '');
    expect(recent.find(at('done()'))).toBe('');
  });

  it('forgets the one that was not used for longest', () => {
    const recent = new Recent(2);
    recent.add(at('a'), '1');
    recent.add(at('b'), '2');
    recent.find(at('a'));
    recent.add(at('c'), '3');
    expect([recent.find(at('a')), recent.find(at('b')), recent.find(at('c'))]).toEqual(['1', null, '3']);
    expect(recent.size).toBe(2);
  });

  it('holds one text a place', () => {
    const recent = new Recent();
    recent.add(at('a'), '1');
    recent.add(at('a'), '2');
    expect(recent.size).toBe(1);
    expect(recent.find(at('a'))).toBe('2');
  });
});

describe('what is shown', () => {
  it('has no blanks at its end, and only so many lines', () => {
    expect(shown('a\nb\nc  \n', 2)).toBe('a\nb');
    expect(shown('a\nb\n\n', 0)).toBe('a\nb');
    expect(shown('\n    a\n    b', 1)).toBe('\n    a');
  });

  it('is full when another line begins', () => {
    expect(isFull('a\nb', 2)).toBe(false);
    expect(isFull('a\nb\n', 2)).toBe(true);
    expect(isFull('\n    a', 1)).toBe(false);
    expect(isFull('a\nb\nc', 0)).toBe(false);
  });
});
