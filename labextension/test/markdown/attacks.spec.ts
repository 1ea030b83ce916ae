/**
 * The corpus of attacks, through Markdown and both sanitizers, as the card does it.
 *
 * No page, no network: whether a browser stays quiet is for `tests/browser`.
 */
import { readFileSync } from 'node:fs';
import { Sanitizer } from '@jupyterlab/apputils/lib/sanitizer';
import { marked } from 'marked';
import { describe, expect, it } from 'vitest';
import { split } from '../../src/markdown/blocks';
import { LabRenderer } from '../../src/markdown/labrenderer';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

interface IAttack {
  readonly name: string;
  readonly tries: string;
  readonly text: string;
  readonly must_show: string;
}

const FILE = new URL('../../../tests/data/attacks/attacks.json', `file://${__dirname}/`);
const ATTACKS: IAttack[] = JSON.parse(readFileSync(FILE, 'utf8'));
/** Draws as the card does, with a sanitizer that may be blind. */
function renderer(sanitizer: IRenderMime.ISanitizer): LabRenderer {
  return new LabRenderer({
    mimeType: 'text/markdown',
    sanitizer,
    resolver: null,
    linkHandler: null,
    latexTypesetter: null,
    markdownParser: { render: async source => marked(source, { gfm: true }) }
  });
}

async function drawn(source: string): Promise<HTMLElement> {
  const host = document.createElement('div');
  const { closed, open } = split(source);
  for (const block of [...closed, open]) {
    host.appendChild(await renderer(new Sanitizer()).render(block, true));
  }
  return host;
}

/** What a reader can read, the description of an image too. */
function readable(host: HTMLElement): string {
  const images = [...host.querySelectorAll('img')].map(image => image.alt);
  return [host.textContent, ...images].join('\n');
}

/** What in a tree could run, load or restyle. */
function reaches(host: HTMLElement): string[] {
  const found: string[] = [];
  for (const element of host.querySelectorAll('*')) {
    if (/^(script|style|iframe|object|embed|link|meta|base|form|svg|math|video|audio)$/i.test(element.localName)) {
      found.push(`<${element.localName}>`);
    }
    for (const { name, value } of element.attributes) {
      const link = name === 'href' && !/^(https?:|mailto:)/i.test(value);
      const load = /^(src|srcset|poster|background|data|action|formaction)$/.test(name);
      if (/^on|^style$|^id$|^name$/.test(name) || link || (load && !/^data:image\//.test(value))) {
        found.push(`${name}=${value}`);
      }
    }
  }
  return found;
}

/** A table's row has no more cells than its head: Markdown itself leaves out the rest. */
const CUT_BY_MARKDOWN = ['parsers-table-pipes'];

describe('the corpus of attacks', () => {
  it.each(ATTACKS.map(attack => [attack.name, attack] as const))('%s', async (name, attack) => {
    const host = await drawn(attack.text);
    expect(reaches(host)).toEqual([]);
    if (!CUT_BY_MARKDOWN.includes(name)) {
      expect(readable(host)).toContain(attack.must_show);
    }
  });

  it('does reach out where nothing is sanitised', async () => {
    let harmful = 0;
    for (const { name, text } of ATTACKS) {
      if (!name.startsWith('deep-')) {
        const { body } = new DOMParser().parseFromString(await marked(text), 'text/html');
        harmful += reaches(body).length ? 1 : 0;
      }
    }
    expect(harmful).toBeGreaterThan(ATTACKS.length / 4);
  });
});
