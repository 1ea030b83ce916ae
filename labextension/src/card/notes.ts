/** What is below an answer: notices, the error with what can be done about it, and the footer. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { isRunning } from '../kernel/record';
import { said } from '../said';
import { make, say, textButton } from './dom';
import { price } from './wording';
import type { ITurnError, ITurnRecord } from '../kernel/record';

/** What can be done about an answer that failed or was cut; what is missing has no button. */
export interface IRemedies {
  again?(): void;
  /** Go on from where the answer ended. */
  goOn?(): void;
  /** Ask in a new conversation. */
  fresh?(): void;
  /** Open the panel's settings, where a hint names flags, which only a cell has. */
  settings?(): void;
}

/** What the page around us can do; a plugin sets it. */
export const page: { enterKey: (() => void) | null } = { enterKey: null };

const KEY = /^(?:Authentication|MissingKey)Error$/;
const FRESH = /^ContextLengthError$/;
const LASTING = /^(?:BadRequest|ContextLength|ContentRisk|ModelNotFound|PermissionDenied|Endpoint|Parameter|Template|Policy|Schema|Tool|Configuration|Conversation|Cell)Error$/;
const FLAG = /(?:^|[\s`(])--?[a-z]/;
const SENTENCE = /(?<=[.!?])\s+|(?<=[。！？])/;
const CUT = ['interrupted', 'truncated', 'length'];

/** The newest turn of each conversation that this page has seen: only that one can be gone on with. */
const newest = new Map<string, string>();

/** Shows an error once: in words, what to do as buttons, the rest in a fold. */
export class ErrorBox {
  readonly node = make('div', 'error');

  constructor(private _trans: TranslationBundle, private _remedies: IRemedies) {
    const fold = this._fold;
    fold.append(make('summary', 'error-summary', _trans.__('Details')), this._details);
    this.node.append(this._message, this._hint, this._buttons, fold);
    this.node.hidden = true;
  }

  /** Show an error, or none; `cut`: the answer before it can be gone on with; `offer`: what else has a button. */
  update(error: ITurnError | null, cut = false, offer = ''): void {
    const key = JSON.stringify([error, cut, offer]);
    if (key === this._shown) {
      return;
    }
    this._shown = key;
    const { again, goOn, fresh, settings } = this._remedies;
    const trans = this._trans;
    const type = error?.type ?? '';
    const own: [string, (() => void) | null | undefined][] = [
      [trans.__('Enter key'), (offer === 'key' || KEY.test(type)) && page.enterKey],
      [trans.__('Continue'), cut && goOn],
      [trans.__('New conversation'), FRESH.test(type) && fresh]
    ].filter(([, act]) => act) as [string, () => void][];
    const retry = again && error && !LASTING.test(type);
    const priced = error?.hint.startsWith('--fit ');
    const flags = settings && !priced && FLAG.test(error?.hint ?? '');
    const all = [
      ...own,
      ...(retry ? [[trans.__('Try again'), again] as const] : []),
      ...(flags ? [[trans.__('Settings'), settings] as const] : [])
    ];
    this._buttons.replaceChildren(...all.map(([label, act]) => textButton('word', label, act!)));
    this._buttons.hidden = !all.length;
    // What a button says is not said by a command to type, too; a choice with prices is.
    const hint = said(error?.hint ?? '');
    const kept = own.length > 0 && !priced ? [] : hint.split(SENTENCE);
    const shown = flags ? kept.filter(sentence => !FLAG.test(sentence)) : kept;
    const hidden = shown.length < hint.split(SENTENCE).length;
    say(this._message, error ? said(error.message) || error.type : '');
    say(this._hint, hidden ? shown.join(' ') : hint);
    say(this._details, [said(error?.details ?? ''), hidden ? hint : ''].filter(Boolean).join('\n'));
    this._fold.hidden = !this._details.textContent;
    this._fold.open = false;
    this.node.hidden = !error && !all.length;
    this.node.classList.toggle('jp-mod-cut', !error);
  }

  private _message = make('p', 'error-message');
  private _hint = make('p', 'error-hint');
  private _buttons = make('div', 'remedies');
  private _fold = make('details', 'error-fold');
  private _details = make('p', 'error-details');
  private _shown = '';
}

/** Shows a turn's notices, its error and its footer: what it cost, and the rest on demand. */
export class Notes {
  readonly node = make('div', 'notes');

  constructor(private _trans: TranslationBundle, remedies: IRemedies) {
    this._error = new ErrorBox(_trans, {
      ...remedies,
      goOn: remedies.goOn && (() => this._isNewest && remedies.goOn!())
    });
    this._footer.append(this._price, this._all);
    this.node.append(this._notices, this._error.node, this._footer);
  }

  update(record: ITurnRecord): void {
    const { notices, error, id, conversation } = record;
    const footer = said(record.footer);
    const details = record.details.map(said);
    const text = notices.join('\n');
    if (this._shown !== text) {
      this._shown = text;
      this._notices.replaceChildren(...notices.map(notice => make('p', 'notice', said(notice))));
    }
    this._id = [conversation, id];
    if (id > (newest.get(conversation) ?? '')) {
      newest.set(conversation, id);
    }
    const ended = CUT.includes(record.status) || CUT.includes(record.finish_reason);
    this._error.update(error, ended && record.answer !== '' && this._isNewest, record.offer);
    // Of a failure that cost nothing the error says all.
    const quiet = isRunning(record.status) || (error !== null && !record.cost);
    say(this._price, quiet ? '' : price(record, this._trans) || (footer && this._trans.__('Details')));
    say(this._all, [footer, ...details].filter(Boolean).join('\n'));
    this._footer.title = footer;
    this._footer.hidden = this._price.hidden;
  }

  private get _isNewest(): boolean {
    const [conversation, id] = this._id;
    return newest.get(conversation) === id;
  }

  private _notices = make('div', 'notices');
  private _error: ErrorBox;
  private _footer = make('details', 'footer');
  private _price = make('summary', 'price');
  private _all = make('p', 'figures');
  private _shown = '';
  private _id: readonly [string, string] = ['', ''];
}
