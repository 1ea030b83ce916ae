/** What card and panel show of a turn in the same way: its parts, and how a record gets into them. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { asMarkdown, isRunning } from '../kernel/record';
import { Flow } from '../markdown/flow';
import { make } from './dom';
import { TypedAnswer } from './listing';
import { Notes } from './notes';
import { addCodeBars, Attachments, Header, SeamLine } from './parts';
import { Thinking, Tools } from './steps';
import { TokenView } from './tokenview';
import type { Consent, ICite, IConsentRequest, ITurnRecord } from '../kernel/record';
import type { IBlockRenderer } from '../markdown/renderer';
import type { IRemedies } from './notes';
import type { ICodeActions, IHeaderActions, ISeamActions } from './parts';
import type { Choose } from './tokenview';

/** What the parts do, and are drawn with. */
export interface ITurnPartsOptions {
  readonly renderer: IBlockRenderer;
  readonly trans: TranslationBundle;
  readonly header: IHeaderActions;
  /** Leads to the other answers. */
  readonly branch: HTMLElement;
  readonly code: ICodeActions;
  readonly remedies: IRemedies;
  readonly seam: ISeamActions;
  /** Answer a tool call that waits for consent. */
  decide(call: string, consent: Consent): void;
  readonly choose: Choose;
  /** Called when the same record is to be shown in another way. */
  changed(): void;
}

/** The parts of a turn. */
export class TurnParts {
  readonly header: Header;
  readonly attachments: Attachments;
  readonly tokens: TokenView;
  readonly notes: Notes;
  readonly seam: SeamLine;

  constructor({ renderer, trans, header, branch, code, ...actions }: ITurnPartsOptions) {
    const answer = make('div', 'flow');
    answer.classList.add('jp-RenderedHTMLCommon', 'jp-RenderedMarkdown');
    this._answer = new Flow(answer, renderer, node => {
      addCodeBars(node, code, trans);
      addCitations(node, this._cites, trans);
    });
    this.header = new Header(header, branch, trans);
    this.attachments = new Attachments(trans);
    this._thinking = new Thinking(renderer, trans);
    this._tools = new Tools(trans, actions.decide, renderer);
    this._typed = new TypedAnswer(answer, trans);
    this.tokens = new TokenView(trans, actions.choose, actions.changed);
    this.header.node.querySelector('.jp-DeepSeek-buttons')!.prepend(this.tokens.toggle);
    this.notes = new Notes(trans, actions.remedies);
    this.seam = new SeamLine(actions.seam, trans);
  }

  /** What shows the thinking, the calls and the answer, in this order. */
  get log(): HTMLElement[] {
    return [this._thinking, this._tools, this._typed, this.tokens].map(({ node }) => node);
  }

  /**
   * Show a record in the parts, which are in `card`, whether it really runs and what it asks the user.
   *
   * @returns A promise that settles when all is drawn.
   */
  update(
    card: HTMLElement,
    record: ITurnRecord,
    live: boolean,
    asking: IConsentRequest | null,
    answer = asMarkdown(record)
  ): Promise<unknown> {
    this._cites = record.cites;
    this.header.update(record, live, asking !== null);
    this.attachments.update(record);
    this._tools.update(record, asking);
    this._typed.update(record);
    this.notes.update(record);
    const tokens = this.tokens.update(record);
    card.classList.toggle('jp-mod-tokens', this.tokens.on);
    card.classList.toggle('jp-mod-noCode', record.policy.includes('no_code'));
    const finished = !(live && isRunning(record.status));
    return Promise.all([tokens, this._thinking.update(record, live), this._answer.set(withoutLines(answer, record.cites), finished)]);
  }

  dispose(): void {
    this._answer.dispose();
    this._thinking.dispose();
  }

  private _answer: Flow;
  private _thinking: Thinking;
  private _tools: Tools;
  private _typed: TypedAnswer;
  private _cites: ITurnRecord['cites'] = [];
}

/** Where a mark is not looked for. */
const APART = 'pre, code, a, button, .jp-DeepSeek-source';

let sources = 0;

/**
 * Make buttons of the marks behind quotes in a drawn block; each shows the lines that stand at its place.
 *
 * #### Notes
 * The kernel finds the places (`deepseek_jupyter/context/quotes.py`) and writes marks into the answer.
 * Only what the record has becomes a button, so a place that a model made up stays text.
 */
export function addCitations(
  host: HTMLElement,
  cites: readonly ICite[],
  trans: TranslationBundle
): void {
  if (!cites.length) {
    return;
  }
  const lines = new Map(cites.map(cite => [`[${cite.mark}]`, cite.lines]));
  const texts: Text[] = [];
  const walker = document.createTreeWalker(host, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    texts.push(walker.currentNode as Text);
  }
  for (const text of texts) {
    // A list of the lines is for places without buttons; there they follow their mark.
    if (!text.parentElement?.closest(APART) && text.nextSibling?.nodeName !== 'CODE') {
      split(text, lines, trans);
    }
  }
}

/** An answer without the list of lines below it, which its marks show. */
export function withoutLines(answer: string, cites: readonly ICite[]): string {
  const at = cites.length ? answer.lastIndexOf('\n\n---\n\n') : -1;
  const below = answer.slice(at).trim().split('\n').slice(2);
  const found = cites.filter(({ lines }) => lines);
  const isList = below.length === found.length && below.every(line => line.startsWith('- ['));
  return at >= 0 && found.length && isList ? answer.slice(0, at) : answer;
}

/** Put the marks of a text into elements of their own. */
function split(text: Text, lines: ReadonlyMap<string, string>, trans: TranslationBundle): void {
  for (const found of text.data.matchAll(/\[[^[\]\n]{1,500}\]/g)) {
    const source = lines.get(found[0]);
    if (source === undefined) {
      continue;
    }
    const at = text.data.indexOf(found[0]);
    const rest = text.splitText(at).splitText(found[0].length);
    text.nextSibling!.replaceWith(source ? button(found[0], source, trans) : missing(found[0]));
    text = rest;
  }
}

function missing(mark: string): HTMLElement {
  const node = make('span', 'cite', mark);
  node.classList.add('jp-mod-missing');
  return node;
}

function button(mark: string, source: string, trans: TranslationBundle): HTMLElement {
  const node = make('button', 'cite', mark);
  node.title = source;
  node.setAttribute('aria-expanded', 'false');
  const shown = make('span', 'source', source);
  shown.id = `jp-DeepSeek-source-${++sources}`;
  shown.setAttribute('role', 'note');
  shown.setAttribute('aria-label', trans.__('What stands at %1', mark.slice(1, -1)));
  const show = (open: boolean) => {
    open ? (node.closest('p, li, td') ?? node.parentElement!).append(shown) : shown.remove();
    open ? node.setAttribute('aria-controls', shown.id) : node.removeAttribute('aria-controls');
    node.setAttribute('aria-expanded', String(open));
  };
  node.addEventListener('click', () => show(!shown.isConnected));
  node.addEventListener('keydown', event => {
    if (event.key === 'Escape' && shown.isConnected) {
      event.stopPropagation();
      show(false);
    }
  });
  return node;
}
