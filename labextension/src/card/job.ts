/** The progress of a kernel's running job over rows: a bar, its words, Stop. */
import { stopIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { number, object, text } from '../kernel/json';
import { button, make, say } from './dom';

/** How far a job has come. */
export interface IJob {
  readonly id: string;
  readonly done: number;
  readonly rows: number;
  /** Rows, speed, time left and money, as the kernel words them. */
  readonly said: string;
  readonly isOver: boolean;
}

/** Read a kernel's message; null for one about anything else. */
export function readJob(json: unknown): IJob | null {
  const raw = object(json);
  const id = text(raw['id']);
  if (raw['type'] !== 'job' || !id) {
    return null;
  }
  return {
    id,
    done: number(raw['done']) ?? 0,
    rows: number(raw['rows']) ?? 0,
    said: text(raw['said']),
    isOver: raw['over'] === true
  };
}

/** Shows a job while it runs. */
export class JobBar {
  readonly node = make('div', 'job');

  constructor(stop: (id: string) => void, trans: TranslationBundle) {
    const label = trans.__('Stop the job; what was answered is kept');
    this._bar.setAttribute('aria-label', trans.__('Rows answered'));
    this.node.append(this._bar, this._said, button(stopIcon, label, () => stop(this._id)));
    this.node.hidden = true;
  }

  /** Show a job; null, or one that is over, for none. */
  show(job: IJob | null): void {
    const { node, _bar: bar } = this;
    node.hidden = !job || job.isOver;
    if (job) {
      this._id = job.id;
      bar.max = Math.max(1, job.rows);
      bar.value = job.done;
      say(this._said, job.said);
      node.title = job.said;
    }
  }

  private _bar = make('progress', 'job-bar');
  private _said = make('span', 'job-said');
  private _id = '';
}
