/** The small parts of card, panel and status bar: header, attachments, code buttons, turns out of sight, a job. */
import { Clipboard } from '@jupyterlab/apputils';
import {
  addBelowIcon,
  copyIcon,
  editIcon,
  fastForwardIcon,
  refreshIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { number, object, text } from '../kernel/json';
import { isRunning } from '../kernel/record';
import { said } from '../said';
import { asCode, button, confirm, make, say, textButton } from './dom';
import { phase, waitingFor } from './wording';
import type { IAttachment, ISeam, ITurnRecord } from '../kernel/record';

/** What the header's buttons do. */
export interface IHeaderActions {
  copy(): void;
  regenerate(): void;
  stop(): void;
  /** Show the rest of a kept answer. */
  skip?(): void;
  /** Show the request in this form of code; absent where there is no place for it. */
  code?(form: string): void;
}

/** Shows who answered, the turn's status, and the buttons for the whole answer. */
export class Header {
  readonly node = make('header', 'header');

  /** `branch` leads to the other answers. */
  constructor(
    actions: IHeaderActions,
    branch: HTMLElement,
    private _trans: TranslationBundle
  ) {
    const trans = this._trans;
    this._copy = button(copyIcon, trans.__('Copy the answer'), () => {
      actions.copy();
      confirm(this._copy, copyIcon);
    });
    this._regenerate = button(refreshIcon, trans.__('Ask again'), () => actions.regenerate());
    this._regenerate.classList.add('jp-mod-notebook');
    this._stop = button(stopIcon, trans.__('Stop'), () => {
      this._stop.disabled = true;
      actions.stop();
    });
    this._stop.classList.add('jp-DeepSeek-stop');
    this._skip = button(fastForwardIcon, trans.__('Show the rest (Space or →)'), () => actions.skip!());
    this._skip.classList.add('jp-DeepSeek-skip');
    this._canSkip = actions.skip !== undefined;
    const buttons = make('div', 'buttons');
    actions.code && (this._code = asCode(form => actions.code!(form), trans));
    const code = this._code ? [this._code] : [];
    buttons.append(this._copy, this._regenerate, ...code, this._skip, this._stop);
    this.node.append(this._model, branch, this._phase, buttons);
  }

  /** Show a record's header; while the user is `asked` something, the call says so. */
  update(record: ITurnRecord, live: boolean, asked = false): void {
    const { model, served_model, provider, status } = record;
    const running = live && isRunning(status);
    say(this._model, served_model || model);
    this._model.title = provider;
    // While it thinks, the fold says so; that it failed, the error.
    const silent = running ? asked || status === 'thinking' : record.error !== null;
    say(this._phase, silent ? '' : this._words(record, running));
    this._phase.dataset.status = running ? 'running' : status;
    this._stop.hidden = !running;
    this._skip.hidden = !(running && record.replayed && this._canSkip);
    this._stop.disabled &&= running;
    this._copy.hidden = !record.answer;
    this._regenerate.hidden = running;
    this._code && (this._code.hidden = running || record.replayed);
  }

  private _words(record: ITurnRecord, running: boolean): string {
    if (running && record.replayed) {
      return this._trans.__('Replaying…');
    }
    const waits = running && record.status === 'waiting';
    const key = waits ? JSON.stringify(record.waiting) : '';
    if (this._waits !== key) {
      this._waits = key;
      this._since = Date.now();
    }
    return waits
      ? waitingFor(record, (Date.now() - this._since) / 1000, this._trans)
      : phase(record.status, running, this._trans);
  }

  private _waits = '';
  private _since = 0;
  private _model = make('span', 'model');
  private _phase = make('span', 'phase');
  private _code: HTMLElement | null = null;
  private _copy: HTMLButtonElement;
  private _regenerate: HTMLButtonElement;
  private _stop: HTMLButtonElement;
  private _skip: HTMLButtonElement;
  private _canSkip: boolean;
}

/** Shows a turn's attachments. */
export class Attachments {
  readonly node = make('ul', 'chips');

  constructor(private _trans: TranslationBundle) {
    this.node.setAttribute('aria-label', _trans.__('Attached'));
    this.node.hidden = true;
  }

  update({ attachments }: ITurnRecord): void {
    const key = JSON.stringify(attachments);
    if (this._shown !== key) {
      this._shown = key;
      this.node.hidden = !attachments.length;
      this.node.replaceChildren(...attachments.map(item => this._chip(item)));
    }
  }

  private _chip({ name, kind, policy, tokens, cut, rows }: IAttachment): HTMLElement {
    const chip = make('li', 'chip', name);
    const framed = kind === 'frame' || kind === 'series';
    const note = said(cut) || (framed ? shareOf(policy, this._trans, rows) : '');
    const size = tokens === null ? '' : this._trans._n('%1 token', '%1 tokens', tokens);
    chip.title = [kind, policy, size].filter(Boolean).join(' · ');
    if (note) {
      chip.appendChild(make('span', 'chip-note', note));
    }
    return chip;
  }

  private _shown = '[]';
}

/** Asks what becomes of the turns that came with the file; the line for such a turn is here too. */
export class FileTurns {
  readonly node = make('div', 'consent');

  constructor(private _trans: TranslationBundle, answer: (take: boolean) => void) {
    const trans = _trans;
    this.node.hidden = true;
    this.node.setAttribute('role', 'alertdialog');
    this.node.setAttribute('aria-label', trans.__('Turns that came with the file'));
    const choice = (label: string, take: boolean) => {
      const button = textButton('word', label, () => answer(take));
      button.dataset['word'] = take ? 'approve' : 'deny';
      return button;
    };
    this._text.classList.add('jp-DeepSeek-tool-text');
    this.node.append(
      this._text,
      choice(trans.__('Start without them'), false),
      choice(trans.__('Go on with them'), true)
    );
  }

  /** Show the question; empty for none. */
  ask(text: string): void {
    say(this._text, said(text));
    this.node.hidden = !text;
  }

  /** Show a turn as one that came with the file, or as one of this conversation. */
  mark(node: HTMLElement, foreign: boolean): void {
    node.classList.toggle('jp-mod-foreign', foreign);
    const line = this._trans.__('Came with the file; not sent to the model');
    foreign ? node.setAttribute('data-foreign', line) : node.removeAttribute('data-foreign');
  }

  private _text = make('div', 'file-text');
}

/** What the buttons do with the code. */
export interface ICodeActions {
  insert(code: string): void;
  replace(code: string): void;
  run(code: string): void;
}

/** Languages that a cell of the notebook runs; code without one may be meant for it. */
const RUNNABLE = /^(?:|i?python[\d.]*|py[\d.]*|ipython3|pycon)$/i;

/** Give each block of code in an element its buttons. */
export function addCodeBars(
  host: HTMLElement,
  actions: ICodeActions,
  trans: TranslationBundle
): void {
  for (const pre of host.querySelectorAll<HTMLElement>('pre')) {
    if (pre.closest('.jp-RenderedMermaid, figure')) {
      continue;
    }
    if (!pre.previousElementSibling?.classList.contains('jp-DeepSeek-codebar')) {
      pre.before(bar(pre, actions, trans));
    }
  }
}

function bar(pre: HTMLElement, actions: ICodeActions, trans: TranslationBundle): HTMLElement {
  const node = make('div', 'codebar');
  const code = () => (pre.textContent ?? '').replace(/\n$/, '');
  const language = /\blanguage-([^\s]+)/.exec(pre.querySelector('code')?.className ?? '')?.[1] ?? '';
  const copy = button(copyIcon, trans.__('Copy this code'), () => {
    Clipboard.copyToSystem(code());
    confirm(copy, copyIcon);
  });
  node.append(copy);
  if (RUNNABLE.test(language)) {
    const forNotebook = [
      button(addBelowIcon, trans.__('Insert this code below'), () => actions.insert(code())),
      button(editIcon, trans.__('Replace this cell with the code'), () => actions.replace(code())),
      button(runIcon, trans.__('Run this code below'), () => actions.run(code()))
    ];
    forNotebook[1].classList.add('jp-DeepSeek-replace');
    for (const item of forNotebook) {
      item.classList.add('jp-mod-notebook');
      node.append(item);
    }
  }
  return node;
}

/** What the buttons do with the turns that are out of sight. */
export interface ISeamActions {
  show(last: string): void;
  /** Have them follow the newest answer. */
  carryOver(): void;
}

/** The line where a conversation was cut: says how many turns are out of sight, shows them, or has them follow the newest answer. */
export class SeamLine {
  readonly node = make('div', 'seam');

  constructor(actions: ISeamActions, private _trans: TranslationBundle) {
    this._show = textButton('seam-button', _trans.__('Show'), () => actions.show(this._last));
    this._carry = textButton('seam-button', _trans.__('Carry over'), () => actions.carryOver());
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

const LEVELS = ['none', 'schema', 'stats', 'sample', 'full'];

/**
 * `5 rows` for `sample(5),name=none`: the level of most columns, under the rules laid over it.
 * `5 of 891 rows` where it is known how many left, and of how many.
 */
export function shareOf(
  policy: string,
  trans: TranslationBundle,
  [left, all]: readonly number[] = []
): string {
  const levels = policy
    .split(',')
    .map(rule => rule.trim().replace(/^\*<=/, ''))
    .filter(rule => /^[a-z]+(?:\(\d+\))?$/.test(rule));
  const rank = (level: string) => LEVELS.indexOf(level.replace(/\(.*/, ''));
  const least = levels.sort((a, b) => rank(a) - rank(b))[0] ?? '';
  const rows = Number(/\((\d+)\)/.exec(least)?.[1] ?? 5);
  if (left && all && rank(least) >= rank('sample')) {
    return left < all
      ? trans.__('%1 of %2 rows', left.toLocaleString('en'), all.toLocaleString('en'))
      : trans._n('%1 row', '%1 rows', all);
  }
  switch (LEVELS[rank(least)]) {
    case 'none':
      return trans.__('nothing');
    case 'schema':
      return trans.__('names and types');
    case 'stats':
      return trans.__('statistics');
    case 'sample':
      return trans._n('%1 row', '%1 rows', rows);
    default:
      return least && trans.__('all rows');
  }
}

/** How far a job has come. */
export interface IJob {
  readonly id: string;
  readonly done: number;
  readonly rows: number;
  /** Rows, speed, time left and money, as the kernel words them. */
  readonly said: string;
  readonly isOver: boolean;
}

/** Read a kernel's message; null for one about anything else. */
export function readJob(json: unknown): IJob | null {
  const raw = object(json);
  const id = text(raw['id']);
  if (raw['type'] !== 'job' || !id) {
    return null;
  }
  return {
    id,
    done: number(raw['done']) ?? 0,
    rows: number(raw['rows']) ?? 0,
    said: text(raw['said']),
    isOver: raw['over'] === true
  };
}

/** Shows a job over rows while it runs: a bar, its words, Stop. */
export class JobBar {
  readonly node = make('div', 'job');

  constructor(stop: (id: string) => void, trans: TranslationBundle) {
    const label = trans.__('Stop the job; what was answered is kept');
    this._bar.setAttribute('aria-label', trans.__('Rows answered'));
    this.node.append(this._bar, this._said, button(stopIcon, label, () => stop(this._id)));
    this.node.hidden = true;
  }

  /** Show a job; null, or one that is over, for none. */
  show(job: IJob | null): void {
    const { node, _bar: bar } = this;
    node.hidden = !job || job.isOver;
    if (job) {
      this._id = job.id;
      bar.max = Math.max(1, job.rows);
      bar.value = job.done;
      say(this._said, job.said);
      node.title = job.said;
    }
  }

  private _bar = make('progress', 'job-bar');
  private _said = make('span', 'job-said');
  private _id = '';
}
