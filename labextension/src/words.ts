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
