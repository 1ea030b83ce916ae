/**
 * Builds `ds.panel()`'s module for front ends other than JupyterLab: one script and one style sheet
 * in `deepseek_jupyter/page/static`, which the wheel carries and anywidget hands to the page.
 *
 * The view is the one of the side bar. What it takes of JupyterLab is replaced here, so that the
 * module stands alone; a package of JupyterLab that finds its way in is an error.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = path => fileURLToPath(new URL(path, import.meta.url));
const TARGET = here('../deepseek_jupyter/page/static/');

/** What a host without JupyterLab's colours shows: VS Code's, or those of the page itself. */
const FALLBACKS = {
  'border-color1': 'var(--vscode-panel-border, rgb(128 128 128 / 55%))',
  'border-color2': 'var(--vscode-panel-border, rgb(128 128 128 / 35%))',
  'border-radius': '2px',
  'border-width': '1px',
  'brand-color1': 'var(--vscode-textLink-foreground, LinkText)',
  'cell-editor-background': 'rgb(128 128 128 / 8%)',
  'code-font-family': 'var(--vscode-editor-font-family, ui-monospace, monospace)',
  'code-font-size': '13px',
  'content-font-color1': 'var(--vscode-editor-foreground, CanvasText)',
  'content-font-size1': '14px',
  'content-link-color': 'var(--vscode-textLink-foreground, LinkText)',
  'content-font-size2': '1.2em',
  'content-font-size3': '1.44em',
  'elevation-z4': '0 2px 8px rgb(0 0 0 / 30%)',
  'error-color1': 'var(--vscode-errorForeground, #d32f2f)',
  'layout-color1': 'var(--vscode-editor-background, Canvas)',
  'layout-color2': 'rgb(128 128 128 / 12%)',
  'layout-color3': 'rgb(128 128 128 / 25%)',
  'success-color1': 'var(--vscode-testing-iconPassed, #188038)',
  'ui-font-color1': 'var(--vscode-editor-foreground, CanvasText)',
  'ui-font-color2': 'var(--vscode-editor-foreground, CanvasText)',
  'ui-font-color3': 'rgb(128 128 128)',
  'ui-font-family': 'var(--vscode-font-family, system-ui, sans-serif)',
  'ui-font-size0': '12px',
  'ui-font-size1': '13px',
  'ui-font-size3': '1.3em',
  'warn-color1': 'var(--vscode-editorWarning-foreground, #e69500)'
};

/** A style sheet whose theme variables are ours, which `VARIABLES` gives a value in every host. */
async function styled(name) {
  const css = await readFile(here(`style/${name}`), 'utf8');
  return css.replace(/var\(--jp-([\w-]+)\)/g, (_, variable) => {
    if (!(variable in FALLBACKS)) {
      throw new Error(`style/${name} uses --jp-${variable}, which FALLBACKS does not know.`);
    }
    return `var(--ds-${variable})`;
  });
}

const VARIABLES = Object.entries(FALLBACKS).map(
  ([name, value]) => `--ds-${name}: var(--jp-${name}, ${value});`
);

/** The licences of the packages that the module carries. */
async function licences(inputs) {
  const folders = new Set(
    inputs
      .map(path => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0])
      .filter(folder => folder !== undefined)
  );
  const texts = [...folders].sort().map(async folder => {
    const { name, version, license } = JSON.parse(await readFile(`${folder}/package.json`, 'utf8'));
    const file = (await readdir(folder)).find(entry => /^licen[cs]e/i.test(entry));
    const text = await readFile(`${folder}/${file}`, 'utf8');
    return `${name} ${version} (${license})\n\n${text}`;
  });
  return (await Promise.all(texts)).join('\n----\n\n');
}

const CHINESE = 'locale/zh_CN/LC_MESSAGES/deepseek_jupyter.json';

/** The translations, without those of strings that only JupyterLab's part has. */
async function catalogues(inputs) {
  const { '': header, ...messages } = JSON.parse(await readFile(here(CHINESE), 'utf8'));
  const files = inputs.filter(path => path.startsWith('src/'));
  const source = (await Promise.all(files.map(path => readFile(here(path), 'utf8')))).join('');
  return { zh: Object.fromEntries(Object.entries(messages).filter(([text]) => source.includes(`'${text}'`))) };
}

const OPTIONS = {
  entryPoints: [here('src/widget/index.ts')],
  outfile: `${TARGET}panel.js`,
  tsconfig: here('tsconfig.json'),
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2021',
  legalComments: 'eof',
  metafile: true,
  charset: 'utf8',
  alias: {
    '@jupyterlab/ui-components': here('src/widget/substitutes.ts'),
    '@jupyterlab/apputils': here('src/widget/substitutes.ts'),
    '@lumino/signaling': here('src/widget/substitutes.ts')
  }
};

/** The files that the module is made of, as paths from here. */
const { metafile: found } = await build({ ...OPTIONS, absWorkingDir: here('.'), write: false });
const inputs = Object.entries(Object.values(found.outputs)[0].inputs)
  .filter(([, { bytesInOutput }]) => bytesInOutput)
  .map(([path]) => path);
const { metafile } = await build({
  ...OPTIONS,
  define: { CATALOGUES: JSON.stringify(await catalogues(inputs)) }
});
const strangers = Object.keys(metafile.inputs).filter(path => /@jupyterlab|@lumino|@codemirror/.test(path));
if (strangers.length) {
  throw new Error(`The widget would carry ${strangers.join(', ')}.`);
}
const sheets = await Promise.all(['base.css', 'panel.css', 'tokens.css', 'widget.css'].map(styled));
const { outputFiles } = await build({
  stdin: {
    contents: [`.jp-DeepSeek-widget { ${VARIABLES.join(' ')} }`, ...sheets].join('\n'),
    loader: 'css'
  },
  minify: true,
  write: false
});
await writeFile(`${TARGET}panel.css`, outputFiles[0].contents);
await writeFile(`${TARGET}third-party-licenses.txt`, await licences(Object.keys(metafile.inputs)));
const [{ bytes }] = Object.values(metafile.outputs);
const sizes = [bytes, outputFiles[0].contents.length].map(size => `${Math.round(size / 1000)} kB`);
console.log(`The widget: ${sizes[0]} of script, ${sizes[1]} of style`);
