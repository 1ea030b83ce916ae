/**
 * The commands of the menu, the palette and the cell toolbar, and the button under the error of a cell.
 *
 * Each writes a cell that stays in the notebook: what was asked can be read, changed and run again, and
 * nothing runs that is not seen. For that it has to know what ran in the kernel that is there now.
 */
import { NotebookActions } from '@jupyterlab/notebook';
import { LabIcon, MenuSvg } from '@jupyterlab/ui-components';
import { PanelLayout, Widget } from '@lumino/widgets';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { Cell, CodeCell } from '@jupyterlab/cells';
import type { IError, IOutput } from '@jupyterlab/nbformat';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { make } from '../card/dom';
import { findHostCell, isExecuting, stop } from '../card/hostcell';
import { joined } from '../kernel/json';
import { Jobs } from './statusbar';
import { wordsIn } from '../words';
import type { IHostCell } from '../card/hostcell';
import type { ICommHub } from '../tokens';

/** The extension's icon: a question that is answered. Its colour is the theme's. */
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
<path class="jp-icon3" fill="#616161" d="M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2h-8l-5 4.5V17H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z
m8 2.5c-.4 2.9-1.6 4.1-4.5 4.5 2.9.4 4.1 1.6 4.5 4.5.4-2.9 1.6-4.1 4.5-4.5-2.9-.4-4.1-1.6-4.5-4.5z" fill-rule="evenodd"/>
</svg>`;

export const deepSeekIcon = new LabIcon({ name: 'deepseek-jupyter:icon', svgstr: SVG });

/** The ids of the commands. */
export const COMMANDS = {
  ask: 'deepseek:ask',
  explain: 'deepseek:explain',
  fix: 'deepseek:fix',
  document: 'deepseek:document',
  test: 'deepseek:test',
  optimise: 'deepseek:optimise',
  attach: 'deepseek:attach-output',
  fresh: 'deepseek:new-conversation',
  usage: 'deepseek:usage',
  login: 'deepseek:login',
  stop: 'deepseek:stop'
} as const;

const CELL_MENU = ['ask', 'explain', 'fix', 'document', 'test', 'optimise', 'attach'] as const;

/** What the commands need. */
export interface ICommandOptions {
  readonly app: JupyterFrontEnd;
  readonly tracker: INotebookTracker;
  readonly translator: ITranslator;
  readonly hub: ICommHub | null;
}

/** The cell that a command is about. */
interface ITarget {
  readonly panel: NotebookPanel;
  readonly cell: Cell;
  readonly index: number;
}

/** Adds the commands. */
export class Commands {
  constructor(private _options: ICommandOptions) {
    this._trans = wordsIn(_options.translator);
    this._state = new CellState(_options.tracker);
    this._jobs = _options.hub && new Jobs(_options.hub, _options.tracker);
    this._addAll();
  }

  /** A menu for a cell, at a button. */
  openMenu(button: HTMLElement): void {
    const { commands } = this._options.app;
    const menu = new MenuSvg({ commands });
    CELL_MENU.forEach(name => menu.addItem({ command: COMMANDS[name] }));
    const { left, bottom } = button.getBoundingClientRect();
    menu.aboutToClose.connect(() => void setTimeout(() => menu.dispose()));
    menu.open(left, bottom);
  }

  private _addAll(): void {
    const trans = this._trans;
    this._add('ask', trans.__('Ask About This Cell'), target => this._ask(target));
    this._add('explain', trans.__('Explain This Cell'), target => this._work('explain', target));
    this._add('fix', trans.__('Fix This Cell'), target => this._work('fix', target));
    this._add('document', trans.__('Document This Cell'), target => this._work('doc', target));
    this._add('test', trans.__('Write Tests for This Cell'), target => this._work('test', target));
    this._add('optimise', trans.__('Make This Cell Faster'), target => this._work('optimize', target));
    this._add('attach', trans.__('Ask About This Output'), target => this._attach(target));
    this._add('fresh', trans.__('New Conversation'), target => this._line('reset', target));
    this._add('usage', trans.__('Show DeepSeek Usage'), target => this._line('usage', target));
    this._add('login', trans.__('Set API Key…'), target => this._line('login', target));
    this._add('stop', trans.__('Stop the Answer'), target => this._stop(target));
  }

  private _add(name: keyof typeof COMMANDS, label: string, run: (target: ITarget) => unknown): void {
    const { commands } = this._options.app;
    const aboutOutput = name === 'attach';
    commands.addCommand(COMMANDS[name], {
      label,
      caption: label,
      icon: name === 'ask' ? deepSeekIcon : undefined,
      isEnabled: () => {
        const target = this._target();
        return target !== null && (!aboutOutput || outputsOf(target.cell).length > 0);
      },
      describedBy: { args: SCHEMA },
      execute: args => {
        const target = this._target(typeof args['cell'] === 'string' ? args['cell'] : '');
        return target ? run(target) : undefined;
      }
    });
  }

  /** The active cell of the notebook in front, or the one with an id. */
  private _target(id = ''): ITarget | null {
    const panel = this._options.tracker.currentWidget;
    const widgets = panel?.content.widgets ?? [];
    const index = id
      ? widgets.findIndex(cell => cell.model.id === id)
      : (panel?.content.activeCellIndex ?? -1);
    const cell = widgets[index];
    return panel && cell && speaksPython(panel) ? { panel, cell, index } : null;
  }

  private _ask(target: ITarget): void {
    const source = askCell(this._state.read(target.panel, target.cell), this._words());
    this._write(target, source, false);
  }

  private _work(work: Work, target: ITarget): Promise<unknown> | void {
    const { panel, cell } = target;
    const isLast = this._state.isLastError(panel, cell);
    const source = workCell(work, this._state.read(panel, cell), this._words(), isLast);
    return this._write(target, source, true);
  }

  private _attach(target: ITarget): void {
    const { count } = this._state.read(target.panel, target.cell);
    const outputs = outputsOf(target.cell);
    const named = count !== null && outputs.some(output => output.output_type === 'execute_result');
    const text = outputs.map(textOf).join('\n');
    this._write(target, outputCell(named ? `Out[${count}]` : null, text, this._words()), false);
  }

  private _line(command: string, target: ITarget): Promise<unknown> | void {
    return this._write(target, `%deepseek ${command}`, true);
  }

  private async _stop({ panel, index, cell }: ITarget): Promise<void> {
    const host = { panel, index, cell: cell as CodeCell };
    const { hub } = this._options;
    const kernel = panel.sessionContext.session?.kernel ?? null;
    const running = () => (kernel && hub?.runningTurn(kernel)) || '';
    const id = running();
    const job = this._jobs?.of(kernel);
    const stopsJob = !!job && !!hub?.tell(kernel!, { type: 'stop', id: job.id });
    if (stopsJob && !id) {
      return; // its rows are no turns; what is on its way still comes
    }
    if (id || !hub) {
      await stop(id, host, hub, () => !hub || running() === id);
    } else {
      await stop('', await asking(panel), null, () => true); // this page has not heard of it yet
    }
  }

  /**
   * Put a cell below, and run it or leave the cursor in it. One step for Undo.
   *
   * #### Notes
   * Where no cell has loaded the extension, one that does is put before it.
   */
  private _write({ panel, index }: ITarget, source: string, run: boolean): Promise<unknown> | void {
    const { content, sessionContext } = panel;
    const shared = content.model!.sharedModel;
    const sources = this._isLoaded(panel) ? [source] : [LOAD, source];
    shared.transact(() => {
      shared.insertCells(
        index + 1,
        sources.map(text => ({
          cell_type: 'code' as const,
          source: text,
          metadata: { trusted: true }
        }))
      );
    });
    const last = index + sources.length;
    content.deselectAll();
    content.activeCellIndex = last;
    const cells = content.widgets.slice(index + 1, last + 1);
    const toRun = run ? cells : cells.slice(0, -1);
    if (!run) {
      void enterAtEnd(content, cells[cells.length - 1]);
    }
    if (toRun.length) {
      return NotebookActions.runCells(
        content,
        toRun,
        sessionContext,
        undefined,
        this._options.translator
      );
    }
  }

  private _isLoaded({ content, sessionContext }: NotebookPanel): boolean {
    const kernel = sessionContext.session?.kernel;
    if (kernel && this._options.hub?.isConnected(kernel)) {
      return true;
    }
    return content.widgets.some(
      cell =>
        /^\s*%(?:re)?load_ext\s+deepseek_jupyter\b/m.test(cell.model.sharedModel.source) &&
        cell.model.type === 'code' &&
        (cell as CodeCell).model.executionCount !== null
    );
  }

  private _words(): Words {
    const trans = this._trans;
    return {
      about: trans.__('About this code:'),
      output: trans.__('About this output:'),
      explain: trans.__('Explain this code.'),
      fix: trans.__('This code fails. Say why, and correct it.'),
      doc: trans.__('Add docstrings and comments to this code. Change nothing else.'),
      test: trans.__('Write tests for this code.'),
      optimize: trans.__('Make this code faster, with the same results.')
    };
  }

  private _trans: TranslationBundle;
  private _state: CellState;
  private _jobs: Jobs | null;
}

/** The whole error of a cell; Lab draws it by the traceback, of the type after this one. */
export const ERROR_TYPE = 'application/vnd.jupyter.error';
const TRACEBACK_TYPE = 'application/vnd.jupyter.stderr';

/** Errors that no change to the code would fix. */
const NOT_THE_CODE = /^(?:UsageError|Interrupted|KeyboardInterrupt|SystemExit)$/;

/** Cells of ours: their errors say themselves what to do. */
const OUR_MAGIC = /^\s*%%?(?:deepseek|ds)\b/;

/** What the button needs. */
export interface IFixOptions {
  readonly rendermime: IRenderMimeRegistry;
  readonly rendererOptions: IRenderMime.IRendererOptions;
  readonly commands: JupyterFrontEnd['commands'];
  readonly tracker: INotebookTracker;
  readonly trans: TranslationBundle;
  readonly isShown: () => boolean;
}

/** An error with a button, drawn by Lab's own renderer; where the host has no notebook around it, there is no button. */
export class ErrorWithButton extends Widget implements IRenderMime.IRenderer {
  constructor(private _options: IFixOptions) {
    super();
    const { rendermime, trans } = _options;
    this._error = rendermime.createRenderer(TRACEBACK_TYPE);
    this.layout = new PanelLayout();
    (this.layout as PanelLayout).addWidget(this._error);
    this.addClass('jp-DeepSeek-error-output');
    this._button.append(
      deepSeekIcon.element({ tag: 'span', elementSize: 'normal' }),
      trans.__('Fix with DeepSeek')
    );
    this._button.addEventListener('click', () => this._fix());
    this._button.hidden = true;
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    await this._error.renderModel(model);
    const error = model.data[ERROR_TYPE] as { ename?: unknown } | undefined;
    this._name = String(error?.ename ?? '');
    this._show();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.node.appendChild(this._button);
    this._show();
  }

  private _show(): void {
    const host = this.isAttached ? findHostCell(this._options.tracker, this.node) : null;
    const source = host?.cell.model.sharedModel.source ?? '';
    const fixable = !NOT_THE_CODE.test(this._name) && !OUR_MAGIC.test(source);
    this._button.hidden = !host || !fixable || !this._options.isShown();
  }

  private _fix(): void {
    const host = findHostCell(this._options.tracker, this.node);
    if (host) {
      void this._options.commands.execute(COMMANDS.fix, { cell: host.cell.model.id });
    }
  }

  private _error: IRenderMime.IRenderer;
  private _button = make('button', 'fix');
  private _name = '';
}

/** Cells that ask. */
const ASKS = /^\s*(?:\w+\s*=\s*)?%%?(?:ds|deepseek)\b|\bds\.\w/m;

const SCHEMA = {
  type: 'object' as const,
  properties: {
    cell: { type: 'string' as const, description: 'The id of the cell; without it the active one.' }
  }
};

/** The first cell that has not ended, if it asks a model. */
async function asking(panel: NotebookPanel): Promise<IHostCell | null> {
  const cells = panel.content.widgets.map((cell, index) => ({ panel, cell: cell as CodeCell, index }));
  const code = cells.filter(({ cell }) => cell.model.type === 'code');
  code.forEach(isExecuting); // the first look does not know of those that ended
  await new Promise(resolve => setTimeout(resolve));
  const found = code.find(isExecuting);
  return found && ASKS.test(found.cell.model.sharedModel.source) ? found : null;
}

/** Whether the magics make sense in a notebook. */
function speaksPython(panel: NotebookPanel): boolean {
  const language = panel.content.model?.defaultKernelLanguage || 'python';
  return /^i?python/i.test(language);
}

/** Go into a cell, behind its text. A new cell has no editor before it is drawn. */
async function enterAtEnd(content: NotebookPanel['content'], cell: Cell): Promise<void> {
  await cell.ready;
  content.mode = 'edit';
  const { editor } = cell;
  editor?.setCursorPosition(editor.getPositionAt(cell.model.sharedModel.source.length)!);
  editor?.focus();
}

function outputsOf(cell: Cell): IOutput[] {
  return cell.model.type === 'code' ? (cell as CodeCell).model.outputs.toJSON() : [];
}

/** The text of an output. */
function textOf(output: IOutput): string {
  if (output.output_type === 'stream') {
    return joined(output['text']);
  }
  if (output.output_type === 'error') {
    return (output['traceback'] as string[]).join('\n');
  }
  const data = output['data'] as Record<string, unknown> | undefined;
  return joined(data?.['text/plain']);
}

/** Remembers which kernel ran a cell, and which cell failed last. */
export class CellState {
  constructor(private _tracker: INotebookTracker) {
    NotebookActions.executed.connect(this._onExecuted, this);
    _tracker.widgetAdded.connect((_, panel) => {
      panel.sessionContext.statusChanged.connect((context, status) => {
        if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
          this._began.set(context, (this._began.get(context) ?? 0) + 1);
        }
      });
    });
  }

  /** A cell as the commands see it. */
  read(panel: NotebookPanel, cell: Cell): ICellText {
    const source = cell.model.sharedModel.source;
    const count = this._ranHere(panel, cell) ? (cell as CodeCell).model.executionCount : null;
    const error = errorOf(cell);
    return {
      source,
      count,
      error: error && {
        name: error.ename,
        message: error.evalue,
        traceback: error.traceback.join('\n')
      }
    };
  }

  /** Whether a cell is the one that failed last. */
  isLastError(panel: NotebookPanel, cell: Cell): boolean {
    return this._failed.get(panel.content) === cell.model.id;
  }

  private _ranHere(panel: NotebookPanel, cell: Cell): boolean {
    const ran = this._ran.get(cell.model);
    return ran !== undefined && ran === this._life(panel);
  }

  /** A key that changes when the kernel starts again. */
  private _life({ sessionContext }: NotebookPanel): string {
    return `${sessionContext.session?.kernel?.id} ${this._began.get(sessionContext) ?? 0}`;
  }

  private _onExecuted(
    _: unknown,
    { notebook, cell, success }: { notebook: NotebookPanel['content']; cell: Cell; success: boolean }
  ): void {
    const panel = this._tracker.find(item => item.content === notebook);
    if (!panel || cell.model.type !== 'code') {
      return;
    }
    this._ran.set(cell.model, this._life(panel));
    if (!success) {
      this._failed.set(notebook, cell.model.id);
    }
  }

  private _ran = new WeakMap<object, string>();
  private _began = new WeakMap<object, number>();
  private _failed = new WeakMap<object, string>();
}

/** The error that a cell ended with. */
function errorOf(cell: Cell): IError | null {
  if (cell.model.type !== 'code') {
    return null;
  }
  const outputs = (cell as CodeCell).model.outputs.toJSON();
  return (outputs.find(output => output.output_type === 'error') as IError | undefined) ?? null;
}

/** Make the notebook in a folder and open it. */
export async function newNotebook(app: JupyterFrontEnd, path: string, hint: string): Promise<unknown> {
  const { contents, kernelspecs } = app.serviceManager;
  const made = await contents.newUntitled({ path, type: 'notebook' });
  const cell = (source: string, id: string) => ({
    cell_type: 'code',
    execution_count: null,
    id,
    metadata: {},
    outputs: [],
    source
  });
  await contents.save(made.path, {
    type: 'notebook',
    format: 'json',
    content: {
      cells: [cell(LOAD, 'load'), cell(`%%deepseek\n${hint}`, 'ask')],
      metadata: {},
      nbformat: 4,
      nbformat_minor: 5
    }
  });
  await kernelspecs.ready;
  const specs = kernelspecs.specs;
  const python = Object.values(specs?.kernelspecs ?? {}).find(spec => spec?.language === 'python');
  const isPython = specs?.kernelspecs[specs.default]?.language === 'python';
  const name = isPython ? specs!.default : python?.name;
  return app.commands.execute('docmanager:open', {
    path: made.path,
    factory: 'Notebook',
    ...(name ? { kernel: { name } } : {})
  });
}

/** A cell as the commands see it. */
export interface ICellText {
  readonly source: string;
  /** Its number, if it ran in the kernel that is there now. */
  readonly count: number | null;
  /** Its error, if it ended with one. */
  readonly error: { readonly name: string; readonly message: string; readonly traceback: string } | null;
}

/** The commands that work on one cell, as the line magic calls them. */
export type Work = 'explain' | 'fix' | 'doc' | 'test' | 'optimize';

/** In the words of the catalogue; the question goes to the model in the user's language. */
export type Words = Readonly<Record<Work | 'about' | 'output', string>>;

export const LOAD = '%load_ext deepseek_jupyter';

/** Longest piece of an output or a traceback that goes into a prompt, in characters. */
const LONGEST = 4000;

/** The cell in which the user asks about another one, which it names if the kernel ran that one. */
export function askCell(cell: ICellText, words: Words): string {
  if (cell.count !== null) {
    return `%%deepseek\n@In[${cell.count}] `;
  }
  return `%%deepseek\n${words.about}\n\n${fenced(cell.source, 'python')}\n\n`;
}

/**
 * The cell that has the model work on another one.
 *
 * The kernel knows cells that it ran by their number. Any other goes along as text.
 */
export function workCell(work: Work, cell: ICellText, words: Words, isLastError: boolean): string {
  if (work === 'fix') {
    return cell.count !== null && cell.error && isLastError ? '%deepseek fix' : inWords(work, cell, words);
  }
  return cell.count === null ? inWords(work, cell, words) : `%deepseek ${work} ${cell.count}`;
}

/** The cell that asks about an output: by its name where it has one, else as text. */
export function outputCell(name: string | null, text: string, words: Words): string {
  if (name) {
    return `%%deepseek --attach ${name}\n`;
  }
  return `%%deepseek\n${words.output}\n\n${fenced(ending(text), 'text')}\n\n`;
}

function inWords(work: Work, { source, error }: ICellText, words: Words): string {
  const parts = [`%%deepseek${work === 'explain' ? '' : ' --format code'}`, words[work]];
  parts[1] += `\n\n${fenced(source, 'python')}`;
  if (work === 'fix' && error) {
    parts[1] += `\n\n${fenced(ending(plain(error.traceback) || `${error.name}: ${error.message}`), 'text')}`;
  }
  return parts.join('\n');
}

/**
 * Text in a block of code that it cannot close.
 *
 * #### Notes
 * The magic evaluates what is in double braces, and an output is not trusted.
 */
export function fenced(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(match => match[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.replace(/\{\{/g, '\\{{').trimEnd()}\n${fence}`;
}

/** The end of a text: of a traceback, and of most outputs, it says more than the beginning. */
function ending(text: string): string {
  return text.length > LONGEST ? `…${text.slice(-LONGEST)}` : text;
}

/** A traceback without its colours. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\x1b\[[0-9;]*m/g, '');
}
