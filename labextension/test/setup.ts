// JupyterLab's packages name these when they are loaded; jsdom has none of them.
const missing: Record<string, unknown> = {
  DragEvent: class extends Event {},
  ResizeObserver: class {},
  IntersectionObserver: class {},
  matchMedia: () => ({ matches: false, addEventListener: () => undefined })
};
for (const [name, value] of Object.entries(missing)) {
  (globalThis as Record<string, unknown>)[name] ??= value;
}
