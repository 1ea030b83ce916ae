import { readdirSync, readFileSync } from 'node:fs';
import { Gettext } from '@jupyterlab/translation/lib/gettext';
import { describe, expect, it } from 'vitest';

const SOURCE = new URL('../src/', `file://${__dirname}/`);
const SCHEMA = new URL('../schema/', `file://${__dirname}/`);
const LOCALE = new URL('../locale/', `file://${__dirname}/`);

/** Titles and descriptions of our settings. */
function settingTexts(): string[] {
  const found: string[] = [];
  for (const name of readdirSync(SCHEMA)) {
    JSON.parse(readFileSync(new URL(name, SCHEMA), 'utf8'), (key, value) => {
      typeof value === 'string' && /^(title|description)$/.test(key) && found.push(value);
      return value;
    });
  }
  return found;
}

/** Every string that the source hands to the translator. */
function strings(): Set<string> {
  const found = new Set<string>(settingTexts());
  const files = (readdirSync(SOURCE, { recursive: true }) as string[]).filter(name =>
    name.endsWith('.ts')
  );
  for (const file of files) {
    const text = readFileSync(new URL(file, SOURCE), 'utf8');
    for (const match of text.matchAll(/(?:trans|'deepseek_jupyter'\))\s*\.(?:__|_n)\(\s*'((?:[^'\\]|\\.)*)'/g)) {
      found.add(match[1]);
    }
  }
  return found;
}

function catalogue(language: string): Record<string, string[]> {
  const file = new URL(`${language}/LC_MESSAGES/deepseek_jupyter.json`, LOCALE);
  return JSON.parse(readFileSync(file, 'utf8'));
}

describe.each(['en', 'zh_CN'])('the %s catalogue', language => {
  it('has every string, and no other', () => {
    const { '': header, ...messages } = catalogue(language);
    expect(Object.keys(messages).sort()).toEqual([...strings()].sort());
  });

  it('keeps the placeholders', () => {
    const { '': header, ...messages } = catalogue(language);
    for (const [key, [translated]] of Object.entries(messages)) {
      expect((translated.match(/%\d/g) ?? []).sort()).toEqual((key.match(/%\d/g) ?? []).sort());
    }
  });

  it('loads in JupyterLab', () => {
    const gettext = new Gettext({ locale: language });
    gettext.loadJSON(catalogue(language) as never, 'deepseek_jupyter');
    gettext.setLocale(language);
    const said = gettext.dcnpgettext('deepseek_jupyter', '', '%1 turn', '%1 turns', 2, 2);
    expect(said).toBe({ en: '2 turns', zh_CN: '2 轮' }[language]);
  });
});

it('says something else in Chinese', () => {
  const { '': header, ...messages } = catalogue('zh_CN');
  for (const [key, [translated]] of Object.entries(messages)) {
    // Chinese developers say "token".
    /^%1 tokens?$/.test(key) || expect(translated).not.toBe(key);
  }
});
