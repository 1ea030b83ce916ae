/**
 * The card: one turn of a conversation in the output of a cell.
 *
 * It shows the record of the output, and what has arrived over the data comm since. Updates of either
 * kind change only what differs.
 */
import { Clipboard } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';
import type { Message } from '@lumino/messaging';
import { joined, maybeObject, number, object, text } from '../kernel/json';
import { asMarkdown, isRunning, readOutput, readRecord, SCHEMA } from '../kernel/record';
import { merge } from '../kernel/transcript';
import { LabRenderer } from '../markdown/labrenderer';
import { wordsIn } from '../words';
import {
  findHostCell,
  hideSaid,
  insertBelow,
  isEditable,
  isExecuting,
  kernelOf,
  regenerate,
  replaceCell,
  runBelow,
  settle,
  stop
} from './hostcell';
import { make, say } from './dom';
import { FileTurns } from './parts';
import { Proposal, readProposal, withoutCode } from './proposal';
import { SiblingSwitch } from './siblings';
import { TurnParts } from './turn';
import { announcement } from './wording';
import type { Consent, ITurnRecord } from '../kernel/record';
import type { TurnMessage } from '../kernel/requests';
import type { ITranscript } from '../kernel/transcript';
import type { ICommHub, ICommMessage } from '../tokens';
import type { IHostCell } from './hostcell';

/**
 * How long a turn counts as running without a sign of it, in milliseconds: by its record alone, and
 * once the comm has brought text of it.
 */
const SILENCE = { record: 2000, comm: 30_000 };

/** The cell that goes on from the last answer. */
const GO_ON = '%%ds --continue\n';

/** What the kernel raises for a turn that was stopped. */
const STOPPED = { type: 'Interrupted', hint: '' };

/** How often a kernel is asked for a turn of which it has sent nothing yet. */
const ATTEMPTS = 5;

/** How long a kernel may take to say what became of a turn, in milliseconds. */
const ANSWER = 5000;

/** Shows a turn. */
export class Card extends Widget implements IRenderMime.IRenderer {
  constructor(options: Card.IOptions) {
    super();
    this._options = options;
    this._trans = wordsIn(options.translator);
    const renderer = new LabRenderer(options.rendererOptions);
    this._switch = new SiblingSwitch(
      options.hub,
      {
        hostCell: () => this._hostCell(),
        changed: () => void this._update()
      },
      this._trans
    );
    this._parts = new TurnParts({
      renderer,
      trans: this._trans,
      header: {
        copy: () => Clipboard.copyToSystem(this._record.answer),
        regenerate: () => this._at(host => regenerate(host, options.translator)),
        stop: () => this._stop(),
        skip: () => this._skip(),
        code: form => {
          const turn = this._record.id.replace(/[^0-9a-z-]/g, ''); // it may come from a file
          this._at(host => runBelow(host, `%deepseek show ${turn} --as ${form}`, options.translator));
        }
      },
      branch: this._switch.node,
      code: this._codeActions,
      remedies: {
        again: () => this._at(host => regenerate(host, options.translator)),
        goOn: () => this._at(host => runBelow(host, GO_ON, options.translator)),
        fresh: () => this._at(host => this._fresh(host))
      },
      seam: {
        show: last => this._tell('checkout', { to: last }),
        carryOver: () => this._tell('carry_over', { turn: this._saved.id })
      },
      decide: (call, consent) => this._answerToolCall(call, consent),
      choose: (at, choice) => void this._switch.branch(at, choice),
      changed: () => void this._update()
    });
    this._file = new FileTurns(this._trans, take =>
      this._answerToolCall(this._asking, take ? 'approve' : 'deny')
    );
    this._proposal = new Proposal(
      { hub: options.hub, kernel: () => kernelOf(this._hostCell()), renderer },
      this._trans
    );
    const log = make('div', 'log');
    log.setAttribute('role', 'log');
    log.setAttribute('aria-live', 'off');
    log.append(this._file.node, ...this._parts.log, this._proposal.node);
    this._status.setAttribute('role', 'status');
    this.addClass('jp-DeepSeek-card');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', this._trans.__('Answer of a DeepSeek model'));
    this.node.append(
      this._parts.header.node,
      this._switch.bar,
      this._parts.attachments.node,
      log,
      this._parts.notes.node,
      this._parts.seam.node,
      this._status
    );
    this.node.addEventListener('keydown', event => this._onKey(event));
    options.hub?.transcriptChanged.connect(this._onTranscript, this);
    options.hub?.messageReceived.connect(this._onMessage, this);
  }

  /** Show the record of an output. */
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const record = readOutput(model.data, model.metadata);
    if (record.schema > SCHEMA) {
      this.addClass('jp-mod-plain');
      await this._parts.update(this.node, readRecord(null), false, null, joined(model.data['text/markdown']));
      return;
    }
    this._saved = record;
    this._switch.reset();
    this._lastSign = Date.now();
    if (!isRunning(record.status)) {
      this._options.hub?.forget(record.id);
    } else if (this.isAttached) {
      this._listen();
    }
    await this._update();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._options.hub?.transcriptChanged.disconnect(this._onTranscript, this);
    this._options.hub?.messageReceived.disconnect(this._onMessage, this);
    this._outputs?.changed.disconnect(this._hideSaid, this);
    clearInterval(this._ticker);
    this._parts.dispose();
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    const host = this._hostCell();
    this.toggleClass('jp-mod-inNotebook', host !== null);
    this._outputs = host?.cell.outputArea.model ?? null;
    this._outputs?.changed.connect(this._hideSaid, this);
    this._hideSaid();
    this._mark();
    if (isRunning(this._record.status)) {
      this._listen();
      void this._update();
    }
  }

  private async _update(): Promise<void> {
    const transcript = this._options.hub?.transcript(this._saved.id) ?? null;
    const own = merge(this._saved, transcript);
    const record = (this._record = this._switch.looked ?? own);
    const live = this._isLive(own, transcript) || record.id === this._switch.branching;
    this._switch.update(own, live);
    // Only what the kernel says now may be asked: a record may come from a stranger's file.
    const asking = live ? (transcript?.asking ?? null) : null;
    this._skips = live && record.replayed;
    this.node.tabIndex = this._skips ? 0 : -1; // a key can skip while it has the focus
    this._asking = asking?.call ?? '';
    this._file.ask(asking?.ofFile ? asking.text : '');
    this._mark();
    const proposal = record.changes === null ? null : readProposal(record.changes);
    this._proposal.node.hidden = proposal === null;
    this.toggleClass('jp-mod-proposes', proposal !== null);
    proposal && this._proposal.update(proposal);
    const answer = proposal ? withoutCode(record.answer, proposal) : asMarkdown(record);
    const drawn = this._parts.update(this.node, record, live, asking, answer);
    this._hideSaid();
    const words = announcement(record, live, this._trans);
    if (this._spoken !== words && (live || this._spoken !== null)) {
      say(this._status, words); // a finished turn that is merely opened says nothing
    }
    this._spoken = words;
    this._tick(isRunning(record.status) && (live || this.isAttached));
    this._options.changed?.(record, live);
    await drawn;
  }

  /** An error that is said here is not said again below. */
  private _hideSaid(): void {
    const host = this._hostCell();
    if (host && (this._saved.error || this._saved.status === 'interrupted')) {
      hideSaid(host, this._saved.error ?? STOPPED);
    }
  }

  private async _fresh(host: IHostCell): Promise<void> {
    const kernel = kernelOf(host);
    if (kernel) {
      await this._options.hub?.request(kernel, 'new');
      await regenerate(host, this._options.translator);
    }
  }

  /** Whether a turn whose status is a running one really runs. */
  private _isLive({ status }: ITurnRecord, transcript: ITranscript | null): boolean {
    if (!isRunning(status)) {
      return false;
    }
    const silence = Date.now() - this._lastSign;
    if (silence < (transcript ? SILENCE.comm : SILENCE.record)) {
      return true;
    }
    return this._isAsking() || isExecuting(this._hostCell());
  }

  /** Open the comms, and ask what became of a turn that sends nothing. */
  private _listen(): void {
    const { hub } = this._options;
    const host = this._hostCell();
    const kernel = kernelOf(host);
    const { id } = this._saved;
    const known = !!hub?.transcript(id);
    const silent = Date.now() - this._lastSign > SILENCE.record;
    if (!hub || !kernel || !id || this._isAsking() || (known ? !silent : this._attempts++ >= ATTEMPTS)) {
      return;
    }
    this._asked = Date.now();
    hub.connect(kernel);
    known || hub.tell(kernel, { type: 'resync', id });
    hub.request(kernel, 'ended', { id }).then(
      answer => {
        const bundle = maybeObject(answer['bundle']) as JSONObject | null;
        this._asked = 0;
        if (answer['runs'] === true) {
          this._lastSign = Date.now();
        } else if (bundle && host && this._saved.id === id && isRunning(this._saved.status)) {
          this._saved = readOutput(bundle);
          settle(host.panel, { id, cell: '', bundle, rank: number(answer['rank']) ?? 0 });
        }
        void this._update();
      },
      () => {
        this._asked = 0;
      }
    );
  }

  /** Whether the kernel has yet to say what became of the turn; it may be busy with it. */
  private _isAsking(): boolean {
    const waits = this._asked > 0;
    return waits && (Date.now() - this._asked < ANSWER || kernelOf(this._hostCell())?.status === 'busy');
  }

  private _onTranscript(_: ICommHub, transcript: ITranscript): void {
    const { id, status } = this._saved;
    if ((transcript.id === id && isRunning(status)) || transcript.id === this._switch.branching) {
      this._lastSign = Date.now();
      this._soon();
    }
  }

  private _onMessage(_: ICommHub, { message }: ICommMessage): void {
    if (['foreign', 'seams'].includes(text(object(message)['type']))) {
      this._mark();
    }
  }

  private _tell(type: string, body: JSONObject): void {
    const kernel = kernelOf(this._hostCell());
    kernel && this._options.hub?.request(kernel, type, body).catch(() => undefined);
  }

  /** Show what the kernel says of the turn: that it came with the file, or what it cut off. */
  private _mark(): void {
    const kernel = kernelOf(this._hostCell());
    const foreign = !!kernel && (this._options.hub?.isForeign(this._saved.id, kernel) ?? false);
    this._file.mark(this.node, foreign);
    const seam = kernel && this._options.hub?.seamAt(this._saved.id, kernel);
    this._parts.seam.update(seam ?? null, !isRunning(this._record.status));
  }

  /** Update once in the next frame, however many messages arrived. */
  private _soon(): void {
    if (!this._pending) {
      this._pending = true;
      const update = () => {
        this._pending = false;
        void this._update();
      };
      document.hidden ? setTimeout(update, 100) : requestAnimationFrame(update);
    }
  }

  /** While a turn runs, its seconds count and its silence is noticed. */
  private _tick(on: boolean): void {
    if (on === (this._ticker !== undefined)) {
      return;
    }
    clearInterval(this._ticker);
    this._ticker = on
      ? window.setInterval(() => {
          this._listen();
          void this._update();
        }, 1000)
      : undefined;
  }

  private _stop(): void {
    const running = () => isRunning(this._record.status);
    void stop(this._record.id, this._hostCell(), this._options.hub, running);
  }

  private _skip(): void {
    this._send({ type: 'skip', id: this._record.id });
  }

  private _send(message: TurnMessage): void {
    const kernel = kernelOf(this._hostCell());
    kernel && this._options.hub?.tell(kernel, message);
  }

  private _onKey(event: KeyboardEvent): void {
    const own = !(event.target as Element).closest('button, summary, a, input');
    if (this._skips && own && [' ', 'ArrowRight'].includes(event.key)) {
      event.preventDefault();
      event.stopPropagation();
      this._skip();
    }
  }

  private _answerToolCall(call: string, consent: Consent): void {
    this._send({ type: consent, id: this._record.id, call });
  }

  private _hostCell(): IHostCell | null {
    return findHostCell(this._options.tracker, this.node);
  }

  private _at(action: (host: IHostCell) => unknown): void {
    const host = this._hostCell();
    if (host) {
      void action(host);
    }
  }

  private readonly _codeActions = {
    insert: (code: string) => this._at(host => insertBelow(host, code)),
    replace: (code: string) =>
      this._at(host => isEditable(host) && replaceCell(host, code)),
    run: (code: string) => this._at(host => runBelow(host, code, this._options.translator))
  };

  private _options: Card.IOptions;
  private _trans: TranslationBundle;
  private _parts: TurnParts;
  private _switch: SiblingSwitch;
  private _proposal: Proposal;
  private _file: FileTurns;
  private _asking = '';
  private _skips = false;
  private _outputs: IHostCell['cell']['outputArea']['model'] | null = null;
  private _status = make('div', 'status');
  private _saved: ITurnRecord = readRecord(null);
  private _record: ITurnRecord = this._saved;
  private _spoken: string | null = null;
  private _lastSign = 0;
  private _attempts = 0;
  private _asked = 0;
  private _pending = false;
  private _ticker: number | undefined;
}

/** The namespace of the card's options. */
export namespace Card {
  /** What a card needs. */
  export interface IOptions {
    /** The renderers that Lab hands to an output. */
    rendererOptions: IRenderMime.IRendererOptions;
    translator: ITranslator;
    /** The comms, unless an administrator turned them off. */
    hub: ICommHub | null;
    /** The notebooks, where the host has some. */
    tracker: INotebookTracker | null;
    /** Called with what it shows, each time, and whether that runs. */
    changed?(record: ITurnRecord, live: boolean): void;
  }
}
