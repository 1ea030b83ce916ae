/** Copying, in a widget: the build puts this file in the place of `@jupyterlab/apputils`. */

/** The clipboard, as far as the view uses it. */
export const Clipboard = {
  /** Copy a text. A host may forbid it; there is nothing else to be done then. */
  copyToSystem(text: string): void {
    const { clipboard } = navigator;
    if (clipboard) {
      void clipboard.writeText(text).catch(() => bySelection(text));
    } else {
      bySelection(text); // a page that did not come over https
    }
  }
};

function bySelection(text: string): void {
  const field = document.createElement('textarea');
  field.value = text;
  field.style.cssText = 'position: fixed; opacity: 0';
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}
