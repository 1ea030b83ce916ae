import { defineConfig } from 'vitest/config';

// JupyterLab's packages are ES modules that Node would read as CommonJS, so they are transformed.
export default defineConfig({
  test: {
    environment: 'jsdom',
    testTimeout: 120_000, // a busy machine is no failure
    setupFiles: ['test/setup.ts'],
    include: ['test/**/*.spec.ts'],
    server: { deps: { inline: [/@jupyterlab/, /@lumino/, /@jupyter/] } }
  }
});
