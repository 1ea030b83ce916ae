/**
 * A long list of which only what is in view is drawn.
 *
 * The drawn items are laid out between two spacers. When heights turn out other than guessed, what
 * the reader looks at keeps its place; a view at the end stays at the end.
 */
import { focused, make } from '../card/dom';

/** How far around the view items are drawn, in pixels. */
const AROUND = 600;

/** How near to its end the list is followed as it grows. */
const NEAR = 32;

/** How long after its last move the list counts as scrolling, in milliseconds. */
const REST = 80;

/** An item that is drawn. */
export interface IItem {
  readonly node: HTMLElement;
  dispose(): void;
}

/** What the list is of. */
export interface IEntry {
  readonly id: string;
  readonly guess: number;
}

/** Shows a long list. */
export class VirtualList {
  readonly node = make('div', 'panel-list');

  /**
   * @param create - Draws an item.
   * @param inView - Called with the ids that are drawn, when they change.
   */
  constructor(
    private _create: (id: string) => IItem,
    private _inView: (ids: readonly string[]) => void
  ) {
    this.node.append(this._before, this._after);
    this.node.addEventListener('scroll', () => this._scrolled(), { passive: true });
    this._observer = new ResizeObserver(entries => this._resized(entries));
    this._observer.observe(this.node);
  }

  /** Show these entries. */
  set(entries: readonly IEntry[]): void {
    const same =
      entries.length === this._entries.length &&
      entries.every((entry, index) => entry.id === this._entries[index].id);
    if (same) {
      return;
    }
    const anchor = this._anchor();
    this._entries = entries;
    this._heights.set(entries);
    this._draw(this._follow ? null : anchor);
  }

  /** Whether the reader scrolls just now. */
  get isScrolling(): boolean {
    return performance.now() - this._scrolledAt < REST;
  }

  /** Bring an entry into view. */
  reveal(id: string): void {
    const index = this._entries.findIndex(entry => entry.id === id);
    if (index >= 0) {
      this._follow = false;
      this._draw({ id, delta: 0 });
    }
  }

  /** Go to the end, and stay there. */
  toEnd(): void {
    this._follow = true;
    this._draw(null);
  }

  dispose(): void {
    this._observer.disconnect();
    cancelAnimationFrame(this._frame);
    this._items.forEach(item => item.dispose());
    this._items.clear();
  }

  /** The first entry in view, and how far it begins above the view's top. */
  private _anchor(): { id: string; delta: number } | null {
    const index = this._heights.at(this.node.scrollTop);
    const entry = this._entries[index];
    return entry && { id: entry.id, delta: this.node.scrollTop - this._heights.offset(index) };
  }

  /** Draw what is in view; the anchor keeps its place, without one the end is shown. */
  private _draw(anchor: { id: string; delta: number } | null): void {
    const height = this.node.clientHeight || 600;
    const heights = this._heights;
    const place = anchor ? this._entries.findIndex(entry => entry.id === anchor.id) : -1;
    const total = heights.offset(heights.length);
    const top = place >= 0 ? heights.offset(place) + anchor!.delta : total - height;
    const [from, until] = heights.range(Math.max(0, top), height, AROUND);
    const wanted = this._entries.slice(from, until).map(entry => entry.id);
    this._exchange(wanted);
    this._before.style.height = `${heights.offset(from)}px`;
    this._after.style.height = `${total - heights.offset(until)}px`;
    this._setTop(place >= 0 ? top : this.node.scrollHeight);
  }

  private _exchange(wanted: readonly string[]): void {
    const keep = new Set(wanted);
    const held = focused(this.node);
    for (const [id, item] of [...this._items]) {
      if (!keep.has(id)) {
        if (item.node.contains(held)) {
          this.node.focus({ preventScroll: true });
        }
        this._observer.unobserve(item.node);
        this._items.delete(id);
        item.node.remove();
        item.dispose();
      }
    }
    let next: Element = this._after;
    for (const id of [...wanted].reverse()) {
      let item = this._items.get(id);
      if (!item) {
        item = this._create(id);
        item.node.dataset.turn = id;
        // Until its text is drawn it is as high as it was, or will be; who draws it takes this off.
        const index = this._entries.findIndex(entry => entry.id === id);
        item.node.style.minHeight = `${this._heights.height(index)}px`;
        this._items.set(id, item);
        this._observer.observe(item.node);
      }
      if (item.node.nextElementSibling !== next) {
        this.node.insertBefore(item.node, next);
      }
      next = item.node;
    }
    const drawn = wanted.join();
    if (drawn !== this._drawn) {
      this._drawn = drawn;
      this._inView(wanted);
    }
  }

  private _scrolled(): void {
    this._kept = null; // the reader's own move is the newer one
    const { scrollTop, scrollHeight, clientHeight } = this.node;
    if (Math.abs(scrollTop - this._set) > 1) {
      this._follow = scrollHeight - scrollTop - clientHeight < NEAR;
      this._scrolledAt = performance.now();
    }
    this._soon();
  }

  private _resized(entries: ResizeObserverEntry[]): void {
    const anchor = this._follow ? null : this._anchor();
    let changed = false;
    for (const { target } of entries) {
      const id = (target as HTMLElement).dataset.turn;
      changed = id
        ? this._heights.measure(id, (target as HTMLElement).offsetHeight) || changed
        : true;
    }
    if (changed) {
      this._kept ??= anchor;
      this._soon();
    }
  }

  /** Draw in the next frame: drawing here could make the observer report what it just caused. */
  private _soon(): void {
    this._frame ||= requestAnimationFrame(() => {
      this._frame = 0;
      const anchor = this._kept ?? this._anchor();
      this._kept = null;
      this._draw(this._follow ? null : anchor);
    });
  }

  private _setTop(top: number): void {
    if (Math.abs(this.node.scrollTop - top) > 0.5) {
      this.node.scrollTop = top;
    }
    this._set = this.node.scrollTop;
  }

  private _before = make('div', 'panel-spacer');
  private _after = make('div', 'panel-spacer');
  private _entries: readonly IEntry[] = [];
  private _heights = new Heights();
  private _items = new Map<string, IItem>();
  private _observer: ResizeObserver;
  private _follow = true;
  private _set = 0;
  private _scrolledAt = -REST;
  private _frame = 0;
  private _kept: { id: string; delta: number } | null = null;
  private _drawn = '';
}

/** The heights of items, measured or guessed, and where each begins. */
export class Heights {
  /** Take over a new list; what was measured of an item is kept by its id. */
  set(items: readonly { readonly id: string; readonly guess: number }[]): void {
    this._ids = items.map(item => item.id);
    this._guesses = items.map(item => item.guess);
    this._offsets = null;
  }

  /** Note a measured height; whether it is another than before. */
  measure(id: string, height: number): boolean {
    const known = this._measured.get(id);
    if (known !== undefined && Math.abs(known - height) < 0.5) {
      return false;
    }
    this._measured.set(id, height);
    this._offsets = null;
    return true;
  }

  get length(): number {
    return this._ids.length;
  }

  /** The height of the item at an index. */
  height(index: number): number {
    return this.offset(index + 1) - this.offset(index);
  }

  /** Where the item at an index begins; at `length`, where the list ends. */
  offset(index: number): number {
    return this.offsets[Math.max(0, Math.min(index, this.length))];
  }

  /** The index of the item at a distance from the top. */
  at(distance: number): number {
    const offsets = this.offsets;
    let low = 0;
    let high = Math.max(0, this.length - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      offsets[middle] <= distance ? (low = middle) : (high = middle - 1);
    }
    return low;
  }

  /** The items, from and until, that a view shows, and some around it. */
  range(top: number, height: number, around: number): [number, number] {
    if (!this.length) {
      return [0, 0];
    }
    return [this.at(Math.max(0, top - around)), this.at(top + height + around) + 1];
  }

  private get offsets(): number[] {
    if (!this._offsets) {
      const offsets = [0];
      this._ids.forEach((id, index) => {
        offsets.push(offsets[index] + (this._measured.get(id) ?? this._guesses[index]));
      });
      this._offsets = offsets;
    }
    return this._offsets;
  }

  private _ids: string[] = [];
  private _guesses: number[] = [];
  private _measured = new Map<string, number>();
  private _offsets: number[] | null = null;
}
