/** The view's words in a widget: JupyterLab's catalogues, which the module carries. */
import type { TranslationBundle } from '@jupyterlab/translation';

/** A text in English, and what it is in another language. */
export type Catalogue = Readonly<Record<string, unknown>>;

/** The catalogue of the first of a reader's languages that there is one for; English needs none. */
export function catalogueFor(
  languages: readonly string[],
  catalogues: Readonly<Record<string, Catalogue>>
): Catalogue {
  for (const language of languages.map(tag => tag.slice(0, 2).toLowerCase())) {
    const name = Object.keys(catalogues).find(known => known.startsWith(language));
    if (name || language === 'en') {
      return name ? catalogues[name] : {};
    }
  }
  return {};
}

/** What the view takes of a translator. */
export function wordsOf(catalogue: Catalogue): TranslationBundle {
  const say = (text: string, args: readonly unknown[]) => {
    const known = catalogue[text];
    const said = Array.isArray(known) ? String(known[0]) : text;
    return said.replace(/%(\d)/g, (mark, place) => String(args[Number(place) - 1] ?? mark));
  };
  return {
    __: (text: string, ...args: unknown[]) => say(text, args),
    _n: (one: string, many: string, count: number, ...args: unknown[]) =>
      say(count === 1 ? one : many, [count, ...args])
  } as unknown as TranslationBundle;
}
