/** What the panel shows before the first question: what leaves, and questions to start with. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { make, say } from '../card/dom';
import { FRAMES } from './attachments';
import type { IName } from './input';

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
          const item = make('button', 'panel-starter', prompt);
          item.type = 'button';
          item.addEventListener('click', () => this._write(prompt));
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
