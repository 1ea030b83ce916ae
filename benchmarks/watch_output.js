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
    const content = area()?.textContent ?? '';
    const text = content.length;
    if (seen.first) {
      seen.frames.push(now - before);
    }
    // The answer's own words: a page's text also holds status lines and style sheets.
    if (!seen.first && content.includes(window.__firstWords)) {
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
