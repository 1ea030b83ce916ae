import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { JobBar, readJob } from '../../src/card/job';

const trans = nullTranslator.load('deepseek_jupyter');
const TOLD = { type: 'job', id: 'j1', done: 30, rows: 120, said: '30 of 120 rows' };

describe('a job', () => {
  it('is read from its message only', () => {
    expect(readJob(TOLD)).toEqual({ id: 'j1', done: 30, rows: 120, said: '30 of 120 rows', isOver: false });
    for (const other of [null, 3, {}, { ...TOLD, type: 'turn' }, { ...TOLD, id: 7 }]) {
      expect(readJob(other)).toBeNull();
    }
  });

  it('is shown with its progress, stopped by its id, and gone at its end', () => {
    const stopped: string[] = [];
    const bar = new JobBar(id => stopped.push(id), trans);
    expect(bar.node.hidden).toBe(true);
    bar.show(readJob(TOLD));
    const progress = bar.node.querySelector('progress')!;
    expect([bar.node.hidden, progress.value, progress.max]).toEqual([false, 30, 120]);
    expect(bar.node.textContent).toContain('30 of 120 rows');
    bar.node.querySelector('button')!.click();
    expect(stopped).toEqual(['j1']);
    bar.show(readJob({ ...TOLD, over: true }));
    expect(bar.node.hidden).toBe(true);
  });
});
