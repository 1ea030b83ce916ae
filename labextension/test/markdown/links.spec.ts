import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { guardLinks } from '../../src/markdown/renderer';

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
