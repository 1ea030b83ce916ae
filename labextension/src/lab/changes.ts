/**
 * A proposal as an output of its own: what `%deepseek fix accept` and its kin show, and what notebooks
 * of earlier versions have below an answer. The twin is `deepseek_jupyter/fixing/fix.py`.
 */
import { Widget } from '@lumino/widgets';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ITranslator } from '@jupyterlab/translation';
import { Proposal, readProposal } from '../card/proposal';
import { findHostCell, kernelOf } from '../card/hostcell';
import { LabRenderer } from '../markdown/labrenderer';
import { wordsIn } from '../words';
import type { ICommHub } from '../tokens';

/** The type of a proposal. */
export const CHANGES_MIME = 'application/vnd.deepseek.changes+json';

/** Shows a proposal. */
export class Changes extends Widget implements IRenderMime.IRenderer {
  constructor({ translator, hub, tracker, rendererOptions }: Changes.IOptions) {
    super();
    this._proposal = new Proposal(
      {
        hub,
        kernel: () => kernelOf(findHostCell(tracker, this.node)),
        renderer: rendererOptions ? new LabRenderer(rendererOptions) : null
      },
      wordsIn(translator)
    );
    this.node.append(this._proposal.node);
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._proposal.update(readProposal(model.data[CHANGES_MIME]));
  }

  private _proposal: Proposal;
}

/** The namespace of the widget's options. */
export namespace Changes {
  /** What it needs. */
  export interface IOptions {
    translator: ITranslator;
    /** The comms, unless an administrator turned them off. */
    hub: ICommHub | null;
    /** The notebooks, where the host has some. */
    tracker: INotebookTracker | null;
    /** The renderers that Lab hands to an output; without them code has no colours. */
    rendererOptions?: IRenderMime.IRendererOptions;
  }
}
