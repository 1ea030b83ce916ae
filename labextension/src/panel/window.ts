/** Which part of a long list is worth drawing. Pure: heights in, ranges out. */

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
