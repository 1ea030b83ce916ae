/** Small makers of elements. */
import { checkIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';

/** An element with a class `jp-DeepSeek-<part>` and a text. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  part: string,
  text = ''
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  node.className = `jp-DeepSeek-${part}`;
  node instanceof HTMLButtonElement && (node.type = 'button'); // and no submit
  if (text) {
    node.textContent = text;
  }
  return node;
}

/** A button with a text. */
export function textButton(part: string, label: string, onClick: () => void): HTMLButtonElement {
  const node = make('button', part, label);
  node.addEventListener('click', onClick);
  return node;
}

/** A button with an icon; its label is for screen readers and as a tip. */
export function button(icon: LabIcon, label: string, onClick: () => void): HTMLButtonElement {
  const node = textButton('button', '', onClick);
  node.title = label;
  node.setAttribute('aria-label', label);
  node.appendChild(icon.element({ tag: 'span', elementSize: 'normal' }));
  return node;
}

/** A choice of the forms in which a request can be had as code; `pick` is told which. */
export function asCode(pick: (form: string) => void, trans: TranslationBundle): HTMLElement {
  const select = make('select', 'asCode');
  select.title = trans.__('The request as code');
  select.setAttribute('aria-label', select.title);
  select.add(new Option(trans.__('as code'), ''));
  Object.entries({ curl: 'curl', python: 'Python', openai: 'openai' }).forEach(([form, name]) =>
    select.add(new Option(name, form))
  );
  select.addEventListener('change', () => {
    const form = select.value;
    select.value = '';
    form && pick(form);
  });
  return select;
}

/** Show on a button for a moment that it did what it says. */
export function confirm(node: HTMLButtonElement, icon: LabIcon): void {
  const show = (which: LabIcon) =>
    node.replaceChildren(which.element({ tag: 'span', elementSize: 'normal' }));
  show(checkIcon);
  setTimeout(() => show(icon), 1500);
}

/** The element that has the focus, as seen from another: some hosts show outputs in shadow roots. */
export function focused(from: Node): Element | null {
  return (from.getRootNode() as Partial<DocumentOrShadowRoot>).activeElement ?? null;
}

/** Set a text, if it is another. */
export function say(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
  node.hidden = !text;
}
