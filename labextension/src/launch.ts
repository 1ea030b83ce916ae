/** A new notebook that is ready to ask. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { LOAD } from './prompts';

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
