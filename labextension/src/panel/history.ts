/** What was asked before, for the arrow keys. Pure. */

/** Walks through earlier prompts, and back to what was being written. */
export class History {
  /** Note a prompt that was sent. */
  add(prompt: string): void {
    this._prompts = [...this._prompts.filter(known => known !== prompt), prompt].slice(-100);
    this.leave();
  }

  /** The prompt before (`-1`) or after (`1`) the one that is shown; null at the end. */
  step(by: -1 | 1, present: string): string | null {
    if (this._at === null) {
      if (by > 0 || !this._prompts.length) {
        return null;
      }
      this._draft = present;
      this._at = this._prompts.length;
    }
    const at = this._at + by;
    if (at < 0) {
      return null;
    }
    if (at >= this._prompts.length) {
      this._at = null;
      return this._draft;
    }
    this._at = at;
    return this._prompts[at];
  }

  /** Forget where it stands: something else was written. */
  leave(): void {
    this._at = null;
  }

  private _prompts: string[] = [];
  private _at: number | null = null;
  private _draft = '';
}
