/**
 * What the view takes of JupyterLab, for a widget, which has none: icons, clipboard, signals, translations.
 *
 * The build puts this file in the place of `@jupyterlab/ui-components`, `@jupyterlab/apputils` and
 * `@lumino/signaling` (18 kB with what that needs), so it has the names and shapes that the view takes
 * from there. The drawings are JupyterLab's (BSD-3-Clause).
 */
import type { TranslationBundle } from '@jupyterlab/translation';

const SVG = 'http://www.w3.org/2000/svg';

/** An icon, as far as the view uses one. */
class Icon {
  constructor(private _path: string, private _size = 24) {}

  /** A new element that shows it; what is asked of its tag and size is the same everywhere. */
  element(_options?: object): HTMLElement {
    const node = document.createElement('span');
    const drawing = document.createElementNS(SVG, 'svg');
    drawing.setAttribute('viewBox', `0 0 ${this._size} ${this._size}`);
    drawing.setAttribute('width', '16');
    drawing.setAttribute('height', '16');
    drawing.setAttribute('fill', 'currentColor');
    drawing.setAttribute('aria-hidden', 'true');
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', this._path);
    drawing.append(path);
    node.append(drawing);
    return node;
  }
}

export type LabIcon = Icon;

export const addIcon = new Icon('M19 13h-6v6h-2v-6H5v-2h6V5h2v6h6z');

export const addBelowIcon = new Icon('M4 3h16v8H4zM11 13h2v3h3v2h-3v3h-2v-3H8v-2h3z');

export const caretLeftIcon = new Icon('M10.8 12.8 7.1 9l3.8-3.8v7.6z', 18);

export const caretRightIcon = new Icon('M7.2 5.2 10.9 9l-3.8 3.8V5.2z', 18);

export const checkIcon = new Icon('M9 16.17 4.83 12l-1.42 1.41L9 19 21 7l-1.41-1.41z');

export const closeIcon = new Icon(
  'M19 6.41 17.59 5 12 10.59 6.41 5 5 6.41 10.59 12 5 17.59 6.41 19 12 13.41 17.59 19 19 17.59 13.41 12z'
);

export const copyIcon = new Icon(
  'M11.9 1H3.2c-.8 0-1.5.7-1.5 1.5v10.2h1.5V2.5h8.7zm2.2 2.9h-8c-.8 0-1.5.7-1.5 1.5v10.2c0 .8.7 ' +
    '1.5 1.5 1.5h8c.8 0 1.5-.7 1.5-1.5V5.4c-.1-.8-.7-1.5-1.5-1.5m0 11.6h-8V5.4h8z',
  18
);

export const downloadIcon = new Icon('M19 9h-4V3H9v6H5l7 7zM5 18v2h14v-2z');

export const editIcon = new Icon(
  'M3 17.25V21h3.75L17.81 9.94l-3.75-3.75zM20.71 7.04a.996.996 0 0 0 0-1.41l-2.34-2.34a.996.996 0 ' +
    '0 0-1.41 0l-1.83 1.83 3.75 3.75z'
);

export const fastForwardIcon = new Icon('M4 18l8.5-6L4 6v12zM13 6v12l8.5-6L13 6z');

export const historyIcon = new Icon(
  'M13.5 8H12v5l4.28 2.54.72-1.21-3.5-2.08zM13 3a9 9 0 0 0-9 9H1l3.96 4.03L9 12H6a7 7 0 0 1 7-7 7 ' +
    '7 0 0 1 7 7 7 7 0 0 1-7 7c-1.93 0-3.68-.79-4.94-2.06l-1.42 1.42A8.9 8.9 0 0 0 13 21a9 9 0 0 ' +
    '0 9-9 9 9 0 0 0-9-9'
);

export const moveUpIcon = new Icon('M4 12l1.41 1.41L11 7.83V20h2V7.83l5.58 5.59L20 12l-8-8z');

export const refreshIcon = new Icon(
  'M9 13.5c-2.49 0-4.5-2.01-4.5-4.5S6.51 4.5 9 4.5c1.24 0 2.36.52 3.17 1.33L10 8h5V3l-1.76 1.76A6 ' +
    '6 0 0 0 9 3C5.69 3 3.01 5.69 3.01 9S5.69 15 9 15a5.98 5.98 0 0 0 5.9-5h-1.52c-.46 2-2.24 3.5-' +
    '4.38 3.5',
  18
);

export const runIcon = new Icon('M8 5v14l11-7z');

export const searchIcon = new Icon(
  'M12.1 10.9h-.7l-.2-.2c.8-.9 1.3-2.2 1.3-3.5 0-3-2.4-5.4-5.4-5.4S1.8 4.2 1.8 7.1s2.4 5.4 5.4 ' +
    '5.4c1.3 0 2.5-.5 3.5-1.3l.2.2v.7l4.1 4.1 1.2-1.2zm-5 0c-2.1 0-3.7-1.7-3.7-3.7s1.7-3.7 3.7-3.7 ' +
    '3.7 1.7 3.7 3.7-1.6 3.7-3.7 3.7',
  18
);

export const settingsIcon = new Icon(
  'M19.43 12.98c.04-.32.07-.64.07-.98s-.03-.66-.07-.98l2.11-1.65c.19-.15.24-.42.12-.64l-2-3.46c-' +
    '.12-.22-.39-.3-.61-.22l-2.49 1c-.52-.4-1.08-.73-1.69-.98l-.38-2.65A.49.49 0 0 0 14 2h-4c-.25 ' +
    '0-.46.18-.49.42l-.38 2.65c-.61.25-1.17.59-1.69.98l-2.49-1c-.23-.09-.49 0-.61.22l-2 3.46c-.13.' +
    '22-.07.49.12.64l2.11 1.65c-.04.32-.07.65-.07.98s.03.66.07.98l-2.11 1.65c-.19.15-.24.42-.12.64' +
    'l2 3.46c.12.22.39.3.61.22l2.49-1c.52.4 1.08.73 1.69.98l.38 2.65c.03.24.24.42.49.42h4c.25 0 ' +
    '.46-.18.49-.42l.38-2.65c.61-.25 1.17-.59 1.69-.98l2.49 1c.23.09.49 0 .61-.22l2-3.46c.12-.22.' +
    '07-.49-.12-.64zM12 15.5c-1.93 0-3.5-1.57-3.5-3.5s1.57-3.5 3.5-3.5 3.5 1.57 3.5 3.5-1.57 3.5-' +
    '3.5 3.5'
);

export const stopIcon = new Icon('M6 6h12v12H6z');

export const treeViewIcon = new Icon('M22 11V3h-7v3H9V3H2v8h7V8h2v10h4v3h7v-8h-7v3h-2V8h2v3z');

/** The clipboard, as far as the view uses it. */
export const Clipboard = {
  /** Copy a text. A host may forbid it; there is nothing else to be done then. */
  copyToSystem(text: string): void {
    const { clipboard } = navigator;
    if (clipboard) {
      void clipboard.writeText(text).catch(() => bySelection(text));
    } else {
      bySelection(text); // a page that did not come over https
    }
  }
};

function bySelection(text: string): void {
  const field = document.createElement('textarea');
  field.value = text;
  field.style.cssText = 'position: fixed; opacity: 0';
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}

type Slot<T, U> = (sender: T, args: U) => void;

/** A signal, as far as the view uses one: who listens, and when it is emitted. */
export class Signal<T extends object, U> {
  constructor(private _sender: T) {
    of.set(_sender, [...(of.get(_sender) ?? []), this as never]);
  }

  connect(slot: Slot<T, U>, self?: unknown): void {
    this._slots = [...this._slots, [slot, self]];
  }

  disconnect(slot: Slot<T, U>, self?: unknown): boolean {
    const kept = this._slots.filter(([known, its]) => known !== slot || its !== self);
    const found = kept.length < this._slots.length;
    this._slots = kept;
    return found;
  }

  emit(args: U): void {
    this._slots.forEach(([slot, self]) => slot.call(self, this._sender, args));
  }

  /** Let go of all that listen to an object. */
  static clearData(sender: object): void {
    of.get(sender)?.forEach(signal => (signal._slots = []));
  }

  private _slots: readonly [Slot<T, U>, unknown][] = [];
}

/** The signals of each object. */
const of = new WeakMap<object, Signal<never, never>[]>();

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
