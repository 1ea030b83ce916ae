/**
 * The kernel's English texts in the page's language. Pure but for the catalogue that is in use.
 *
 * The kernel makes, keeps and sends its words in English; what draws them passes them through `said`.
 * The Python twin is `deepseek_jupyter/words.py`, and `tests/data/words.json` holds both to the same.
 */

/** English templates and their translations. */
export type Catalogue = Readonly<Record<string, string>>;

const FIELD = /\{(\w+)([*#]?)\}/g;
const NUMBER = /^[~≈\d.,]+$/;
const SENTENCE = /(?<=[.!?]) (?=[A-Z\d%`\-])/;

/** A template: the text between its fields, their names and kinds. */
interface ITemplate {
  readonly literals: readonly string[];
  readonly names: readonly string[];
  readonly kinds: readonly string[];
  readonly text: string;
}

/** Translates by a catalogue. */
export class Translator {
  constructor(entries: Catalogue) {
    this._entries = new Map(Object.entries(entries));
    this._templates = [...this._entries]
      .map(([key, text]) => {
        const parts = key.split(FIELD);
        const every = (from: number) => parts.filter((_, at) => at % 3 === from);
        return { literals: every(0), names: every(1), kinds: every(2), text };
      })
      .filter(({ names }) => names.length)
      .sort((one, other) => size(other) - size(one));
  }

  /** Each sentence of a text, else it as a whole, else what is known of its parts. */
  said(text: string): string {
    const sentences = text.split(SENTENCE);
    const parts = sentences.map(part => this._whole(part));
    if (!parts.includes(null)) {
      return joined(parts as string[]);
    }
    const found = this._whole(text);
    if (found !== null) {
      return found;
    }
    for (const mark of ['\n', ' · ']) {
      if (text.includes(mark)) {
        return text.split(mark).map(part => this.said(part)).join(mark);
      }
    }
    return parts.length === 1
      ? this._list(text)
      : joined(parts.map((part, at) => part ?? sentences[at]));
  }

  /** A text that is a list of what the catalogue has, and nothing else. */
  private _list(text: string): string {
    for (const [mark, chinese] of [['; ', '；'], [', ', '，']]) {
      const parts = text.split(mark).map(part => this._whole(part));
      if (parts.length > 1 && !parts.includes(null)) {
        return parts.join(chinese);
      }
    }
    return text;
  }

  private _whole(text: string): string | null {
    const bare = text.replace(/^ +| +$/g, '');
    const exact = this._entries.get(bare);
    if (exact !== undefined) {
      return text.replace(bare, () => exact);
    }
    for (const template of this._templates) {
      const values = valuesOf(template.literals, bare);
      if (values?.every((value, at) => template.kinds[at] !== '#' || NUMBER.test(value))) {
        const given = new Map(template.names.map((name, at) => [name, values[at]]));
        const filled = template.text.replace(FIELD, (_, name: string, kind: string) =>
          kind ? this.said(given.get(name)!) : given.get(name)!
        );
        return text.replace(bare, () => filled);
      }
    }
    return null;
  }

  private _entries: Map<string, string>;
  private _templates: readonly ITemplate[];
}

function joined(sentences: readonly string[]): string {
  return sentences.join(' ').replace(/(?<=[。！？]) /g, '');
}

function size({ literals }: ITemplate): number {
  return literals.join('').length;
}

/** The values between the literals of a template in a text that is made of them. */
function valuesOf(literals: readonly string[], text: string): string[] | null {
  const last = literals[literals.length - 1];
  const end = text.length - last.length;
  let at = literals[0].length;
  if (!text.startsWith(literals[0]) || !text.endsWith(last)) {
    return null;
  }
  const values: string[] = [];
  for (const literal of literals.slice(1, -1)) {
    const found = text.indexOf(literal, at + 1);
    if (found < 0 || found + literal.length > end) {
      return null;
    }
    values.push(text.slice(at, found));
    at = found + literal.length;
  }
  return at < end ? [...values, text.slice(at, end)] : null;
}

let translator: Translator | null = null;

/** Use a catalogue from now on; null for English. */
export function speak(entries: Catalogue | null): void {
  translator = entries && new Translator(entries);
}

/** A text of the kernel's in the page's language, as far as the catalogue has it; never throws. */
export function said(text: string): string {
  try {
    return translator && text ? translator.said(text) : text;
  } catch {
    return text;
  }
}
