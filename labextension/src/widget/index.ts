/**
 * `ds.panel()` as a widget: the module that anywidget loads in whatever front end shows it.
 *
 * It is bundled by itself, without a package of JupyterLab: `widget.mjs` says what takes their
 * place. Nothing here looks for anything outside of the element that the host gives, which may be
 * in a shadow root (marimo) or in a frame of its own (VS Code, Colab).
 */
import { Marked } from 'marked';
import type { JSONObject } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { make } from '../card/dom';
import { readAnswer } from '../kernel/requests';
import { Transcripts } from '../kernel/transcript';
import { BlockRenderer } from '../markdown/renderer';
import { harmlessNodes } from '../markdown/sanitizer';
import { Link } from '../panel/model';
import { PanelView } from '../panel/view';
import { catalogueFor, wordsOf } from './substitutes';
import type { ITranscript } from '../kernel/transcript';
import type { Presence } from '../panel/model';
import type { Catalogue } from './substitutes';

/** The catalogues; the build puts them here. */
declare const CATALOGUES: Record<string, Catalogue>;

/** The least and the greatest height, in pixels. */
const BOUNDS = [240, 1600];

/** Classes by which MathJax leaves a text alone: formulas of a model are not its to run. */
const NO_MATH = ['tex2jax_ignore', 'mathjax_ignore'];

/** Show the panel in an element; gives what takes it down again. */
function render({ model, el }: { model: IModel; el: HTMLElement }): () => void {
  const host = make('div', 'panelOutput');
  host.classList.add('jp-DeepSeek-widget', ...NO_MATH);
  // Keys that are typed here are not the notebook's.
  host.setAttribute('data-lm-suppress-shortcuts', 'true');
  host.addEventListener('keydown', event => event.stopPropagation());
  const resize = () => {
    const height = Number(model.get('height')) || 480;
    host.style.height = `${Math.min(Math.max(height, BOUNDS[0]), BOUNDS[1])}px`;
  };
  resize();
  model.on('change:height', resize);
  el.append(host);
  host.style.colorScheme = isDark(el) ? 'dark' : 'light';
  const words = wordsOf(catalogueFor(navigator.languages, CATALOGUES));
  const link = new WidgetLink(model, words);
  const view = new PanelView(link, new WidgetRenderer(), words);
  host.append(view.node);
  return () => {
    model.off('change:height', resize);
    view.dispose();
    link.dispose();
    host.remove();
  };
}

/** Whether the host writes light on dark: the colours of a host that sets none follow it. */
function isDark(el: HTMLElement): boolean {
  const [red, green, blue] = (getComputedStyle(el).color.match(/\d+/g) ?? []).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 128;
}

/**
 * Draws Markdown where there is no JupyterLab.
 *
 * The parser is the one that JupyterLab has; what it makes goes through the card's sanitizer, twice,
 * on documents that load nothing. Nothing typesets formulas here: they are shown as they were
 * written.
 */
export class WidgetRenderer extends BlockRenderer {
  async typeset(): Promise<void> {
    return;
  }

  protected async draw(host: HTMLElement, text: string, definitions: string): Promise<void> {
    host.append(...harmlessNodes(this._marked.parse(text + definitions, { async: false })));
  }

  private _marked = new Marked({ gfm: true });
}

/** How long a kernel may be silent after a request before the panel says so, in milliseconds. */
const PATIENCE = 4000;

/** Requests whose answer may take as long as the model's. */
const LONG = new Set(['ask', 'regenerate', 'branch']);

/** What a host gives of the widget's model. */
export interface IModel {
  get(name: string): unknown;
  on(event: string, listener: (...args: any[]) => void): void;
  off(event: string, listener: (...args: any[]) => void): void;
  send(content: JSONObject): void;
}

/** A request that waits for its answer. */
interface IPending {
  readonly type: string;
  resolve(result: JSONObject): void;
  reject(error: Error): void;
}

let links = 0;

/** A kernel at the other end of a widget. */
export class WidgetLink extends Link {
  constructor(private _model: IModel, private _trans: TranslationBundle) {
    super();
    _model.on('msg:custom', this._onMessage);
  }

  readonly name = 'DeepSeek';

  readonly code = null;

  get presence(): Presence {
    return this._presence;
  }

  override get absence(): string {
    const trans = this._trans;
    return trans.__('The kernel does not answer yet. If it was started again, run this cell again.');
  }

  /** Nothing comes once the view is gone. */
  get isGone(): boolean {
    return this._gone;
  }

  transcript(id: string): ITranscript | null {
    return this._transcripts.get(id);
  }

  request(type: string, body: JSONObject = {}): Promise<JSONObject> {
    const request = `${this._name}-${++this._requests}`;
    return new Promise((resolve, reject) => {
      this._pending.set(request, { type, resolve, reject });
      this.send({ ...body, type, request });
    });
  }

  /** The kernel that made the widget has loaded us; there is no other. */
  async load(): Promise<boolean> {
    return false;
  }

  /** A widget cannot read the file. */
  saved(): readonly [] {
    return [];
  }

  override dispose(): void {
    this._gone = true;
    clearTimeout(this._timer);
    this._model.off('msg:custom', this._onMessage);
    this._pending.clear();
    super.dispose();
  }

  send(content: JSONObject): void {
    if (this._gone) {
      return;
    }
    if ('request' in content && !this._timer) {
      this._timer = window.setTimeout(() => this._silent(), PATIENCE);
    }
    try {
      this._model.send(content);
    } catch {
      this._silent(); // the comm is closed
    }
  }

  private _onMessage = (json: unknown): void => {
    clearTimeout(this._timer);
    this._timer = 0;
    const answer = readAnswer(json);
    if (answer) {
      const asked = this._pending.get(answer.to); // other views of the model ask, too
      this._pending.delete(answer.to);
      answer.result ? asked?.resolve(answer.result) : asked?.reject(answer.error!);
    } else {
      const transcript = this._transcripts.receive(json, this);
      transcript ? this.transcriptChanged.emit(transcript) : this.messageReceived.emit(json);
    }
    this._become('live');
  };

  /** Nothing answers: requests to read are given up; a question may yet be answered. */
  private _silent(): void {
    clearTimeout(this._timer);
    this._timer = 0;
    for (const [request, { type, reject }] of [...this._pending]) {
      if (!LONG.has(type)) {
        this._pending.delete(request);
        reject(new Error(this.absence));
      }
    }
    this._become('none');
  }

  private _become(presence: Presence): void {
    if (this._presence !== presence) {
      this._presence = presence;
      this.changed.emit();
    }
  }

  private _name = `${++links}-${Math.random().toString(36).slice(2)}`;
  private _requests = 0;
  private _presence: Presence = 'live';
  private _pending = new Map<string, IPending>();
  private _transcripts = new Transcripts();
  private _timer = 0;
  private _gone = false;
}

export default { render };
