import { describe, expect, it } from 'vitest';
import { asMarkdown, asOutput, MIME_TYPE, readOutput, readRecord } from '../../src/kernel/record';

it('what was said with calls is shown once, above them', () => {
  const tool_calls = [{ id: 'a', name: 'sql', arguments: '{}' }];
  const record = { answer: 'Let me look.', steps: [{ answer: 'Let me look.', tool_calls }] };
  expect(asMarkdown(readRecord({ ...record, status: 'answering' }))).toBe('');
  expect(asMarkdown(readRecord({ ...record, status: 'done' }))).toBe('Let me look.');
});

it('an answer is put together of what the Markdown has to the letter', () => {
  const more = JSON.stringify({ model: 'm', answer: [1, 'b < c', 0, 'lost', 9] });
  const data = {
    [MIME_TYPE]: { schema: 3, more, run: '{}' },
    'text/markdown': ['Second \u{1f600}.\n', '\n', 'First.\n', '\n', 'b &lt; c']
  };
  expect(readOutput(data).answer).toBe('First.\n\nb < c\n\nSecond \u{1f600}.\n\nlost\n\n');
});

it('an answer is put together of texts and of the lines of the Markdown as they were written', () => {
  const markdown = [
    '> The question',
    '',
    '1. See `a` and <code>b &#124; c</code> for <span>&#36;</span>5:',
    '',
    '   <pre><code class="language-ts">if (a &lt; b &amp;&amp; c&#91;0]) {&#10;&#10;}</code></pre>',
    '',
    'End.'
  ].join('\n');
  const lines = [[2, 6], '   ', '', [8, 99], [-3, 0], ['x'], 'And &lt; so.', null];
  const data = {
    [MIME_TYPE]: { schema: 3, more: JSON.stringify({ model: 'm', lines }), run: '{}' },
    'text/markdown': markdown
  };
  expect(readOutput(data).answer.split('\n')).toEqual([
    '1. See `a` and `b | c` for $5:',
    '',
    '   ```ts',
    '   if (a < b && c[0]) {',
    '   ',
    '',
    '   ```',
    '',
    'End.',
    '',
    '',
    'And &lt; so.',
    ''
  ]);
});

describe('readRecord', () => {
  it.each([null, 3, 'text', [], { answer: 5, reasoning: {}, notices: 'no', tool_calls: [1, null] }])(
    'makes something of %j',
    json => {
      const record = readRecord(json);
      expect(record.answer).toBe('');
      expect(record.status).toBe('done');
    }
  );

  it('keeps the result of a tool apart from none', () => {
    const { tool_calls } = readRecord({
      tool_calls: [
        { name: 'a', arguments: { x: 1 } },
        { name: 'b', arguments: '{}', result: '' }
      ]
    });
    expect(tool_calls.map(call => call.result)).toEqual([null, '']);
    expect(tool_calls[0].arguments).toContain('"x": 1');
  });
});

describe('readOutput', () => {
  const run = '{"id":"t","timing":{"total":2},"footer":"m, 2 s"}';
  const output = (content: object, plain: unknown = 'Fine.') =>
    readOutput({ [MIME_TYPE]: { schema: 3, ...content }, 'text/plain': plain }, { deepseek: run });

  it('takes the answer from the record, or else from the plain text', () => {
    const more = '{"model":"m","notices":["N"]}';
    const record = output({ prompt: 'p', answer: 'A', more });
    expect([record.id, record.prompt, record.answer, record.footer]).toEqual(['t', 'p', 'A', 'm, 2 s']);
    expect([record.served_model, record.notices, record.timing.total]).toEqual(['m', ['N'], 2]);
    expect(output({ more }).answer).toBe('Fine.');
    expect(output({ more }, ['a\n', 'b']).answer).toBe('a\nb');
    expect(output({ answer: '', more }, '(stopped)').answer).toBe('');
  });

  it.each([null, 3, '{', '[]', '"x"'])('makes something of %j', more => {
    expect(output({ more, prompt: 7 }, 3).answer).toBe('');
  });

  it('reads a bundle on its way, and makes the output of it that a file has', () => {
    const bundle = { [MIME_TYPE]: { schema: 3, answer: 'A', more: '{"model":"m"}', run }, 'text/plain': 'A' };
    const { data, metadata } = asOutput(bundle);
    expect(JSON.stringify(data)).not.toContain('m, 2 s');
    expect(metadata).toEqual({ deepseek: run });
    expect(readOutput(bundle)).toEqual(readOutput(data, metadata));
    const running = { [MIME_TYPE]: { schema: 1, id: 't', status: 'answering' } };
    expect(asOutput(running)).toEqual({ data: running, metadata: {} });
  });

  it('reads schema 2, which had all in one', () => {
    const content = { prompt: 'p', answer: 'A', more: '{"model":"m"}' };
    const { id, prompt, answer, footer } = readOutput({ [MIME_TYPE]: { schema: 2, content, run } });
    expect([id, prompt, answer, footer]).toEqual(['t', 'p', 'A', 'm, 2 s']);
  });

  it('reads schema 1', () => {
    const record = readOutput({ [MIME_TYPE]: { schema: 1, id: 't', answer: 'A' }, 'text/plain': 'B' });
    expect([record.id, record.answer]).toEqual(['t', 'A']);
  });
});

describe('asMarkdown', () => {
  it('makes JSON and plain text one block of code', () => {
    expect(asMarkdown(readRecord({ answer: '{}', format: 'json' }))).toMatch(/^`{16}json\n\{\}$/);
    expect(asMarkdown(readRecord({ answer: '**a**', format: 'md' }))).toBe('**a**');
  });
});

describe('the calls of a record', () => {
  it('are those of all rounds, with what became of them, and those left open', () => {
    const { tool_calls } = readRecord({
      steps: [
        {
          answer: 'Let me look.',
          tool_calls: [
            { id: 'a', name: 'sql', arguments: '{}' },
            { id: 'b', name: 'run_python', arguments: '{}' }
          ],
          results: [
            { id: 'a', text: 'x\n1', decision: 'not asked' },
            { id: 'b', text: null, decision: 'asking' }
          ]
        },
        'nonsense'
      ],
      tool_calls: [{ id: 'c', name: 'open', arguments: '{}' }]
    });
    expect(tool_calls.map(call => [call.id, call.result, call.decision, call.said])).toEqual([
      ['a', 'x\n1', 'not asked', 'Let me look.'],
      ['b', null, 'asking', ''],
      ['c', null, '', '']
    ]);
  });
});
