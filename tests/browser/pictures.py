"""Takes the pictures of README and docs again: ``pytest tests/browser/pictures.py``.

The answers are scripted; what the tools return, the cards and the panel are real.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.scripted import answer
from tests.support.wording import tool_call
from tests.support.wording_fim import fim

from .asking import ghost_settings, loading, run
from .notebook import Notebook
from .pages import at_rest, take
from .panel import Panel
from .test_accessible import THEMES
from .test_blocks import theme
from .test_ghost import enter, wait_for_ghost, write
from .test_live import stream

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
FRAME = (
    "import pandas as pd\n"
    "sales = pd.DataFrame({'city': ['Oslo', 'Bergen', 'Oslo', 'Rome'] * 300,\n"
    "                      'price': [210, 180, 250, 205] * 300})"
)
QUERY = (
    "SELECT city, count(*) AS n, avg(price) AS mean\nFROM sales GROUP BY city ORDER BY mean DESC"
)
GROUP = """Use `groupby` with **named aggregation**:

```python
import pandas as pd

df = pd.DataFrame({"city": ["Rome", "Oslo", "Rome"], "temp": [21.5, 7.0, 24.0]})
means = df.groupby("city", as_index=False).agg(mean_temp=("temp", "mean"))
print(means)
```

1. `groupby("city")` makes one group a city.
2. `agg` names the result, so the columns stay flat:
   - `mean_temp` is the *mean*
   - add `n=("temp", "size")` for counts

| city | mean_temp | n |
|:-----|----------:|--:|
| Oslo | 7.00 | 1 |
| Rome | 22.75 | 2 |

The mean of a group is $\\bar x_g = \\frac{1}{n_g} \\sum_{i \\in g} x_i$, and overall

$$
\\bar x = \\sum_g \\frac{n_g}{n} \\, \\bar x_g
$$

> Missing values are left out of both sums.

See [the user guide](https://pandas.pydata.org/docs/user_guide/groupby.html).
"""


def book_of(browser, server, size, name, *cells: str, **options) -> Notebook:
    page = take(browser, server, size, fresh=True)
    book = Notebook(server, page, cells, load=False, name=name, **options)
    page.evaluate("() => jupyterapp.shell.collapseLeft()")
    theme(page, THEMES[0])
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    return book


def test_panel(browser, asking_server, asking_endpoint):
    cells = ("%load_ext deepseek_jupyter", FRAME, "%%ds --think\nWhich city sells for more? @sales")
    size = {"width": 1300, "height": 820}
    book = book_of(browser, asking_server(), size, "sales.ipynb", *cells)
    asking_endpoint.forget()
    for index in (0, 1):
        run(book, index)
    panel = Panel.open(book)
    call = [tool_call("a", "sql", json.dumps({"query": QUERY}))]
    asking_endpoint.queue(
        answer("", "The mean by city, over all rows.", call, finish="tool_calls"),
        answer("**Oslo**: 230 on average over 600 rows, ahead of Rome with 205."),
    )
    run(book, 2)
    for prompt, text in (
        ("Is that a real difference?", "Hardly."),
        ("And by how much?", "Oslo is **25** above Rome and **50** above Bergen."),
    ):
        asking_endpoint.queue(stream(text, gap=0.0))
        panel.ask(prompt)
        panel.until(prompt, text.replace("*", "")[:7])
    card = book.page.locator(".jp-OutputArea .jp-DeepSeek-card")
    card.locator(".jp-DeepSeek-tool summary").click()
    panel.field.fill("Draw it from @sales as a chart")
    panel.node.get_by_role("button", name="Show what would be sent").wait_for()
    panel.field.press("End")
    panel.node.locator(".jp-DeepSeek-panel-policy").wait_for()
    at_rest(book.page)
    book.page.screenshot(path=IMAGES / "panel.png")


def test_card(browser, asking_server, asking_endpoint):
    cells = (
        "%load_ext deepseek_jupyter",
        "%%deepseek --think\nHow do I group by and take the mean?",
    )
    size = {"width": 900, "height": 1100}
    book = book_of(browser, asking_server(), size, "groups.ipynb", *cells)
    asking_endpoint.forget()
    run(book, 0)
    asking_endpoint.queue(stream(GROUP, "They group by a column and want means."))
    run(book, 1)
    for name, file in ((THEMES[1], "card-dark.png"), (THEMES[0], "card-light.png")):
        theme(book.page, name)
        book.page.locator("#jupyterlab-splash").wait_for(state="detached")
        book.page.locator(".jp-Cell").nth(1).screenshot(path=IMAGES / file)


def test_ghost(browser, server_of, server, tmp_path):
    settings = ghost_settings(server_of("lab"), enabled=True, delay=150)
    cells = (
        loading(server, tmp_path / "home"),
        "%%deepseek\nMean or median for a noisy sensor?",
        "import numpy as np\nreadings = np.array([20.1, 20.3, 19.9, 85.0, 20.2])",
        "1 / 0",
        "",
    )
    size = {"width": 1000, "height": 700}
    book = book_of(browser, server_of("lab"), size, "sensor.ipynb", *cells)
    try:
        run(book, 0)
        server.queue(answer("Use the **median**: it does not move when one sensor fails."))
        for index in (1, 2, 3):
            run(book, index)
        server.fallback = fim(
            "np.median(readings)\nspread = np.median(np.abs(readings - centre))\n"
            "outliers = readings[np.abs(readings - centre) > 5 * spread]"
        )
        enter(book)
        write(book, "centre = ")
        wait_for_ghost(book, "outliers")
        book.page.locator(".jp-Cell").first.evaluate("cell => cell.remove()")  # it sets a server
        at_rest(book.page)
        book.page.screenshot(path=IMAGES / "ghost.png")
    finally:
        settings.unlink(missing_ok=True)
