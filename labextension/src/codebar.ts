/** The buttons at a block of code in an answer. */
import { Clipboard } from '@jupyterlab/apputils';
import { addBelowIcon, copyIcon, editIcon, runIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { button, confirm, make } from './dom';

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
    for (const item of forNotebook) {
      item.classList.add('jp-mod-notebook');
      node.append(item);
    }
  }
  return node;
}
