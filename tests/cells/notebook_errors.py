"""Twenty classic errors of notebooks, each a small notebook that really fails.

`cause` is the index of the cell that a person would repair; the last cell is the one that fails.
`unrelated` cells have nothing to do with it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Broken:
    cells: tuple[str, ...]
    cause: int
    error: str
    unrelated: tuple[int, ...] = ()


FRAME = """\
sales = pd.DataFrame({"city": ["Rome", "Oslo", "Rome"], "price": [3.0, 4.0, 5.0],
                      "units": [1, 2, 3]})"""
OTHER = "palette = ['red', 'green']\npalette.append('blue')"
SQUARES = "squares = {n: n * n for n in range(10)}\nsum(squares.values())"

ERRORS: dict[str, Broken] = {
    "wrong column": Broken(
        (
            "import pandas as pd",
            FRAME,
            OTHER,
            "sales = sales.rename(columns={'price': 'Price'})",
            SQUARES,
            "sales['price'].mean()",
        ),
        cause=3,
        error="KeyError",
        unrelated=(2, 4),
    ),
    "stale variable": Broken(
        (
            "import pandas as pd",
            FRAME,
            "weights = [1, 1, 1]",
            "sales = sales[sales.city == 'Rome']",
            OTHER,
            "sales.assign(weight=weights)",
        ),
        cause=3,
        error="ValueError",
        unrelated=(4,),
    ),
    "shape mismatch": Broken(
        (
            "import numpy as np",
            "points = np.ones((4, 3))",
            "turn = np.eye(2)",
            SQUARES,
            "points @ turn",
        ),
        cause=2,
        error="ValueError",
        unrelated=(3,),
    ),
    "missing import": Broken(
        (
            "import numpy",
            OTHER,
            SQUARES,
            "np.sqrt(16)",
        ),
        cause=0,
        error="NameError",
        unrelated=(1, 2),
    ),
    "renamed function": Broken(
        (
            "def load_prices():\n    return [1, 2, 3]",
            OTHER,
            SQUARES,
            "prices = read_prices()",
        ),
        cause=0,
        error="NameError",
        unrelated=(1, 2),
    ),
    "shadowed builtin": Broken(
        (
            "scores = {'a': 3, 'b': 5}",
            "max = max(scores.values())",
            OTHER,
            "best = max(scores, key=scores.get)",
        ),
        cause=1,
        error="TypeError",
        unrelated=(2,),
    ),
    "wrong dtype": Broken(
        (
            "import io\nimport pandas as pd",
            "orders = pd.read_csv(io.StringIO('id,total\\n1,10\\n2,n/a \\n'))",
            OTHER,
            "orders['net'] = orders['total'] / 1.2",
        ),
        cause=1,
        error="TypeError",
        unrelated=(2,),
    ),
    "mutated frame": Broken(
        (
            "import pandas as pd",
            FRAME,
            "clean = sales",
            SQUARES,
            "clean.drop(columns=['units'], inplace=True)",
            OTHER,
            "sales['units'].sum()",
        ),
        cause=4,
        error="KeyError",
        unrelated=(3, 5),
    ),
    "off by one": Broken(
        (
            "readings = [2.0, 2.5, 3.0]",
            "steps = range(1, len(readings) + 1)",
            OTHER,
            "changes = [readings[i] - readings[i - 1] for i in steps]",
        ),
        cause=1,
        error="IndexError",
        unrelated=(2,),
    ),
    "None from inplace": Broken(
        (
            "import pandas as pd",
            FRAME,
            "ranked = sales.sort_values('price', inplace=True)",
            SQUARES,
            "ranked.head(1)",
        ),
        cause=2,
        error="AttributeError",
        unrelated=(3,),
    ),
    "wrong path": Broken(
        (
            "from pathlib import Path",
            "DATA = Path('no-such-folder')",
            "def load(name):\n    return (DATA / name).read_text()",
            OTHER,
            "text = load('sales.csv')",
        ),
        cause=1,
        error="FileNotFoundError",
        unrelated=(3,),
    ),
    "exhausted iterator": Broken(
        (
            "import csv, io",
            "rows = csv.reader(io.StringIO('a,b\\n1,2\\n3,4\\n'))",
            "count = sum(1 for row in rows)",
            OTHER,
            "header = next(rows)",
        ),
        cause=2,
        error="StopIteration",
        unrelated=(3,),
    ),
    "unpacking": Broken(
        (
            "def split(name):\n    return name.split()",
            "names = ['Ada Lovelace', 'Plato']",
            OTHER,
            "for person in names:\n    first, last = split(person)",
        ),
        cause=1,
        error="ValueError",
        unrelated=(2,),
    ),
    "missing key": Broken(
        (
            "config = {'host': 'here'}",
            "def connect(settings):\n    settings.pop('host')\n    return True",
            "connect(config)",
            SQUARES,
            "config['host']",
        ),
        cause=2,
        error="KeyError",
        unrelated=(3,),
    ),
    "division by zero after an empty filter": Broken(
        (
            "temperatures = [11, 14, 9]",
            "LIMIT = 30",
            "hot = [t for t in temperatures if t > LIMIT]",
            OTHER,
            "sum(hot) / len(hot)",
        ),
        cause=1,
        error="ZeroDivisionError",
        unrelated=(3,),
    ),
    "time zones mixed": Broken(
        (
            "from datetime import datetime, timezone",
            "start = datetime(2024, 1, 1)",
            "end = datetime.now(timezone.utc)",
            SQUARES,
            "end - start",
        ),
        cause=1,
        error="TypeError",
        unrelated=(3,),
    ),
    "merge with duplicates": Broken(
        (
            "import pandas as pd",
            FRAME,
            "regions = pd.DataFrame({'city': ['Rome', 'Oslo', 'Rome'], 'region': ['S', 'N', 'S']})",
            OTHER,
            "sales.merge(regions, on='city', validate='many_to_one')",
        ),
        cause=2,
        error="MergeError",
        unrelated=(3,),
    ),
    "closure in a loop": Broken(
        (
            "powers = []",
            "for exponent in (1, 2, 3):\n    powers.append(lambda x: x ** exponent)",
            OTHER,
            "assert powers[0](5) == 5",
        ),
        cause=1,
        error="AssertionError",
        unrelated=(2,),
    ),
    "mutable default argument": Broken(
        (
            "def collect(item, bag=[]):\n    bag.append(item)\n    return bag",
            "first = collect('a')",
            SQUARES,
            "second = collect('b')\nassert second == ['b'], second",
        ),
        cause=0,
        error="AssertionError",
        unrelated=(2,),
    ),
    "deleted variable": Broken(
        (
            "import pandas as pd",
            FRAME,
            "total = sales.price.sum()\ndel sales",
            OTHER,
            "sales.price.max()",
        ),
        cause=2,
        error="NameError",
        unrelated=(3,),
    ),
}
