import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { statusTooltip, statusLabel, readNotebookStatus } from '../../src/lab/statusbar';

const trans = nullTranslator.load('deepseek_jupyter');
const TOLD = {
  type: 'notebook_status',
  notebook: '01999999-0000-7000-8000-000000000000',
  asked: true,
  turns: 3,
  spent: '~$0.0012',
  tokens: 900,
  hit: 0.634,
  ghosts: 2,
  ghost_spent: '~$0.0001'
};

describe('the status of a notebook', () => {
  it('has a label and a tooltip', () => {
    const status = readNotebookStatus(TOLD);
    expect(statusLabel(status, trans)).toBe('DeepSeek ~$0.0012 · 63% cached · ghost text ~$0.0001');
    expect(statusTooltip(status, trans)).toBe(
      'This notebook asked 3 questions.\nEstimated cost: ~$0.0012\n' +
        '63% of the prompt tokens came from the cache.\n2 ghost texts, ~$0.0001'
    );
  });

  it('counts tokens where no price is known', () => {
    const status = readNotebookStatus({ ...TOLD, spent: '', hit: null, ghosts: 0 });
    expect(statusLabel(status, trans)).toBe('DeepSeek 900 tokens');
  });

  it('says nothing where nothing was asked', () => {
    const status = readNotebookStatus({ type: 'notebook_status', asked: false, notebook: null });
    expect(statusLabel(status, trans)).toBe('');
    expect(statusLabel(null, trans)).toBe('');
  });

  it.each([null, 7, 'x', {}, [], { asked: 'yes' }])('is nothing else: %j', json => {
    expect(readNotebookStatus(json)).toBeNull();
  });

  it('takes no odd id of a notebook', () => {
    expect(readNotebookStatus({ ...TOLD, notebook: '../../x' })!.notebook).toBeNull();
    expect(readNotebookStatus({ ...TOLD, notebook: { a: 1 } })!.notebook).toBeNull();
  });
});
