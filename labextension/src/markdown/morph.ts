/**
 * Make one DOM tree like another by touching only what differs.
 *
 * The open block is drawn again with every frame. Text that grew is appended to the text node that
 * is there, so a selection inside it, a fold the reader opened and a formula already typeset
 * survive, and no frame is ever blank.
 */

/** Make the children of `live` like those of `next`, which is used up. */
export function morph(live: Node, next: Node): void {
  let here = live.firstChild;
  let there = next.firstChild;
  while (there) {
    const following = there.nextSibling;
    if (!here) {
      live.appendChild(there);
    } else if (isAlike(here, there)) {
      update(here, there);
      here = here.nextSibling;
    } else {
      const after = here.nextSibling;
      live.replaceChild(there, here);
      here = after;
    }
    there = following;
  }
  while (here) {
    const after = here.nextSibling;
    live.removeChild(here);
    here = after;
  }
}

function isAlike(here: Node, there: Node): boolean {
  if (here.nodeType !== there.nodeType || here.nodeName !== there.nodeName) {
    return false;
  }
  const tex = (here as HTMLElement).dataset?.tex;
  return tex === (there as HTMLElement).dataset?.tex;
}

function update(here: Node, there: Node): void {
  if (here.nodeType === Node.TEXT_NODE) {
    updateText(here as Text, there as Text);
  } else if (here.nodeType === Node.ELEMENT_NODE) {
    if ((here as HTMLElement).dataset.tex !== undefined) {
      return; // the same formula, perhaps typeset
    }
    updateAttributes(here as Element, there as Element);
    morph(here, there);
  }
}

function updateText(here: Text, there: Text): void {
  if (here.data === there.data) {
    return;
  }
  if (there.data.startsWith(here.data)) {
    here.appendData(there.data.slice(here.data.length));
  } else {
    here.data = there.data;
  }
}

function updateAttributes(here: Element, there: Element): void {
  const fold = here.nodeName === 'DETAILS'; // whether it is open is the reader's
  for (const { name } of [...here.attributes]) {
    if (!there.hasAttribute(name) && !(fold && name === 'open')) {
      here.removeAttribute(name);
    }
  }
  for (const { name, value } of there.attributes) {
    if (here.getAttribute(name) !== value && !(fold && name === 'open')) {
      here.setAttribute(name, value);
    }
  }
}
