import { MimeData } from '@lumino/coreutils';
import { Panel, Widget } from '@lumino/widgets';
import { nullTranslator } from '@jupyterlab/translation';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { droppedCells, acceptCells, QuestionAttachments } from '../../src/panel/attachments';
import type { IDropped } from '../../src/panel/attachments';

const CODE = {
  cell_type: 'code', id: 'a', source: 'x = 1', execution_count: 3, metadata: {},
  outputs: [{ output_type: 'display_data', data: { 'image/png': 'AAAA' }, metadata: {} }]
};
const TEXT = { cell_type: 'markdown', id: 'b', source: '# Aims', metadata: {} };

/** The data of a drag of two cells, the first and the third of their notebook. */
function dragged(): MimeData {
  const notebook = new Panel();
  const cells = [new Widget(), new Widget(), new Widget()];
  cells.forEach(cell => notebook.addWidget(cell));
  const data = new MimeData();
  data.setData('application/vnd.jupyter.cells', [CODE, TEXT]);
  data.setData('internal:cells', [cells[0], cells[2]]);
  return data;
}

/** Send one of Lumino's events to a node. */
function send(node: HTMLElement, type: string, mimeData: MimeData, more = {}) {
  const event = new Event(type, { bubbles: true, cancelable: true });
  node.dispatchEvent(Object.assign(event, { mimeData, dropAction: 'none', ...more }));
  return event as unknown as { defaultPrevented: boolean; dropAction: string };
}

describe('droppedCells', () => {
  it('names a cell as it was run, or by its place', () => {
    expect(droppedCells(dragged()).map(({ label }) => label)).toEqual(['In[3]', 'cell 3']);
  });

  it('leaves pictures and metadata behind', () => {
    const [code, text] = droppedCells(dragged());
    expect(JSON.stringify(code.cell)).not.toContain('AAAA');
    expect(text.cell).toEqual({ cell_type: 'markdown', source: '# Aims', place: 3 });
  });

  it('finds none in another drag', () => {
    const data = new MimeData();
    data.setData('application/vnd.jupyter.cells', 'nonsense');
    expect(droppedCells(data)).toEqual([]);
  });
});

describe('acceptCells', () => {
  let node: HTMLElement;
  let taken: (readonly IDropped[])[];
  let accepts: boolean;

  beforeEach(() => {
    node = document.createElement('div');
    taken = [];
    accepts = true;
    acceptCells(node, () => accepts, cells => taken.push(cells));
  });

  it('takes them as a copy, and shows that it would', () => {
    expect(send(node, 'lm-dragenter', dragged()).defaultPrevented).toBe(true);
    expect(node.className).toBe('jp-mod-dropTarget');
    expect(send(node, 'lm-dragover', dragged()).dropAction).toBe('copy');
    expect(send(node, 'lm-drop', dragged()).dropAction).toBe('copy');
    expect(node.className).toBe('');
    expect(taken.map(cells => cells.length)).toEqual([2]);
  });

  it('shows no more that it would once the drag has left', () => {
    const child = node.appendChild(document.createElement('p'));
    send(node, 'lm-dragenter', dragged());
    send(node, 'lm-dragleave', dragged(), { relatedTarget: child });
    expect(node.className).toBe('jp-mod-dropTarget');
    send(node, 'lm-dragleave', dragged(), { relatedTarget: document.body });
    expect(node.className).toBe('');
  });

  it('leaves other drags alone, and all where nothing can be asked', () => {
    expect(send(node, 'lm-dragenter', new MimeData()).defaultPrevented).toBe(false);
    accepts = false;
    expect(send(node, 'lm-dragenter', dragged()).defaultPrevented).toBe(false);
    send(node, 'lm-drop', dragged());
    expect(taken).toEqual([]);
  });
});

describe('QuestionAttachments', () => {
  const TRANS = nullTranslator.load('deepseek_jupyter');

  it('says how full the context would be, once nothing is written for a while', async () => {
    vi.useFakeTimers();
    const answers = ['10 of 4,096 tokens', '20 of 4,096 tokens'];
    let asked = 0;
    const attached = new QuestionAttachments(() => undefined, async () => answers[asked++], TRANS);
    const gauge = attached.node.querySelector<HTMLElement>('.jp-DeepSeek-panel-gauge')!;
    const write = async (prompt: string, wait: number) => {
      attached.update(prompt, []);
      await vi.advanceTimersByTimeAsync(wait);
    };
    await write('W', 300);
    await write('Wh', 300);
    expect(asked).toBe(0);
    await write('Why?', 1000);
    expect([asked, gauge.textContent, gauge.hidden]).toEqual([1, answers[0], false]);
    await write('', 1000);
    expect([asked, gauge.hidden]).toEqual([1, true]);
    vi.useRealTimers();
  });
});
