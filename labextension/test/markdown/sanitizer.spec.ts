import { Sanitizer } from '@jupyterlab/apputils/lib/sanitizer';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CardSanitizer, guardDiagrams, guardLinks, isSafeDiagram } from '../../src/markdown/sanitizer';

const sanitizer = new CardSanitizer(new Sanitizer());
const clean = (html: string) => sanitizer.sanitize(html);

describe('CardSanitizer', () => {
  it.each([
    ['a script', '<p>a<script>alert(1)</script>b</p>', '<p>ab</p>'],
    ['a handler', '<p onclick="x()">a</p>', '<p>a</p>'],
    ['a form', '<form action="//e"><p>a</p><button>b</button></form>', '<p>a</p>b'],
    ['a style', '<p style="background:url(//e)">a</p>', '<p>a</p>'],
    ['ids and names', '<p id="main" class="jp-Dialog">a</p>', '<p>a</p>'],
    ['a javascript link', '<a href="javascript:x()">a</a>', 'a'],
    ['a data link', '<a href="data:text/html,x">a</a>', 'a'],
    ['a link into the server', '<a href="/logout">a</a>', 'a'],
    ['a video', '<video poster="//e" src="//e">a</video>', 'a'],
    ['an svg', '<svg><a href="//e"><text>a</text></a></svg>', 'a'],
    ['an input', '<input type="image" src="//e">a', 'a'],
    ['a button of Lab', '<button data-commandlinker-command="x">a</button>', 'a']
  ])('takes away %s', (_, html, expected) => {
    expect(clean(html)).toBe(expected);
  });

  it('makes a remote image a link that shows', () => {
    const html = clean('<img src="https://e.example/x.png?d=1" alt="chart">');
    expect(html).toContain('>chart</a>');
    expect(html).toContain('title="https://e.example/x.png?d=1"');
    expect(html).not.toContain('<img');
  });

  it('keeps an image that carries its bytes', () => {
    expect(clean('<img src="data:image/png;base64,AA" alt="x">')).toContain('<img src="data:image');
  });

  it('keeps text, tables, task lists and highlighted code', () => {
    for (const html of [
      '<table><thead><tr><th align="right">a</th></tr></thead></table>',
      '<pre><code class="language-python"><span class="ͼb">x</span></code></pre>',
      '<ol start="3"><li>a</li></ol>',
      '<details open=""><summary>a</summary>b</details>'
    ]) {
      expect(clean(html)).toBe(html);
    }
    expect(clean('<li><input type="checkbox" checked disabled> a</li>')).toContain('checkbox');
  });

  it('opens links in a page that learns nothing', () => {
    const html = clean('<a href="https://e.example/">a</a>');
    expect(html).toContain('target="_blank"');
    expect(html).toContain('noopener noreferrer');
  });
});

describe('diagrams', () => {
  it.each([
    'graph TD\n A[one] --> B{two}\n style A fill:#f9f,stroke:#333',
    'sequenceDiagram\n A->>B: hello<br/>you',
    'classDiagram\n <<interface>> A\n A <|-- B'
  ])('draws %j', source => expect(isSafeDiagram(source)).toBe(true));

  it.each([
    'graph TD\n A["<img src=x>"]',
    '%%{init: {"themeCSS": "x"}}%%\ngraph TD',
    '---\nconfig: x\n---\ngraph TD',
    'graph TD\n click A "javascript:x()"',
    'graph TD\n A@{ img: "x" }',
    'graph TD\n style A background:url(x)',
    'graph TD\n A[https://e.example]',
    'graph TD\n style A background:u\\72l(x)'
  ])('shows the source of %j', source => expect(isSafeDiagram(source)).toBe(false));

  it('lets only a whole diagram in a block of its own be drawn', () => {
    const source = '```mermaid\ngraph TD\n```\n';
    expect(guardDiagrams(source, true, true)).toBe(source);
    expect(guardDiagrams(source, true, false)).toMatch(/^```text/);
    expect(guardDiagrams('- x\n  ```mermaid\n  y', false, true)).toContain('```text mermaid');
    expect(guardDiagrams('> ~~~ \u00a0mermaid', false, true)).toContain('text mermaid');
  });
});

const corpus = JSON.parse(readFileSync('../tests/data/links.json', 'utf-8'));

describe('guardLinks', () => {
  it.each(corpus.links as { url: string; label: string; named: string }[])(
    'names $named behind "$label"',
    ({ url, label, named }) => {
      const host = document.createElement('p');
      host.append(Object.assign(document.createElement('a'), { href: url, textContent: label }), '!');
      guardLinks(host);
      expect(host.textContent).toBe(`${label}${named && ` (${named})`}!`);
    }
  );
});
