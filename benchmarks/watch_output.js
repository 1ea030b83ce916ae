// What a page goes through while the output of its last run cell grows. Twin: bench_pages.py.
() => {
  const seen = { frames: [], blank: 0, first: 0, last: 0 };
  window.__output = seen;
  const cells = () => [...document.querySelectorAll('.jp-Notebook .jp-Cell')];
  const area = () => cells()[window.__watched]?.querySelector('.jp-OutputArea');
  const began = Date.now();
  let before = performance.now();
  let length = 0;
  const frame = now => {
    const text = area()?.textContent.length ?? 0;
    if (seen.first) {
      seen.frames.push(now - before);
    }
    // Words, not a status line: the first answer is longer than this.
    if (!seen.first && text > 120) {
      seen.first = Date.now() - began;
    }
    seen.blank += length > 120 && text < length / 2 ? 1 : 0;
    if (text !== length) {
      seen.last = Date.now();
    }
    length = text;
    before = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
