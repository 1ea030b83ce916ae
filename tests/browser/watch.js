// What a page goes through while a card streams: frames, mutations, blanks. See watch.py.
() => {
  const seen = {
    frames: [],
    removed: 0,
    removedDeep: 0,
    blank: 0,
    shrunk: 0,
    last: 0,
    started: 0
  };
  window.__seen = seen;
  const card = () => [...document.querySelectorAll('.jp-DeepSeek-card')].pop();
  const flow = () => card()?.querySelector('.jp-DeepSeek-typed > .jp-DeepSeek-flow');
  const deep = node => 1 + [...node.childNodes].reduce((sum, child) => sum + deep(child), 0);
  new MutationObserver(records => {
    for (const record of records) {
      const target = record.target.nodeType === 1 ? record.target : record.target.parentElement;
      if (!target?.closest('.jp-DeepSeek-card')) {
        continue;
      }
      seen.started ||= Date.now();
      if (target.closest('.jp-DeepSeek-flow')) {
        seen.last = Date.now();
      }
      for (const node of record.removedNodes) {
        seen.removed++;
        seen.removedDeep += deep(node);
      }
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
  let before = performance.now();
  let length = 0;
  const frame = now => {
    const host = flow();
    if (seen.started) {
      seen.frames.push(now - before);
      const text = host?.textContent.length ?? 0;
      seen.blank += length > 0 && text === 0 ? 1 : 0;
      seen.shrunk += text < length - 40 ? 1 : 0;
      length = text;
    }
    before = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
