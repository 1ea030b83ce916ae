/**
 * The panel: one conversation, over a link to a notebook or to a widget's model.
 *
 * What it shows is a pure function of `state.ts`; messages of the kernel give the next state, and
 * the next frame shows it. Side bar and widget share this view. `model.ts` keeps the state, `turns.ts`
 * shows it; here is what the user does, and what the panel shows before the first question.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';
import { make, say, textButton } from '../card/dom';
import { ErrorBox } from '../card/notes';
import { FileTurns, JobBar, readJob } from '../card/parts';
import { RequestError } from '../kernel/requests';
import { said } from '../said';
import { acceptCells, FRAMES, QuestionAttachments } from './attachments';
import { Composer } from './composer';
import { PanelModel } from './model';
import { QuickSettings } from './settings';
import { ASKED } from './state';
import { PanelToolbar } from './toolbar';
import { TurnList } from './turns';
import type { Consent, ITurnRecord } from '../kernel/record';
import type { IBlockRenderer } from '../markdown/renderer';
import type { IName } from './composer';
import type { Link } from './model';
import type { ISettings, IState } from './state';

/** Shows a conversation, and asks. */
export class PanelView {
  readonly node = make('div', 'panel');

  constructor(
    private _link: Link,
    renderer: IBlockRenderer,
    private _trans: TranslationBundle
  ) {
    const trans = _trans;
    this._model = new PanelModel(
      _link,
      {
        changed: state => this._show(state),
        used: line => say(this._meter, line),
        begun: () => {
          this._turns.toEnd();
          this._stopsAsked && this._stopLast();
        },
        failed: error => this._fail(error)
      },
      trans
    );
    this._turns = new TurnList({
      link: _link,
      actions: this._actions,
      renderer,
      trans,
      state: () => this._model.state,
      inView: ids => void this._model.read(ids),
      announce: words => say(this._status, words)
    });
    this._job = new JobBar(id => this._stop(id), trans);
    _link.messageReceived.connect((_, message) => {
      const job = readJob(message);
      job && this._job.show(job);
    });
    _link.changed.connect(() => this._job.show(null)); // the kernel may be another one
    this._quick = new QuickSettings(
      {
        set: some => void this._request('settings', { set: some }),
        models: () => this._request('models'),
        standard: () => this._link.request('models', { only: 'default' }),
        changed: () => this._attached?.measure()
      },
      trans
    );
    this._start = new StartPage(prompt => this.write(prompt), trans);
    this._attached = new QuestionAttachments(
      () => void this._bar.preview(this._question()),
      () => this._measured(),
      trans
    );
    this._composer = new Composer(
      {
        send: prompt => void this._ask(prompt),
        stop: () => this._stopLast(),
        cancel: () => this._edit(null),
        names: () => this._model.names(),
        changed: (prompt, names) => this._attached.update(prompt, names)
      },
      trans,
      this._quick.node
    );
    acceptCells(this.node, () => this._link.presence !== 'none', cells => {
      this._attached.add(cells);
      this.focus();
    });
    this._bar = new PanelToolbar(
      {
        request: (type, body) => this._request(type, body),
        go: id => void this._checkout(id),
        ask: question => {
          this._composer.text = '';
          void this._ask(String(question['prompt']), question);
        },
        failed: error => this._fail(error)
      },
      trans
    );
    this._file = new FileTurns(trans, take => void this._request('trust', { take }));
    this._status.setAttribute('role', 'status');
    this._error = new ErrorBox(trans, { settings: () => void this.settings() });
    this._notice = this._error.node;
    this._notice.classList.add('jp-DeepSeek-panel-error');
    this._notice.setAttribute('role', 'alert');
    this._meter.title = trans.__('What this conversation used; money is an estimate');
    const foot = make('div', 'panel-foot');
    this._composer.field.after(this._attached.node);
    foot.append(this._composer.node, this._meter);
    this.node.append(
      this._bar.node,
      this._bar.drawer.node,
      this._about,
      this._start.node,
      this._turns.node,
      this._file.node,
      this._notice,
      this._job.node,
      foot,
      this._status
    );
    // A frame may have been made since.
    this.node.addEventListener('pointerenter', () => this._show(this._model.state));
    void this._model.refresh();
  }

  /** Put the caret into the composer. */
  focus(): void {
    this._composer.field.focus();
  }

  /** Open the drawer with the settings. */
  async settings(): Promise<void> {
    if (this._link.presence === 'unloaded') {
      await this._link.load();
    }
    this._bar.drawer.name === 'settings' || this._bar.settings();
  }

  /** Write something into the composer, behind what is there. */
  write(text: string): void {
    const before = this._composer.text;
    this._composer.text = before && !before.endsWith('\n') ? `${before}\n${text}` : before + text;
    this.focus();
  }

  dispose(): void {
    this._model.dispose();
    this._turns.dispose();
  }

  // Asking

  private async _ask(
    prompt: string,
    body: JSONObject = { ...this._question(), prompt }
  ): Promise<void> {
    this._say('');
    const asked = this._model.asked(prompt, this._editing);
    if (this._link.presence !== 'live' && !(await this._link.load())) {
      asked.done();
      this._composer.text = prompt;
      this._say(this._trans.__('The kernel cannot load deepseek_jupyter.'));
      return;
    }
    this._edit(null);
    this._turns.toEnd();
    const cells = this._attached.release();
    const { web } = this._quick;
    this._quick.web = false; // it is for one question
    await this._request('ask', body, () => {
      this._composer.text ||= prompt; // what was refused is not lost
      this._attached.add(cells);
      this._quick.web ||= web;
    });
    asked.done();
  }

  /** Ask the question of a failed turn again; one without an answer is no part of the conversation. */
  private async _again(record: ITurnRecord, fresh: boolean): Promise<void> {
    if (fresh) {
      await this._request('new');
    } else if (record.answer) {
      await this._request('regenerate', { turn: record.id });
      return;
    }
    await (record.prompt ? this._ask(record.prompt) : this._actions.goOn());
  }

  /** What would be sent now. */
  private _question(): JSONObject {
    return {
      prompt: this._composer.text,
      ...(this._editing ? { instead_of: this._editing } : {}),
      ...this._attached.fields,
      ...this._quick.fields
    };
  }

  /** How full the context would be with what is written; null where no kernel can say. */
  private async _measured(): Promise<string | null> {
    if (this._link.presence !== 'live') {
      return null;
    }
    try {
      return said(String((await this._link.request('gauge', this._question()))['gauge'] ?? ''));
    } catch {
      return null; // the kernel goes away; sending says so
    }
  }

  private _edit(record: ITurnRecord | null): void {
    const began = record !== null;
    if (!began && this._editing === null) {
      return;
    }
    this._editing = record?.id ?? null;
    this._composer.note = began
      ? this._trans.__('Asks again from here; the old answer is kept.')
      : '';
    if (began) {
      this._composer.text = record.prompt;
      this.focus();
    } else {
      this._composer.text = '';
    }
  }

  private _stopLast(): void {
    const id = this._model.running.pop();
    this._stopsAsked = id === ASKED; // as soon as the kernel has a turn to stop
    if (id) {
      this._stop(id);
    }
  }

  private _stop(id: string): void {
    this._link.send({ type: 'stop', id });
  }

  private async _checkout(id: string): Promise<void> {
    await this._request('checkout', { to: id });
    this._turns.reveal(id);
  }

  /** Ask the kernel; an error is shown, and gives null. */
  private async _request(
    type: string,
    body: JSONObject = {},
    refused: () => void = () => undefined
  ): Promise<JSONObject | null> {
    try {
      return await this._link.request(type, body);
    } catch (error) {
      refused();
      this._fail(error);
      return null;
    }
  }

  // Showing

  private _show(state: IState): void {
    const count = this._turns.update();
    const { undecided, foreign } = state;
    this._file.ask(
      undecided
        ? this._trans._n(
            '%1 turn came with the file; it is not sent.',
            '%1 turns came with the file; they are not sent.',
            foreign.length
          )
        : ''
    );
    const live = this._link.presence === 'live';
    this._bar.update(this._link.name, live, state.settings);
    this._composer.enabled = this._link.presence !== 'none';
    this._quick.update(state.settings, this._modelOf(state), live);
    this._attached.policy = state.settings.data;
    void this._showStart(count, live, state.settings);
    this._composer.running = this._model.running.length > 0;
    say(this._about, this._aboutText());
    void this._model.read(this._turns.drawn);
  }

  private _modelOf({ way, records }: IState): string {
    const newest = [...way].reverse().map(({ id }) => records.get(id)).find(Boolean);
    return newest ? newest.served_model || newest.model : '';
  }

  private async _showStart(count: number, live: boolean, settings: ISettings): Promise<void> {
    this._start.node.hidden = count > 0 || !live;
    if (!this._start.node.hidden) {
      const [names, answers] = await Promise.all([
        this._model.names().catch(() => []),
        this._quick.standard().catch(() => '')
      ]);
      this._start.update(
        settings.model || answers,
        settings.data,
        starters(names, this._link.lastError(), this._trans)
      );
    }
  }

  private _fail(error: unknown): void {
    const { message } = error as Error;
    const { kind, hint, details } =
      error instanceof RequestError ? error : { kind: '', hint: '', details: '' };
    this._error.update({ type: kind, message, hint, details });
  }

  private _say(message: string): void {
    this._error.update(message ? { type: '', message, hint: '', details: '' } : null);
  }

  private _aboutText(): string {
    const trans = this._trans;
    switch (this._link.presence) {
      case 'none':
        return (
          this._link.absence ??
          trans.__('No kernel: the turns that the file holds, to be read only.')
        );
      case 'unloaded':
        return trans.__('The kernel has not loaded deepseek_jupyter; the first question loads it.');
      case 'live':
        return '';
      case 'connecting':
        return trans.__('Connecting…');
    }
  }

  private readonly _actions = {
    edit: (record: ITurnRecord) => this._edit(record),
    regenerate: (record: ITurnRecord) => void this._request('regenerate', { turn: record.id }),
    stop: (record: ITurnRecord) => this._stop(record.id),
    again: (record: ITurnRecord, fresh: boolean) => void this._again(record, fresh),
    goOn: () => this._request('ask', { prompt: '', go_on: true }),
    settings: () => this.settings(),
    answerToolCall: (record: ITurnRecord, call: string, consent: Consent) =>
      this._link.send({ type: consent, id: record.id, call }),
    branch: (turn: string, at: number, choice: number) =>
      void this._request('branch', { turn, at, choice }),
    show: (last: string) => void this._checkout(last),
    carryOver: (turn: string) => void this._request('carry_over', { turn }),
    use: (id: string) => this._request('use', { id }),
    stopTurn: (id: string) => this._stop(id),
    step: (turn: string, step: number) => void this._request('switch', { turn, step }),
    link: () => this._link,
    get code() {
      return this.link().code;
    },
    get canAsk(): boolean {
      return this.link().presence === 'live';
    }
  };

  private _bar: PanelToolbar;
  private _turns: TurnList;
  private _file: FileTurns;
  private _model: PanelModel;
  private _composer: Composer;
  private _attached: QuestionAttachments;
  private _quick: QuickSettings;
  private _start: StartPage;
  private _about = make('p', 'panel-about');
  private _error: ErrorBox;
  private _notice: HTMLElement;
  private _job: JobBar;
  private _meter = make('div', 'panel-meter');
  private _status = make('div', 'status');
  private _editing: string | null = null;
  private _stopsAsked = false;
}

/** How many questions are offered. */
const OFFERED = 4;

/** A question, and what it is about. */
export interface IStarter {
  readonly prompt: string;
  readonly about: string;
}

/** Questions about the kernel's own frames and the notebook's last error. */
export function starters(
  names: readonly IName[],
  error: string | null,
  trans: TranslationBundle
): IStarter[] {
  const frames = names.filter(({ type }) => FRAMES.test(type));
  const about = ({ type, shape }: IName) => [type, shape].filter(Boolean).join(', ');
  const found = frames.flatMap((frame, index) => {
    const name = `@${frame.name}`;
    const prompts = [
      trans.__('Describe %1', name),
      trans.__('Which values are missing in %1, and does it matter?', name),
      trans.__('Plot what is most telling in %1', name)
    ];
    return prompts.map((prompt, rank) => ({ prompt, about: about(frame), rank: rank * 10 + index }));
  });
  const asked: IStarter[] = found.sort((a, b) => a.rank - b.rank);
  const last = error ? [{ prompt: trans.__('Explain the last error: %1', error), about: '' }] : [];
  return [...asked.slice(0, OFFERED - last.length), ...last];
}

/** What of a frame leaves at a level, in a sentence. */
export function leaves(level: string, trans: TranslationBundle): string {
  const rows = /^sample\((\d+)\)/.exec(level)?.[1];
  if (rows) {
    return trans.__('Of a frame, names, figures and %1 rows leave; addresses and keys stay here.', rows);
  }
  const known: Record<string, string> = {
    none: trans.__('Nothing of a frame leaves.'),
    schema: trans.__('Of a frame, the names and types of its columns leave.'),
    stats: trans.__('Of a frame, names and figures leave, and no rows.'),
    full: trans.__('All rows of a frame may leave; addresses and keys stay here.')
  };
  return known[level] ?? '';
}

/** Shows it. */
export class StartPage {
  readonly node = make('div', 'panel-start');

  constructor(private _write: (prompt: string) => void, private _trans: TranslationBundle) {
    const title = make('h2', 'panel-start-title', _trans.__('Ask about this notebook'));
    this.node.append(title, this._leaves, this._starters);
    this.node.hidden = true;
  }

  /** Show who answers, what may leave, and the questions. */
  update(answers: string, level: string, offered: readonly IStarter[]): void {
    say(this._leaves, [answers && `${answers}.`, leaves(level, this._trans)].filter(Boolean).join(' '));
    const key = JSON.stringify(offered);
    if (key !== this._shown) {
      this._shown = key;
      this._starters.replaceChildren(
        ...offered.map(({ prompt, about }) => {
          const item = textButton('panel-starter', prompt, () => this._write(prompt));
          about && item.append(make('span', 'panel-starter-about', about));
          return item;
        })
      );
    }
  }

  private _leaves = make('p', 'panel-start-leaves');
  private _starters = make('div', 'panel-starters');
  private _shown = '';
}
