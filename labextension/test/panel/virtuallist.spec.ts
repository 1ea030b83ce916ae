import { describe, expect, it } from 'vitest';
import { Heights } from '../../src/panel/virtuallist';

describe('the heights of a list', () => {
  const heights = new Heights();
  heights.set(Array.from({ length: 2000 }, (_, index) => ({ id: String(index), guess: 100 })));

  it('draw only what is in view and around it', () => {
    expect(heights.range(50_000, 800, 600)).toEqual([494, 515]);
    expect(heights.range(0, 800, 600)).toEqual([0, 15]);
    expect(heights.range(199_200, 800, 600)).toEqual([1986, 2000]);
  });

  it('are measured, and stay with their item in another list', () => {
    expect(heights.measure('3', 500)).toBe(true);
    expect(heights.measure('3', 500.2)).toBe(false);
    expect(heights.offset(4)).toBe(800);
    expect(heights.at(750)).toBe(3);
    heights.set([{ id: '3', guess: 1 }, { id: 'new', guess: 7 }]);
    expect([heights.offset(1), heights.offset(2)]).toEqual([500, 507]);
  });

  it('of nothing are nothing', () => {
    const none = new Heights();
    expect(none.range(0, 100, 100)).toEqual([0, 0]);
    expect(none.offset(0)).toBe(0);
  });
});
