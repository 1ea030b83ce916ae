/**
 * A growing Markdown text on the page.
 *
 * 1. `set` takes the text as it is now and asks for a frame.
 * 2. In the frame, the text that was added is split; each block that closed is drawn for good.
 * 3. The open block is drawn again, by changing only what differs. Drawing it costs more as it
 *    grows, so the next time comes no sooner than `PATIENCE` times what the last one took.
 * 4. `finish` closes what is open.
 *
 * A frame's work stops when its time is up and goes on in the next. Blocks are put in groups: when the
 * last block grows, the browser looks again at each of its siblings and at each sibling of its group,
 * but not into the other groups, so a long text grows as quickly as a short one.
 *
 * `morph` changes only what differs, so that a selection in a text that grows, a fold the reader opened
 * and a formula already typeset survive, and no frame is ever blank.
 */
import { completeMarkdown, split } from './blocks';
import type { IBlock } from './blocks';
import type { IBlockRenderer } from './renderer';

/** How much of a frame drawing may take, in milliseconds. */
const SLICE = 12;

/** The open block is idle this many times as long as its last drawing took. */
const PATIENCE = 6;

/** How many blocks a group holds. */
const GROUP = 32;

const DEFINITION = /^ {0,3}\[[^\]\n]+\]:[ \t]*\S+.*$/gm;
const REFERENCE = /\]\[|\[[^\]\n]+\](?![(:])/;

interface IDrawn {
  readonly block: IBlock;
  readonly node: HTMLElement;
}

/** Shows a growing text in an element. */
export class Flow {
  /**
   * @param decorate - Called with each block that is drawn for good.
   */
  constructor(
    readonly host: HTMLElement,
    renderer: IBlockRenderer,
    decorate: (node: HTMLElement, block: IBlock) => void = () => undefined
  ) {
    this._renderer = renderer;
    this._decorate = decorate;
  }

  /** Show a text, and whether more will come. The promise settles when it is on the page. */
  set(source: string, finished: boolean): Promise<void> {
    const grew = source.length > this._source.length;
    if (!source.startsWith(this._source) || (this._finished && grew)) {
      this._restart();
    }
    this._added += source.slice(this._source.length);
    this._source = source;
    this._finished = finished;
    this._running ??= this._run().finally(() => {
      this._running = null;
    });
    return this._running;
  }

  /** Stop drawing. */
  dispose(): void {
    this._disposed = true;
  }

  private async _run(): Promise<void> {
    do {
      await frame();
      await this._draw();
    } while (!this._disposed && !this._isSettled());
  }

  private _isSettled(): boolean {
    return !this._added && !this._queue.length && !this._stale;
  }

  private async _draw(): Promise<void> {
    const version = this._version;
    const end = performance.now() + SLICE;
    this._split();
    while (this._queue.length && !this._disposed) {
      await this._close(this._queue[0]);
      if (version !== this._version) {
        return;
      }
      this._queue.shift();
      if (performance.now() > end) {
        return;
      }
    }
    if (this._stale && performance.now() >= this._patience) {
      await this._drawOpen();
    }
  }

  /** Sort what was added into closed blocks, which queue up, and the open one. */
  private _split(): void {
    const finished = this._finished;
    if (!this._added && !(finished && this._open.source)) {
      return;
    }
    const { closed, open } = split(this._open.source + this._added);
    this._added = '';
    this._queue.push(...closed);
    this._open = open;
    if (finished && open.source) {
      this._queue.push(open);
      this._open = { kind: 'text', source: '' };
    }
    this._stale = !finished;
    if (closed.length) {
      this._patience = 0; // another block is open now
    }
  }

  /** Draw a block for good, in the place where it was open. */
  private async _close(block: IBlock): Promise<void> {
    if (!block.source.trim()) {
      return;
    }
    const version = this._version;
    const known = this._definitions;
    for (const [definition] of block.kind === 'fence' ? [] : block.source.matchAll(DEFINITION)) {
      this._definitions += `\n${definition}`;
    }
    await this._paint(this._place(), block, true);
    if (version !== this._version) {
      return;
    }
    const node = this._tail!;
    this._tail = null;
    this._drawn.push({ block, node });
    this._decorate(node, block);
    if (known !== this._definitions) {
      await this._resolve(node);
    }
  }

  /** Draw blocks again that refer to a link defined later. */
  private async _resolve(except: HTMLElement): Promise<void> {
    for (const { block, node } of this._drawn) {
      if (node !== except && block.kind !== 'fence' && REFERENCE.test(block.source)) {
        await this._paint(node, block, true);
        this._decorate(node, block);
      }
    }
  }

  private async _drawOpen(): Promise<void> {
    this._stale = false;
    const source = completeMarkdown(this._open);
    if (!source.trim()) {
      return;
    }
    const start = performance.now();
    await this._paint(this._place(), { kind: this._open.kind, source }, false);
    const took = performance.now() - start;
    this._patience = took < 2 ? 0 : performance.now() + took * PATIENCE;
  }

  private async _paint(node: HTMLElement, block: IBlock, closed: boolean): Promise<void> {
    const definitions =
      this._definitions && REFERENCE.test(block.source) ? `\n\n${this._definitions}` : '';
    const version = this._version;
    const drawn = await this._renderer.render(block, closed, definitions);
    if (version !== this._version || this._disposed) {
      return;
    }
    morph(node, drawn);
    if (!node.parentNode) {
      this._group().appendChild(node);
    }
    await this._renderer.typeset(node);
  }

  /** The element of the block that is open; it joins the page with its first content. */
  private _place(): HTMLElement {
    if (!this._tail) {
      this._tail = document.createElement('div');
      this._tail.className = 'jp-DeepSeek-block';
    }
    return this._tail;
  }

  /** Where the next block goes. */
  private _group(): Element {
    const last = this.host.lastElementChild;
    if (last && last.childElementCount < GROUP) {
      return last;
    }
    const group = document.createElement('div');
    group.className = 'jp-DeepSeek-group';
    return this.host.appendChild(group);
  }

  /** Begin again: the text is another one. */
  private _restart(): void {
    this._version++;
    this.host.replaceChildren();
    this._drawn = [];
    this._queue = [];
    this._tail = null;
    this._open = { kind: 'text', source: '' };
    this._source = '';
    this._added = '';
    this._definitions = '';
    this._patience = 0;
  }

  private _renderer: IBlockRenderer;
  private _decorate: (node: HTMLElement, block: IBlock) => void;
  private _source = '';
  private _added = '';
  private _finished = false;
  private _open: IBlock = { kind: 'text', source: '' };
  private _queue: IBlock[] = [];
  private _drawn: IDrawn[] = [];
  private _tail: HTMLElement | null = null;
  private _definitions = '';
  private _stale = false;
  private _patience = 0;
  private _version = 0;
  private _running: Promise<void> | null = null;
  private _disposed = false;
}

/** The next frame; a hidden page has none, so it is a timer there. */
function frame(): Promise<void> {
  return new Promise(resolve => {
    if (document.hidden) {
      setTimeout(resolve, 100);
    } else {
      requestAnimationFrame(() => resolve());
    }
  });
}

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
