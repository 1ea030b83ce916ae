/**
 * Tokens with their probabilities, as a record holds them.
 *
 * The kernel packs them in `deepseek_jupyter/protocol/logprobs.py`. A record may come from anyone: what
 * cannot be read gives no tokens, and unpacking stops at a size.
 */
import { list, number, object, parsed, text } from './json';

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
