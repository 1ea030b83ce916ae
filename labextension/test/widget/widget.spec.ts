import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { split } from '../../src/markdown/blocks';
import { WidgetLink, WidgetRenderer } from '../../src/widget/index';
import { catalogueFor, Signal, wordsOf } from '../../src/widget/substitutes';
import type { JSONObject } from '@lumino/coreutils';

const words = wordsOf({});

/** A model that remembers what was sent. */
class FakeModel {
  readonly sent: JSONObject[] = [];
  closed = false;
  private _listeners = new Map<string, ((json: unknown) => void)[]>();

  get = () => undefined;
  on = (event: string, listener: (json: unknown) => void) => {
    this._listeners.set(event, [...(this._listeners.get(event) ?? []), listener]);
  };
  off = (event: string, listener: (json: unknown) => void) => {
    this._listeners.set(event, (this._listeners.get(event) ?? []).filter(item => item !== listener));
  };
  send = (content: JSONObject) => {
    if (this.closed) {
      throw new Error('Cannot send');
    }
    this.sent.push(content);
  };
  say = (json: unknown) => this._listeners.get('msg:custom')!.forEach(listener => listener(json));
  answer = (result: JSONObject, to = this.sent[this.sent.length - 1].request) =>
    this.say({ type: 'answer', to, ok: true, result });
}

describe('the link of a widget', () => {
  let model: FakeModel;
  let link: WidgetLink;
  let changes: number;

  beforeEach(() => {
    vi.useFakeTimers();
    model = new FakeModel();
    link = new WidgetLink(model, words);
    changes = 0;
    link.changed.connect(() => void changes++);
  });

  afterEach(() => vi.useRealTimers());

  it('gives each request its answer, and leaves those of other views alone', async () => {
    const other = new WidgetLink(model, words);
    const theirs = other.request('usage');
    const first = link.request('conversation');
    const second = link.request('turns', { ids: ['a'] });
    expect(model.sent.map(({ type }) => type)).toEqual(['usage', 'conversation', 'turns']);
    expect(new Set(model.sent.map(({ request }) => request)).size).toBe(3);
    model.answer({ n: 2 }, model.sent[2].request);
    model.answer({ n: 1 }, model.sent[1].request);
    model.answer({ n: 0 }, model.sent[0].request);
    expect(await Promise.all([theirs, first, second])).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
  });

  it('hears deltas as a transcript, and asks for what it missed', () => {
    model.say({ type: 'delta', id: 't', seq: 3, answer: 'later' });
    expect(model.sent).toEqual([{ type: 'resync', id: 't' }]);
    const record = { id: 't', answer: 'All of ' };
    model.say({ type: 'snapshot', id: 't', seq: 3, record });
    expect(link.transcript('t')?.answer).toBe('All of later');
  });

  it('says that a kernel is silent, gives up what it reads, and is there again with a word', async () => {
    const read = link.request('conversation').catch(error => error.message);
    const asked = link.request('ask', { prompt: 'Hello' });
    vi.advanceTimersByTime(5000);
    expect(link.presence).toBe('none');
    expect(changes).toBe(1);
    expect(await read).toBe(link.absence);
    model.answer({ turn: 't' }); // the question was put, however late
    expect(await asked).toEqual({ turn: 't' });
    expect(link.presence).toBe('live');
  });

  it('notices a model whose comm is closed', async () => {
    model.closed = true;
    await expect(link.request('conversation')).rejects.toThrow('does not answer');
    expect(link.presence).toBe('none');
  });

  it('sends and hears nothing once its view is gone', () => {
    link.dispose();
    link.send({ type: 'stop', id: 't' });
    model.say({ type: 'delta', id: 't', seq: 0, answer: 'x' });
    expect(model.sent).toEqual([]);
    expect(link.transcript('t')).toBeNull();
  });
});

describe('the renderer of a widget', () => {
  const drawn = async (source: string) => {
    const { closed, open } = split(source);
    const hosts = [];
    for (const block of [...closed, open]) {
      hosts.push((await new WidgetRenderer().render(block, true)).innerHTML);
    }
    return hosts.join('');
  };

  it('draws what models write', async () => {
    const html = await drawn('A **b** `c`\n\n- [x] d\n\n```python\nx = 1\n```\n\n| e |\n|---|\n| f |\n');
    for (const part of ['<strong>b</strong>', 'type="checkbox"', 'class="language-python"', '<td>f</td>']) {
      expect(html).toContain(part);
    }
  });

  it('shows formulas as they are written, and opens links in pages that learn nothing', async () => {
    const html = await drawn('As $a_1*b_2*c$ says: [more](https://example.org)\n');
    expect(html).toContain('>$a_1*b_2*c$</span>');
    expect(html).toContain('rel="noopener noreferrer nofollow"');
    expect(html).toContain('target="_blank"');
  });

  it('fills words as catalogues do', () => {
    expect(words.__('%1 of %2', 1, 2)).toBe('1 of 2');
    expect([1, 2].map(n => words._n('%1 turn', '%1 turns', n))).toEqual(['1 turn', '2 turns']);
    const zh = { '%1 turn': ['%1 轮'] };
    expect(wordsOf(zh)._n('%1 turn', '%1 turns', 1)).toBe('1 轮');
    for (const [languages, found] of [
      [['zh-CN', 'en'], zh],
      [['en-GB', 'zh'], {}],
      [['fr', 'zh'], zh],
      [['fr'], {}]
    ] as const) {
      expect(catalogueFor(languages, { zh })).toEqual(found);
    }
  });
});

describe('the signal that a widget has in place of Lumino', () => {
  it('calls who listens, with the object that it listens as, until it lets go', () => {
    const sender = {};
    const signal = new Signal<object, number>(sender);
    const other = new Signal<object, number>(sender);
    const heard: unknown[] = [];
    class Listener {
      constructor(readonly name: string) {}
      hear(from: object, value: number): void {
        heard.push([this.name, from === sender, value]);
      }
    }
    const [one, two] = [new Listener('one'), new Listener('two')];
    signal.connect(one.hear, one);
    signal.connect(two.hear, two);
    signal.emit(1);
    expect(signal.disconnect(one.hear, one)).toBe(true);
    expect(signal.disconnect(one.hear, one)).toBe(false);
    signal.emit(2);
    other.connect(one.hear, one);
    Signal.clearData(sender);
    signal.emit(3);
    other.emit(3);
    expect(heard).toEqual([['one', true, 1], ['two', true, 1], ['two', true, 2]]);
  });
});
