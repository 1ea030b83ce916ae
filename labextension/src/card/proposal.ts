/**
 * Changes to cells that a model proposes, with the buttons that decide on them.
 *
 * The record comes from an output and so from a file that anyone may have written: it is shown as
 * text, and a button only names the turn. What would be written is the kernel's own knowledge.
 * The twin is `deepseek_jupyter/fixing/fix.py`.
 */
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { list, number, object, text } from '../kernel/json';
import { RequestError } from '../kernel/requests';
import { said } from '../said';
import { make, say, textButton } from './dom';
import { coloured, visible } from './listing';
import type { IBlockRenderer } from '../markdown/renderer';
import type { ICommHub } from '../tokens';

/** A proposal as the kernel's record has it. */
export interface IProposal {
  readonly turn: string;
  readonly state: string;
  readonly cells: readonly { name: string; lines: readonly (readonly [string, string])[] }[];
  readonly notes: readonly string[];
  /** The lines of the answer that it was made of: the first, and the first after it. */
  readonly cut: readonly (readonly [number, number])[];
}

/** Read a proposal; what is missing or of another type is empty. */
export function readProposal(json: unknown): IProposal {
  const raw = object(json);
  return {
    turn: text(raw['turn']),
    state: text(raw['state']),
    cells: list(raw['cells']).map(item => ({
      name: text(object(item)['name']),
      lines: list(object(item)['lines'])
        .map(list)
        .map(line => [text(line[0]), text(line[1])] as const)
    })),
    notes: list(raw['notes']).map(text),
    cut: list(raw['cut'])
      .map(list)
      .map(([start, end]) => [number(start) ?? 0, number(end) ?? 0] as const)
  };
}

/** An answer without the lines that a proposal was made of. */
export function withoutCode(answer: string, { cut }: IProposal): string {
  const lines = answer.split('\n');
  return lines.filter((_, at) => !cut.some(([start, end]) => start <= at && at < end)).join('\n');
}

/** What a proposal needs. */
export interface IProposalOptions {
  /** The comms, unless an administrator turned them off. */
  readonly hub: ICommHub | null;
  readonly renderer: IBlockRenderer | null;
  /** The kernel that made it, if it is there. */
  kernel(): Kernel.IKernelConnection | null;
}

/** Shows a proposal. */
export class Proposal {
  readonly node = make('div', 'changes');

  constructor(
    private _options: IProposalOptions,
    private _trans: TranslationBundle
  ) {
    this._status.setAttribute('role', 'status');
    this.node.append(this._cells, this._notes, this._buttons, this._status);
  }

  update(proposal: IProposal): void {
    const key = JSON.stringify(proposal);
    if (this._shown !== key) {
      this._shown = key;
      this._turn = proposal.turn;
      this._cells.replaceChildren(...proposal.cells.map(cell => this._cell(cell)));
      say(this._notes, proposal.notes.map(said).join('\n'));
      this._show(proposal.state);
    }
  }

  private _cell({ name, lines }: IProposal['cells'][number]): HTMLElement {
    const node = make('section', 'change');
    const diff = make('pre', 'diff');
    diff.setAttribute('aria-label', this._trans.__('Change to %1', name));
    const code = lines.map(([, line]) => visible(line));
    const show = (coloured: readonly Node[][]) =>
      diff.replaceChildren(
        ...lines.map(([mark], at) => {
          const part = make('span', 'diffLine', `${mark} `);
          part.dataset['mark'] = mark;
          part.append(...coloured[at]);
          return part;
        })
      );
    show(code.map(line => [new Text(line)]));
    const { renderer } = this._options;
    renderer && void coloured(code, 'python', renderer).then(found => found && show(found));
    node.append(make('h4', 'changeTitle', said(name)), diff);
    return node;
  }

  private _show(state: string): void {
    const trans = this._trans;
    const words: Record<string, string> = {
      accepted: trans.__('Accepted'),
      rejected: trans.__('Rejected'),
      reverted: trans.__('Taken back'),
      asked: trans.__('Not written yet'),
      none: trans.__('No change is offered')
    };
    const accept = [
      this._button(trans.__('Accept'), 'accept'),
      this._button(trans.__('Accept and run'), 'accept', true)
    ];
    const buttons: Record<string, HTMLButtonElement[]> = {
      offered: [...accept, this._button(trans.__('Reject'), 'reject')],
      accepted: [this._button(trans.__('Revert'), 'revert')],
      reverted: accept
    };
    this._buttons.replaceChildren(...(this._options.hub ? (buttons[state] ?? []) : []));
    say(this._status, words[state] ?? '');
  }

  private _button(label: string, verb: string, run = false): HTMLButtonElement {
    const node = textButton('decision', label, () => void this._decide(verb, run));
    node.classList.toggle('jp-mod-primary', verb === 'accept' && !run);
    return node;
  }

  private async _decide(verb: string, run: boolean): Promise<void> {
    const { hub } = this._options;
    const kernel = this._options.kernel();
    if (!hub || !kernel) {
      say(this._status, this._trans.__('There is no kernel'));
      return;
    }
    const buttons = [...this._buttons.querySelectorAll('button')];
    buttons.forEach(item => (item.disabled = true));
    try {
      const { state } = await hub.request(kernel, 'decide', { turn: this._turn, verb, run });
      this._show(String(state));
    } catch (error) {
      const hint = error instanceof RequestError ? error.hint : '';
      say(this._status, [error instanceof Error ? error.message : '', hint].join(' ').trim());
    }
    buttons.forEach(item => (item.disabled = false));
  }

  private _cells = make('div', 'changeCells');
  private _notes = make('p', 'changeNotes');
  private _buttons = make('div', 'decisions');
  private _status = make('div', 'decided');
  private _turn = '';
  private _shown = '';
}
