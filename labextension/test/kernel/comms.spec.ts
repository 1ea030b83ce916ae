import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CommHub } from '../../src/kernel/comms';
import type { Kernel, KernelMessage } from '@jupyterlab/services';

/** A comm that remembers what was sent. */
class FakeComm {
  constructor(readonly targetName: string) {}
  readonly commId = `id-${Math.random()}`;
  readonly sent: unknown[] = [];
  isDisposed = false;
  opened = 0;
  subshellStarted?: Promise<void>;
  commsOverSubshells?: string;
  onMsg: (message: unknown) => void = () => undefined;
  onClose: (message: unknown) => void = () => undefined;
  open = () => ({ done: Promise.resolve(this.opened++) });
  send = (data: unknown) => this.sent.push(data);
  dispose(): void {
    this.isDisposed = true;
  }
}

/** A kernel that makes such comms. */
class FakeKernel {
  readonly comms: FakeComm[] = [];
  readonly statusChanged = new Signal<this, Kernel.Status>(this);
  readonly connectionStatusChanged = new Signal<this, Kernel.ConnectionStatus>(this);
  readonly iopubMessage = new Signal<this, KernelMessage.IIOPubMessage>(this);
  readonly disposed = new Signal<this, void>(this);
  handleComms = true;
  isDisposed = false;
  info = Promise.resolve();
  supportsSubshells = false;
  started?: Promise<void>; // by a Lab that knows subshells

  createComm(target: string): FakeComm {
    const comm = new FakeComm(target);
    comm.subshellStarted = this.started;
    this.comms.push(comm);
    return comm;
  }

  /** The newest comm of a target. */
  comm(target: string): FakeComm {
    return [...this.comms].reverse().find(comm => comm.targetName === target)!;
  }

  say(data: unknown): void {
    this.comm('deepseek.data').onMsg({ content: { data } });
  }
}

describe('CommHub', () => {
  let kernel: FakeKernel;
  let connection: Kernel.IKernelConnection;
  let hub: CommHub;

  beforeEach(() => {
    vi.useFakeTimers();
    kernel = new FakeKernel();
    connection = kernel as unknown as Kernel.IKernelConnection;
    hub = new CommHub();
    hub.connect(connection);
  });

  afterEach(() => vi.useRealTimers());

  it('opens two comms, once', () => {
    hub.connect(connection);
    expect(kernel.comms.map(comm => comm.targetName)).toEqual(['deepseek.data', 'deepseek.control']);
  });

  it('collects deltas and signals each', () => {
    const received: string[] = [];
    hub.transcriptChanged.connect((_, { answer }) => received.push(answer));
    kernel.say({ type: 'delta', id: 't', seq: 0, answer: 'a' });
    kernel.say({ type: 'delta', id: 't', seq: 1, answer: 'b' });
    expect(received).toEqual(['a', 'ab']);
    expect(hub.transcript('t')!.answer).toBe('ab');
  });

  it('asks for a snapshot after a gap, and again until it comes', () => {
    kernel.say({ type: 'delta', id: 't', seq: 3, answer: 'd' });
    kernel.say({ type: 'delta', id: 't', seq: 4, answer: 'e' });
    const control = kernel.comm('deepseek.control');
    expect(control.sent).toEqual([{ type: 'resync', id: 't' }]);
    vi.advanceTimersByTime(1100);
    expect(control.sent).toHaveLength(2);
    kernel.say({ type: 'snapshot', id: 't', seq: 4, record: { status: 'answering', answer: 'abcd' } });
    expect(hub.transcript('t')!.answer).toBe('abcde');
    vi.advanceTimersByTime(5000);
    expect(control.sent).toHaveLength(2);
  });

  it('knows which turn runs in which kernel', () => {
    const other = new FakeKernel();
    const second = other as unknown as Kernel.IKernelConnection;
    hub.connect(second);
    const snapshot = (id: string, status: string) => ({ type: 'snapshot', id, seq: 0, record: { status } });
    kernel.say(snapshot('one', 'answering'));
    other.say(snapshot('two', 'thinking'));
    expect([hub.runningTurn(connection), hub.runningTurn(second)]).toEqual(['one', 'two']);
    other.say(snapshot('two', 'done'));
    expect([hub.runningTurn(connection), hub.runningTurn(second)]).toEqual(['one', '']);
  });

  it('leaves a kernel that refused alone for a moment', () => {
    kernel.comm('deepseek.data').onClose({});
    expect(hub.tell(connection, { type: 'stop', id: 't' })).toBe(false);
    hub.connect(connection);
    expect(kernel.comms).toHaveLength(2);
    vi.advanceTimersByTime(1100);
    hub.connect(connection);
    expect(kernel.comms).toHaveLength(4);
  });

  it('keeps the other comm until it is closed too', () => {
    // A kernel without the extension closes one after the other; Lab looks each of them up.
    const control = kernel.comm('deepseek.control');
    kernel.comm('deepseek.data').onClose({});
    expect(control.isDisposed).toBe(false);
    expect(hub.isConnected(connection)).toBe(false);
    control.onClose({});
    expect(control.isDisposed).toBe(true);
  });

  it('says when it leaves, to one kernel or to all', () => {
    const other = new FakeKernel();
    hub.connect(other as unknown as Kernel.IKernelConnection);
    const left = (of: FakeKernel) => of.comm('deepseek.control').sent;
    hub.leave(connection);
    expect(left(kernel)).toEqual([{ type: 'leave', page: kernel.comm('deepseek.data').commId }]);
    expect(left(other)).toEqual([]);
    hub.leave();
    expect(left(kernel)).toHaveLength(2);
    expect(left(other)).toHaveLength(1);
  });

  it('opens them again after a restart', () => {
    kernel.statusChanged.emit('restarting');
    expect(hub.tell(connection, { type: 'stop', id: 't' })).toBe(false);
    kernel.statusChanged.emit('idle');
    expect(kernel.comms).toHaveLength(4);
    expect(hub.tell(connection, { type: 'stop', id: 't' })).toBe(true);
    expect(kernel.comm('deepseek.control').sent).toEqual([{ type: 'stop', id: 't' }]);
  });

  it('tries once more when the cell has ended that may have loaded the extension', () => {
    const ended = (msg_type: string) =>
      kernel.iopubMessage.emit({
        header: { msg_type: 'status' },
        parent_header: { msg_type },
        content: { execution_state: 'idle' }
      } as never);
    const refuse = () => kernel.comms.slice(-2).forEach(comm => comm.onClose({}));
    refuse();
    ended('comm_open');
    expect(kernel.comms).toHaveLength(2);
    ended('execute_request');
    expect(kernel.comms).toHaveLength(4);
    refuse();
    ended('execute_request');
    expect(kernel.comms).toHaveLength(4); // there is no extension in it
  });

  it('asks for what it may have missed when the connection is there again', () => {
    let changes = 0;
    hub.connectionChanged.connect(() => changes++);
    kernel.say({ type: 'steps', id: 't', steps: [], asking: null });
    kernel.connectionStatusChanged.emit('connecting');
    kernel.connectionStatusChanged.emit('connected');
    kernel.connectionStatusChanged.emit('connected');
    expect(kernel.comm('deepseek.control').sent).toEqual([{ type: 'resync', id: 't' }]);
    expect(changes).toBe(1);
  });

  it('ignores what is no message', () => {
    kernel.say('nonsense');
    kernel.say({ type: 'eval', id: 't' });
    expect(hub.transcript('t')).toBeNull();
  });

  it('gives the answer to the one who asked', async () => {
    const first = hub.request(connection, 'add', { of: [1, 2] });
    const second = hub.request(connection, 'refuse');
    const [one, two] = kernel.comm('deepseek.control').sent as Record<string, unknown>[];
    expect(one).toMatchObject({ type: 'add', of: [1, 2] });
    const error = { type: 'ParameterError', message: 'No.', hint: 'Ask again.' };
    kernel.say({ type: 'answer', to: two['request'], ok: false, error });
    kernel.say({ type: 'answer', to: one['request'], ok: true, result: { sum: 3 } });
    expect(await first).toEqual({ sum: 3 });
    await expect(second).rejects.toMatchObject({ kind: 'ParameterError', hint: 'Ask again.' });
  });

  it('rejects what waits for a kernel that is gone', async () => {
    const asked = hub.request(connection, 'add');
    kernel.statusChanged.emit('restarting');
    await expect(asked).rejects.toThrow('gone');
    expect(hub.isConnected(connection)).toBe(false);
  });

  it('hands on what else a kernel says', () => {
    const received: unknown[] = [];
    hub.messageReceived.connect((_, { message }) => received.push(message));
    kernel.say({ type: 'tip', conversation: 'c' });
    expect(received).toEqual([{ type: 'tip', conversation: 'c' }]);
  });

  describe('with subshells', () => {
    let start: () => void;
    let busy: FakeKernel;
    const opened = () => busy.comms.map(comm => comm.opened);

    beforeEach(() => {
      busy = new FakeKernel();
      busy.supportsSubshells = true;
      busy.started = new Promise(resolve => (start = resolve));
      hub.connect(busy as unknown as Kernel.IKernelConnection);
    });

    it('waits for them however long they take: without one it would be deaf behind a cell', async () => {
      hub.tell(busy as unknown as Kernel.IKernelConnection, { type: 'resync', id: 't' });
      await vi.advanceTimersByTimeAsync(5000);
      expect(opened()).toEqual([0, 0]);
      start();
      await vi.advanceTimersByTimeAsync(0);
      expect(opened()).toEqual([1, 1]);
      expect(busy.comm('deepseek.control').sent).toEqual([{ type: 'resync', id: 't' }]);
    });

    it('sends nothing on a comm that the kernel has yet to open', async () => {
      let open: (count: number) => void = () => undefined;
      busy.comm('deepseek.control').open = () => ({ done: new Promise(resolve => (open = resolve)) });
      hub.tell(busy as unknown as Kernel.IKernelConnection, { type: 'resync', id: 't' });
      start();
      await vi.advanceTimersByTimeAsync(100);
      expect(busy.comm('deepseek.control').sent).toEqual([]);
      open(1);
      await vi.advanceTimersByTimeAsync(0);
      expect(busy.comm('deepseek.control').sent).toHaveLength(1);
    });

    it('opens them at once where the user has turned subshells off', () => {
      const off = new FakeKernel();
      off.started = new Promise(() => undefined);
      const make = off.createComm.bind(off);
      off.createComm = target => Object.assign(make(target), { commsOverSubshells: 'disabled' });
      hub.connect(off as unknown as Kernel.IKernelConnection);
      expect(off.comms.map(comm => comm.opened)).toEqual([1, 1]);
    });
  });
});
