/** Words in the page's language, and English ones where they cannot be had. */
import { nullTranslator } from '@jupyterlab/translation';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';

const ENGLISH = nullTranslator.load('deepseek_jupyter');
const FORMS = ['__', '_n', '_p', '_np', 'gettext', 'ngettext', 'pgettext', 'npgettext'] as const;

/** Our words from a translator. One that throws, which Lab's may on a broken catalogue, gives English. */
export function wordsIn(translator: ITranslator | null): TranslationBundle {
  if (!translator) {
    return ENGLISH;
  }
  const attempt = <T>(use: () => T, instead: () => T): T => {
    try {
      return use();
    } catch (error) {
      console.warn('deepseek-jupyter: no translation', error);
      return instead();
    }
  };
  const given = attempt(() => translator.load('deepseek_jupyter'), () => ENGLISH);
  const say = (form: (typeof FORMS)[number]) => (...args: never[]) =>
    attempt(
      () => (given[form] as (...args: never[]) => string)(...args),
      () => (ENGLISH[form] as (...args: never[]) => string)(...args)
    );
  return Object.fromEntries(FORMS.map(form => [form, say(form)])) as unknown as TranslationBundle;
}

/** Put the titles and descriptions of a schema of ours into the page's language. */
export function toWords(schema: unknown, trans: TranslationBundle): void {
  for (const [key, value] of Object.entries(schema ?? {})) {
    if (typeof value === 'object') {
      toWords(value, trans);
    } else if (typeof value === 'string' && (key === 'title' || key === 'description')) {
      (schema as Record<string, unknown>)[key] = trans.__(value);
    }
  }
}
