import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it, vi } from 'vitest';
import { Attachments, Header, JobBar, readJob, shareOf } from '../../src/card/parts';
import { Tools } from '../../src/card/steps';
import { readRecord } from '../../src/kernel/record';

const trans = nullTranslator.load('deepseek_jupyter');
const record = (decision: string, text: string | null) =>
  readRecord({
    steps: [
      {
        tool_calls: [{ id: 'c', name: 'run_python', arguments: '{"code": "<img src=x>"}' }],
        results: [{ id: 'c', text, decision }]
      }
    ]
  });

describe('a call that waits for the user', () => {
  it('shows all that would run as text, and has buttons that say one word once', () => {
    const decide = vi.fn();
    const tools = new Tools(trans, decide);
    tools.update(record('asking', null), { call: 'c', text: '<img src=x onerror=alert(1)>' });
    expect(tools.node.querySelector('img')).toBeNull();
    expect(tools.node.querySelector('pre')!.textContent).toBe('<img src=x onerror=alert(1)>');
    expect(tools.node.querySelector('details')!.open).toBe(true);
    const [approve, deny] = tools.node.querySelectorAll('button');
    deny.click();
    approve.click();
    expect(decide.mock.calls).toEqual([['c', 'deny']]);
  });

  it('loses its buttons when it is decided', () => {
    const tools = new Tools(trans, vi.fn());
    tools.update(record('asking', null), { call: 'c', text: '1' });
    tools.update(record('denied', 'denied'), null);
    expect(tools.node.querySelector('button')).toBeNull();
    expect(tools.node.textContent).toContain('denied');
  });

  it('has none in a record from a file', () => {
    const tools = new Tools(trans, vi.fn());
    tools.update(record('asking', null));
    expect(tools.node.querySelector('button')).toBeNull();
  });
});

describe('the header of a kept answer that is played', () => {
  const buttons = (header: Header, status: string, live: boolean) => {
    header.update(readRecord({ status, replayed: true, model: 'm' }), live);
    const rest = header.node.querySelector<HTMLElement>('.jp-DeepSeek-skip')!;
    return [rest.hidden, header.node.querySelector('.jp-DeepSeek-phase')!.textContent];
  };
  const actions = { copy: vi.fn(), regenerate: vi.fn(), stop: vi.fn() };

  it('says so, and has a button for the rest until it is there', () => {
    const skip = vi.fn();
    const header = new Header({ ...actions, skip }, document.createElement('span'), trans);
    expect(buttons(header, 'answering', true)).toEqual([false, 'Replaying…']);
    header.node.querySelector<HTMLElement>('.jp-DeepSeek-skip')!.click();
    expect(skip).toHaveBeenCalledOnce();
    expect(buttons(header, 'done', true)).toEqual([true, '']);
  });

  it('has none where nothing can be skipped', () => {
    const header = new Header(actions, document.createElement('span'), trans);
    expect(buttons(header, 'answering', true)).toEqual([true, 'Replaying…']);
  });
});

describe('attachments', () => {
  const names = (attachments: Attachments) =>
    [...attachments.node.children].map(chip => chip.firstChild!.textContent);
  const of = (...given: string[]) => readRecord({ attachments: given.map(name => ({ name })) });

  it('are those of the answer that is looked at, though it has as many', () => {
    const attachments = new Attachments(trans);
    expect(attachments.node.hidden).toBe(true);
    attachments.update(of('sales'));
    attachments.update(of('prices'));
    expect(names(attachments)).toEqual(['prices']);
    attachments.update(of());
    expect(attachments.node.hidden).toBe(true);
  });
});

describe('what of a frame leaves, in a few words', () => {
  it.each([
    ['sample(5)', '5 rows'],
    ['sample(1),name=none', '1 row'],
    ['sample', '5 rows'],
    ['sample(5),*<=stats,*name*<=none', 'statistics'],
    ['full,budget=400', 'all rows'],
    ['schema', 'names and types'],
    ['none', 'nothing'],
    ['', ''],
    ['something else', '']
  ])('%s is %s', (policy, words) => expect(shareOf(policy, trans)).toBe(words));

  it.each([
    ['sample(5)', [5, 1891], '5 of 1,891 rows'],
    ['sample(5)', [1, 1], '1 row'],
    ['full', [2, 2], '2 rows'],
    ['stats,price=full', [2, 9], 'statistics']
  ])('%s with %j rows is %s', (policy, rows, words) =>
    expect(shareOf(policy, trans, rows)).toBe(words)
  );

  it('stands in the chip, and how much of a text was sent', () => {
    const chips = new Attachments(trans);
    chips.update(
      readRecord({
        attachments: [
          { name: 'df', kind: 'frame', policy: 'sample(5),*<=stats', tokens: 9 },
          { name: 'talk', kind: 'text', policy: 'sample(5)', tokens: 9 },
          { name: 'log', kind: 'file', policy: 'full', tokens: 9, cut: '66 of 1,200 lines' }
        ]
      })
    );
    const notes = [...chips.node.children].map(chip => chip.textContent);
    expect(notes).toEqual(['dfstatistics', 'talk', 'log66 of 1,200 lines']);
  });
});

const TOLD = { type: 'job', id: 'j1', done: 30, rows: 120, said: '30 of 120 rows' };

describe('a job', () => {
  it('is read from its message only', () => {
    expect(readJob(TOLD)).toEqual({ id: 'j1', done: 30, rows: 120, said: '30 of 120 rows', isOver: false });
    for (const other of [null, 3, {}, { ...TOLD, type: 'turn' }, { ...TOLD, id: 7 }]) {
      expect(readJob(other)).toBeNull();
    }
  });

  it('is shown with its progress, stopped by its id, and gone at its end', () => {
    const stopped: string[] = [];
    const bar = new JobBar(id => stopped.push(id), trans);
    expect(bar.node.hidden).toBe(true);
    bar.show(readJob(TOLD));
    const progress = bar.node.querySelector('progress')!;
    expect([bar.node.hidden, progress.value, progress.max]).toEqual([false, 30, 120]);
    expect(bar.node.textContent).toContain('30 of 120 rows');
    bar.node.querySelector('button')!.click();
    expect(stopped).toEqual(['j1']);
    bar.show(readJob({ ...TOLD, over: true }));
    expect(bar.node.hidden).toBe(true);
  });
});
