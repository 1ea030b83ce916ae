/** The line where a conversation was cut: what followed an earlier answer is out of sight. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { make, say } from './dom';
import type { ISeam } from '../kernel/record';

/** Says how many turns are out of sight, shows them, or has them follow the newest answer. */
export class SeamLine {
  readonly node = make('div', 'seam');

  constructor(
    actions: { show(last: string): void; carryOver(): void },
    private _trans: TranslationBundle
  ) {
    const button = (label: string, click: () => void) => {
      const made = make('button', 'seam-button', label);
      made.type = 'button';
      made.addEventListener('click', click);
      return made;
    };
    this._show = button(_trans.__('Show'), () => actions.show(this._last));
    this._carry = button(_trans.__('Carry over'), () => actions.carryOver());
    this._carry.title = _trans.__('They follow the newest answer from now on');
    this.node.append(this._words, this._show, this._carry);
    this.node.hidden = true;
  }

  update(seam: ISeam | null, able: boolean): void {
    this.node.hidden = !seam?.left;
    if (seam?.left) {
      this._last = seam.last;
      say(
        this._words,
        this._trans._n(
          '%1 turn after the earlier answer',
          '%1 turns after the earlier answer',
          seam.left
        )
      );
    }
    this._show.disabled = this._carry.disabled = !able;
  }

  private _words = make('span', 'seam-words');
  private _show: HTMLButtonElement;
  private _carry: HTMLButtonElement;
  private _last = '';
}
