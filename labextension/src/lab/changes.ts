/**
 * Changes to cells that a model proposes, with the buttons that decide on them.
 *
 * The record comes from an output and so from a file that anyone may have written: it is shown as
 * text, and a button only names the turn. What would be written is the kernel's own knowledge.
 * The twin is `deepseek_jupyter/fixing/fix.py`.
 */
import { Widget } from '@lumino/widgets';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { make, say } from '../card/dom';
import { findHostCell, kernelOf } from '../card/hostcell';
import { visible } from '../card/listing';
import { list, object, text } from '../kernel/json';
import { RequestError } from '../kernel/requests';
import { wordsIn } from '../words';
import type { ICommHub } from '../tokens';

/** The type of a proposal. */
export const CHANGES_MIME = 'application/vnd.deepseek.changes+json';

/** A proposal as the kernel's record has it. */
export interface IProposal {
  readonly turn: string;
  readonly state: string;
  readonly cells: readonly { name: string; lines: readonly (readonly [string, string])[] }[];
  readonly notes: readonly string[];
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
    notes: list(raw['notes']).map(text)
  };
}

/** Shows a proposal. */
export class Changes extends Widget implements IRenderMime.IRenderer {
  constructor(private _options: Changes.IOptions) {
    super();
    this._trans = wordsIn(_options.translator);
    this.addClass('jp-DeepSeek-changes');
    this._status.setAttribute('role', 'status');
    this.node.append(this._cells, this._notes, this._buttons, this._status);
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const proposal = readProposal(model.data[CHANGES_MIME]);
    this._turn = proposal.turn;
    this._cells.replaceChildren(...proposal.cells.map(cell => this._cell(cell)));
    say(this._notes, proposal.notes.join('\n'));
    this._show(proposal.state);
  }

  private _cell({ name, lines }: IProposal['cells'][number]): HTMLElement {
    const node = make('section', 'change');
    const diff = make('pre', 'diff');
    diff.setAttribute('aria-label', this._trans.__('Change to %1', name));
    for (const [mark, line] of lines) {
      const part = make('span', 'diffLine', `${mark} ${visible(line)}`);
      part.dataset['mark'] = mark;
      diff.append(part);
    }
    node.append(make('h4', 'changeTitle', name), diff);
    return node;
  }

  private _show(state: string): void {
    const { _trans: trans } = this;
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
    const node = make('button', 'decision', label);
    node.type = 'button';
    node.addEventListener('click', () => void this._decide(verb, run));
    return node;
  }

  private async _decide(verb: string, run: boolean): Promise<void> {
    const { hub, tracker } = this._options;
    const kernel = kernelOf(findHostCell(tracker, this.node));
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

  private _trans: TranslationBundle;
  private _cells = make('div', 'changeCells');
  private _notes = make('p', 'changeNotes');
  private _buttons = make('div', 'decisions');
  private _status = make('div', 'decided');
  private _turn = '';
}

/** The namespace of the widget's options. */
export namespace Changes {
  /** What it needs. */
  export interface IOptions {
    translator: ITranslator;
    /** The comms, unless an administrator turned them off. */
    hub: ICommHub | null;
    /** The notebooks, where the host has some. */
    tracker: INotebookTracker | null;
  }
}
