/** The part over the conversation that shows one thing at a time: tree, search, settings, … */
import { make } from '../dom';

/** A place for one thing at a time; Escape closes it. */
export class Drawer {
  readonly node = make('section', 'panel-drawer');

  constructor() {
    this.node.hidden = true;
    this.node.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        this.close();
      }
    });
  }

  /** What is shown; empty for nothing. */
  get name(): string {
    return this._name;
  }

  /**
   * Show something, or close it where it is shown already; whether it is shown then.
   *
   * @param opener - The button that gets the focus back.
   */
  toggle(name: string, label: string, opener: HTMLElement | null, ...content: Node[]): boolean {
    if (this._name === name && opener === this._opener) {
      this.close();
      return false;
    }
    this._opener?.setAttribute('aria-expanded', 'false');
    this._opener = opener;
    opener?.setAttribute('aria-expanded', 'true');
    this._name = name;
    this.node.setAttribute('aria-label', label);
    this.node.replaceChildren(make('h2', 'panel-heading', label), ...content);
    this.node.hidden = false;
    return true;
  }

  /** Put other content under the heading, if this is still shown. */
  fill(name: string, ...content: Node[]): void {
    if (this._name === name) {
      this.node.replaceChildren(this.node.firstElementChild!, ...content);
    }
  }

  close(): void {
    this.node.hidden = true;
    this.node.replaceChildren();
    this._opener?.setAttribute('aria-expanded', 'false');
    this._opener?.focus();
    this._opener = null;
    this._name = '';
  }

  private _name = '';
  private _opener: HTMLElement | null = null;
}
