import { describe, expect, it } from 'vitest';
import { isQuestion } from '../../src/lab/celllanguage';

describe('a cell is a question', () => {
  it.each(['%%ds', '%%deepseek', '%%ds --think\nWhy?', '%%deepseek -a df\n%%time', '%%ds\t-v'])(
    '%j',
    source => expect(isQuestion(source)).toBe(true)
  );
  it.each(['', 'x = 1', '%ds undo', ' %%ds', '%%dsx', '%%time\n%%ds', '# %%ds', '%%deepseek2'])(
    '%j is none',
    source => expect(isQuestion(source)).toBe(false)
  );
});
