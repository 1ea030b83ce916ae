import { describe, expect, it, vi } from 'vitest';
import { nullTranslator } from '@jupyterlab/translation';
import { Attachments, Header } from '../../src/card/parts';
import { Tools } from '../../src/card/tools';
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
