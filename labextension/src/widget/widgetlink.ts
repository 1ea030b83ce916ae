/** The link of a panel to the widget's model, behind which is the kernel that made it. */
import type { JSONObject } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { readAnswer } from '../kernel/requests';
import { Transcripts } from '../kernel/transcript';
import { Link } from '../panel/model';
import type { ITranscript } from '../kernel/transcript';
import type { Presence } from '../panel/model';

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
