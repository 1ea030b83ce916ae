/**
 * The tokens of an answer: shaded and underlined by how likely each was, with what might have stood there.
 *
 * One token is in the tab order; the arrow keys lead from one to the next, Down into its alternatives.
 * Enter on an alternative has the model go on from there.
 *
 * The kernel packs tokens in `deepseek_jupyter/protocol/logprobs.py`. A record may come from anyone: what
 * cannot be read gives no tokens, and unpacking stops at a size.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { list, number, object, parsed, text } from '../kernel/json';
import { said } from '../said';
import { focused, make, say, textButton } from './dom';
import type { ITurnRecord } from '../kernel/record';

/** A text with its probability; 0 where the host does not say. */
export interface IAlternative {
  /** Bytes that are a part of a character are shown as numbers. */
  readonly text: string;
  readonly p: number;
}

/** A token of an answer. */
export interface IToken extends IAlternative {
  /** What might have stood there instead, most likely first. */
  readonly others: readonly IAlternative[];
  /** Whether the user chose it. */
  readonly chosen: boolean;
}

/** The tokens of a turn. */
export interface ITokens {
  readonly answer: readonly IToken[];
  readonly thinking: readonly IToken[];
  /** How many are not in the record. */
  readonly left: number;
}

/** Characters that may come out of a record, and tokens of a list. */
const LARGEST = 4_000_000;
const MOST = 2000;

/** Hundredths of -log p that mean: not known. */
const UNKNOWN = 9999;

/** The tokens that a record has packed. */
export async function unpack(packed: string): Promise<ITokens> {
  const said = object(parsed(await inflated(packed).catch(() => '')));
  const texts = list(said['texts']).map(item => shown(text(item)));
  const chosen = new Set(list(said['chosen']));
  const tokens = (name: string) =>
    list(said[name]).slice(0, MOST).map((item, at) => {
      const numbers = list(item).map(value => number(value) ?? 0);
      const pairs = numbers.flatMap((value, place) =>
        place % 2 ? [] : [{ text: texts[value] ?? '', p: probability(numbers[place + 1] ?? UNKNOWN) }]
      );
      const [own = { text: '', p: 0 }, ...others] = pairs;
      return { ...own, others, chosen: name === 'content' && chosen.has(at) };
    });
  return { answer: tokens('content'), thinking: tokens('reasoning_content'), left: number(said['left']) ?? 0 };
}

async function inflated(packed: string): Promise<string> {
  const bytes = Uint8Array.from(atob(packed), char => char.charCodeAt(0));
  const { readable, writable } = new DecompressionStream('deflate');
  const writer = writable.getWriter();
  writer.write(bytes).then(() => writer.close()).catch(() => undefined); // the reader fails, too
  const reader = readable.getReader();
  const decoder = new TextDecoder();
  let said = '';
  for (let got = await reader.read(); !got.done; got = await reader.read()) {
    said += decoder.decode(got.value, { stream: true });
    if (said.length > LARGEST) {
      await reader.cancel();
      return '';
    }
  }
  return said;
}

function probability(cents: number): number {
  return cents >= UNKNOWN ? 0 : Math.exp(-cents / 100);
}

/** A token's text; lone surrogates stand for bytes. */
function shown(token: string): string {
  return token.replace(/[\udc80-\udcff]/gu, unit => `\\x${(unit.charCodeAt(0) & 0xff).toString(16)}`);
}

/** Temperature and top-p applied to probabilities, most likely first: the shares among them. */
export function reweighted(probabilities: readonly number[], temperature: number, topP: number): number[] {
  const first = probabilities[0] || 1;
  const powers = probabilities.map(p => (p / first) ** (1 / Math.max(temperature, 0.01)));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const whole = sum(powers);
  const kept = powers.map((power, at) => (sum(powers.slice(0, at)) / whole < topP ? power : 0));
  return kept.map(power => power / (sum(kept) || 1));
}

/** A probability: 61 %, 8.1 %, <0.1 %. */
export function percent(p: number): string {
  return p > 0 && p < 0.001 ? '<0.1 %' : `${(p * 100).toFixed(p >= 0.0995 || p === 0 ? 0 : 1)} %`;
}

/** A token with its blanks and line ends to be seen. */
export function visible(token: string): string {
  return token.replace(/ /g, '␣').replace(/\n/g, '⏎').replace(/\t/g, '⇥');
}

/** From which probability on a token is of each kind. */
const KINDS = [0.9, 0.7, 0.5, 0.2, 0];

/** Goes on from an alternative of the token at a place. */
export type Choose = (at: number, choice: number) => void;

/** Shows a turn's tokens in the place of its answer. */
export class TokenView {
  readonly node = make('div', 'tokens');

  /** The switch. */
  readonly toggle: HTMLButtonElement;

  constructor(private _trans: TranslationBundle, private _choose: Choose, changed: () => void) {
    this.toggle = textButton('word', _trans.__('Tokens'), () => {
      this._on = !this._on;
      changed();
    });
    this._menu.setAttribute('role', 'group');
    this._menu.setAttribute('aria-label', _trans.__('Alternatives'));
    this._menu.addEventListener('click', event => this._take(event.target));
    this.node.append(this._line, this._legend(), this._lists, this._menu);
    this.node.addEventListener('focusin', ({ target }) => this._show(target));
    this.node.addEventListener('mouseover', ({ target }) => {
      this._menu.contains(focused(this.node)) || this._show(target);
    });
    this.node.addEventListener('mouseleave', () => {
      this.node.contains(focused(this.node)) || (this._menu.hidden = true);
    });
    this.node.addEventListener('keydown', event => this._key(event));
  }

  /** Whether it is shown. */
  get on(): boolean {
    return this._on && !this.toggle.hidden;
  }

  /** Show a record's tokens, if they are wanted. */
  async update({ id, tokens }: ITurnRecord): Promise<void> {
    this._held ||= this._shown !== id && this.node.contains(focused(this.node));
    this.toggle.hidden = !tokens;
    this.toggle.setAttribute('aria-pressed', String(this.on));
    this.node.hidden = !this.on;
    if (!this.on || !tokens || this._shown === id) {
      return;
    }
    this._shown = id;
    const { answer, thinking, left } = await unpack(tokens.packed);
    if (this._shown !== id) {
      return;
    }
    const trans = this._trans;
    const more = left ? trans._n('%1 more token is in the journal.', '%1 more tokens are in the journal.', left) : '';
    say(this._line, [said(tokens.says), more].filter(Boolean).join(' '));
    this._menu.hidden = true;
    this._tokens = [answer, thinking];
    const fold = make('details', 'token-fold');
    fold.append(make('summary', 'thinking-summary', trans.__('Tokens of the thinking')), this._list(thinking, 1));
    const own = this._list(answer, 0);
    this._lists.replaceChildren(...(thinking.length ? [fold] : []), own);
    this._held && own.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
    this._held = false;
  }

  private _list(tokens: readonly IToken[], which: number): HTMLElement {
    const list = make('div', 'token-list');
    list.dataset['list'] = String(which);
    list.setAttribute('role', 'listbox');
    list.setAttribute('aria-label', which ? this._trans.__('Tokens of the thinking') : this._trans.__('Tokens of the answer'));
    const current = Math.max(0, tokens.map(token => token.chosen).lastIndexOf(true));
    list.append(
      ...tokens.map(({ text, p, chosen }, at) => {
        const node = document.createElement('span');
        node.className = `jp-DeepSeek-token jp-mod-p${kind(p)}${chosen ? ' jp-mod-chosen' : ''}`;
        node.textContent = text.trim() ? text : visible(text) + (text.includes('\n') ? '\n' : '');
        node.dataset['at'] = String(at);
        node.tabIndex = at === current ? 0 : -1;
        node.setAttribute('role', 'option');
        node.setAttribute('aria-selected', String(at === current));
        const mark = chosen ? `, ${this._trans.__('you chose it')}` : '';
        node.setAttribute('aria-label', `${visible(text)}, ${percent(p)}${mark}`);
        return node;
      })
    );
    return list;
  }

  private _legend(): HTMLElement {
    const legend = make('p', 'token-legend');
    KINDS.forEach((from, at) => {
      const label = at ? `${from * 100}–${KINDS[at - 1] * 100} %` : `≥ ${from * 100} %`;
      const sample = make('span', 'token', label);
      sample.classList.add(`jp-mod-p${at}`);
      legend.append(sample, ' ');
    });
    return legend;
  }

  /** Show the alternatives of a token, below it. */
  private _show(target: EventTarget | null): void {
    const node = target instanceof HTMLElement ? target.closest<HTMLElement>('[data-at]') : null;
    const list = node?.closest<HTMLElement>('[data-list]');
    if (!node || !list || (node === this._of && !this._menu.hidden)) {
      return;
    }
    this._of = node;
    const which = Number(list.dataset['list']);
    const token = this._tokens[which][Number(node.dataset['at'])];
    const rows = [token, ...token.others].map(({ text, p }, index) => {
      const row = make(which ? 'div' : 'button', 'token-row');
      const bar = make('span', 'token-bar');
      bar.style.setProperty('--jp-DeepSeek-p', `${p * 100}%`);
      row.append(make('span', 'token-name', visible(text)), bar, make('span', 'token-p', percent(p)));
      if (row instanceof HTMLButtonElement) {
        row.dataset['choice'] = String(index - 1);
        row.tabIndex = -1;
      }
      return row;
    });
    const notes = [
      token.others.length ? '' : this._trans.__('No alternatives were asked for.'),
      which ? this._trans.__('Only tokens of the answer can be continued from.') : ''
    ].filter(Boolean);
    this._menu.replaceChildren(...rows, ...notes.map(note => make('p', 'token-none', note)));
    this._menu.hidden = false;
    const [own, around] = [node.getClientRects()[0] ?? node.getBoundingClientRect(), this.node.getBoundingClientRect()];
    const widest = Math.max(0, around.width - this._menu.offsetWidth);
    this._menu.style.left = `${Math.min(own.left - around.left, widest)}px`;
    const top = own.bottom - around.top + 2;
    this._menu.style.top = `${top}px`;
    this.node.style.minHeight = `${top + this._menu.offsetHeight}px`; // an output cuts off what is below it
  }

  private _take(target: EventTarget | null): void {
    const row = target instanceof Element ? target.closest<HTMLElement>('[data-choice]') : null;
    row && this._choose(Number(this._of?.dataset['at']), Number(row.dataset['choice']));
  }

  private _key(event: KeyboardEvent): void {
    const at = focused(this.node);
    const rows = [...this._menu.querySelectorAll<HTMLElement>('button')];
    const row = rows.indexOf(at as HTMLElement);
    const inMenu = row >= 0;
    const moves: Record<string, () => Element | null | undefined> = inMenu
      ? { ArrowDown: () => rows[row + 1], ArrowUp: () => rows[row - 1] ?? this._of, Escape: () => this._of }
      : {
          ArrowRight: () => at?.nextElementSibling,
          ArrowLeft: () => at?.previousElementSibling,
          Home: () => at?.parentElement?.firstElementChild,
          End: () => at?.parentElement?.lastElementChild,
          ArrowDown: () => rows[1] ?? rows[0],
          Enter: () => rows[1] ?? rows[0]
        };
    const move = moves[event.key];
    if (!move || !(inMenu || (at instanceof HTMLElement && at.dataset['at']))) {
      return;
    }
    event.preventDefault();
    event.stopPropagation(); // else the notebook goes to another cell
    const next = move();
    if (next instanceof HTMLElement) {
      if (next.dataset['at'] && next !== at) {
        const before = next.parentElement!.querySelector<HTMLElement>('[tabindex="0"]');
        before?.setAttribute('aria-selected', 'false');
        before && (before.tabIndex = -1);
        next.setAttribute('aria-selected', 'true');
        next.tabIndex = 0;
      }
      next.focus();
    }
  }

  private _line = make('p', 'token-line');
  private _lists = make('div', 'token-lists');
  private _menu = make('div', 'token-menu');
  private _of: HTMLElement | null = null;
  private _tokens: readonly (readonly IToken[])[] = [[], []];
  private _shown = '';
  private _held = false; // whether the focus was in here
  private _on = false;
}

function kind(p: number): number {
  return KINDS.findIndex(from => p >= from);
}
