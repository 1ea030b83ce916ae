/**
 * Writes into a notebook which one it is, so that it is known again under another name.
 *
 * The kernel decides (`deepseek_jupyter/conversation/restore.py`): a copy gets an id of its own.
 * A notebook in which nothing was asked is left as it is.
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { isStanding, readStanding } from './standing';
import type { ICommHub } from './tokens';

/** The key of the notebook's metadata; Python: `conversation/restore.py`. */
export const METADATA = 'deepseek';

/** Write what kernels tell. */
export function keepIdentity(hub: ICommHub, tracker: INotebookTracker): void {
  hub.told.connect((_, { kernel, message }) => {
    const standing = isStanding(message) ? readStanding(message) : null;
    if (standing?.asked && standing.notebook) {
      tracker
        .filter(panel => panel.sessionContext.session?.kernel?.id === kernel.id)
        .forEach(panel => write(panel, standing.notebook!));
    }
  });
}

function write({ content }: NotebookPanel, notebook: string): void {
  const shared = content.model?.sharedModel;
  const before = shared?.getMetadata(METADATA);
  const known = before && typeof before === 'object' && !Array.isArray(before) ? before : {};
  if (shared && known['notebook'] !== notebook) {
    shared.setMetadata(METADATA, { ...known, notebook });
  }
}
