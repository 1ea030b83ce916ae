/** What every renderer makes of a block before it is drawn. */
import { expect, it } from 'vitest';
import { BlockRenderer } from '../../src/markdown/renderer';

class Drawn extends BlockRenderer {
  async typeset(): Promise<void> {
    return;
  }

  protected async draw(host: HTMLElement, text: string): Promise<void> {
    host.textContent = text;
  }
}

it.each([
  ['```python In[3]\nx\n```', '```python\nx\n```'],
  ['~~~ {.python .numberLines}\nx\n~~~', '~~~ python\nx\n~~~'],
  ['```{r, echo=FALSE}\nx\n```', '```r\nx\n```'],
  ['```c++\nx python In[3]\n```', '```c++\nx python In[3]\n```'],
  ['```\nx y\n```', '```\nx y\n```']
])('a fence says its language alone: %j', async (source, drawn) => {
  const host = await new Drawn().render({ kind: 'fence', source }, true);
  expect(host.textContent).toBe(drawn);
});
