// What a page goes through while the output of a cell grows. Twin: bench_pages.py.
({ cell, words }) => {
  const seen = { frames: [], blank: 0, first: 0, last: 0 };
  window.__output = seen;
  const cells = () => [...document.querySelectorAll('.jp-Notebook .jp-Cell')];
  const area = () => cells()[cell]?.querySelector('.jp-OutputArea');
  const began = Date.now();
  let before = performance.now();
  let length = 0;
  const frame = now => {
    const text = area()?.textContent ?? '';
    if (seen.first) {
      seen.frames.push(now - before);
      seen.blank += text.length < length / 2 ? 1 : 0;
    }
    // The answer's own words: a page's text also holds status lines and style sheets.
    if (!seen.first && text.includes(words)) {
      seen.first = Date.now() - began;
    }
    if (text.length !== length) {
      seen.last = Date.now();
    }
    length = text.length;
    before = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
