/** The view's words in a widget, which has no catalogue of translations: as they are written. */
import type { TranslationBundle } from '@jupyterlab/translation';

/** Puts arguments into `%1`, `%2`, … as JupyterLab's catalogues do. */
function filled(text: string, args: readonly unknown[]): string {
  return text.replace(/%(\d)/g, (mark, place) => String(args[Number(place) - 1] ?? mark));
}

/** What the view takes of a catalogue. */
export const words = {
  __: (text: string, ...args: unknown[]) => filled(text, args),
  _n: (one: string, many: string, count: number, ...args: unknown[]) =>
    filled(count === 1 ? one : many, [count, ...args])
} as unknown as TranslationBundle;
