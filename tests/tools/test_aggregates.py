"""The aggregate gate: what comes back is of five rows or more, and right."""

from __future__ import annotations

import functools
import itertools
import math
import random
import re
from collections import Counter

import pytest

np = pytest.importorskip("numpy", reason="numpy has no wheel for this Python")
pd = pytest.importorskip("pandas", reason="pandas has no wheel for this Python")
pa = pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")
duckdb = pytest.importorskip("duckdb", reason="duckdb has no wheel for this Python")
pytest.importorskip("sqlglot", reason="sqlglot comes with the sql extra")

from deepseek_jupyter.errors import QueryRefusedError  # noqa: E402
from deepseek_jupyter.privacy.levels import Level  # noqa: E402
from deepseek_jupyter.tools.aggregates import check  # noqa: E402
from deepseek_jupyter.tools.sql_select import GatedColumn, GatedFrame  # noqa: E402
from deepseek_jupyter.tools.sql_worker import failure  # noqa: E402
from tests.support.fuzzing import FUZZING  # noqa: E402

from .aggregate_queries import Asker  # noqa: E402

CELLS = re.compile(r"min\(|max\(|median\(|mode\(|quantile")

ROWS = 20
_draw = random.Random(14)
SECRET = pd.DataFrame(
    {
        "name": [f"SENTINEL-{_draw.getrandbits(40):010x}" for _ in range(ROWS)],
        "g": ["a"] * 10 + ["b"] * 7 + ["c"] * 3,
        "h": [n % 3 for n in range(ROWS)],
        "x": [_draw.getrandbits(40) for _ in range(ROWS)],
        "y": [_draw.getrandbits(40) for _ in range(ROWS)],
        "z": [float(_draw.getrandbits(40)) if n % 4 else math.nan for n in range(ROWS)],
        "one": [_draw.getrandbits(40) + 0.5 if n == 4 else math.nan for n in range(ROWS)],
        "flag": [n == 3 for n in range(ROWS)],
        "d": pd.date_range("2024-01-01", periods=ROWS, freq="37h"),
    }
)
KINDS = {"name": "text", "g": "text", "flag": "bool", "d": "time"}


def frame(level: str, data: pd.DataFrame = SECRET, name: str = "df", **more) -> GatedFrame:
    """`data` as the gate knows it, under one level; ``column=level`` for others."""
    levels = {column: Level.parse(more.pop(column, level)) for column in data.columns}
    columns = {
        column: GatedColumn(
            levels[column], KINDS.get(column, "number"), nulls=bool(data[column].isna().any())
        )
        for column in data.columns
        if levels[column] >= Level.parse("stats")
    }
    return GatedFrame(name, columns, len(data), 5, **more)


def database(*frames: tuple[GatedFrame, pd.DataFrame], shown: bool = False):
    """The tables of one scope: every row, unreleased texts as pseudonyms; or what cards show."""
    connection = duckdb.connect()
    for one, data in frames:
        copy = data.copy()
        for column, known in one.columns.items():
            if known.type == "text" and known.level < Level.parse("sample"):
                numbers = {text: n for n, text in enumerate(dict.fromkeys(copy[column]), 1)}
                copy[column] = [f"<value-{numbers[text]}>" for text in copy[column]]
        copy = copy[[c for c in data.columns if c in one.columns or c == one.unit]]
        if shown:
            kept = [c for c, known in one.columns.items() if known.level >= Level.parse("sample")]
            copy = copy[kept].head(one.shown)
        connection.register("incoming", pa.Table.from_pandas(copy, preserve_index=False))
        connection.execute(f'CREATE TABLE "{one.name}" AS SELECT * FROM incoming')
    return connection


def answered(connection, query: str, *frames: GatedFrame, **options):
    """The rows that `query` gives, by the gate."""
    return connection.execute(check(query, frames, **options).sql).fetchall()


def verdict(text: str, one: GatedFrame):
    """What the gate makes of `text`: a query, or the refusal."""
    try:
        return check(text, [one])
    except QueryRefusedError as refused:
        return refused


def ran(connection, sql: str):
    """The rows of `sql`, or the words for its failure."""
    try:
        return connection.execute(sql).fetchall()
    except duckdb.Error as error:
        return failure(error)


@functools.cache
def secrets_at(level: str, shown: bool = False):
    """`SECRET` under one level; queries do not change it."""
    return database((frame(level), SECRET), shown=shown)


class Known:
    """Figures of fewer than five rows, to find in results."""

    def __init__(self, data: pd.DataFrame, told: set[float] = frozenset()) -> None:
        figures = []
        for column in ("x", "y", "z", "one"):
            values = [float(v) for v in data[column].dropna()]
            for size in range(1, 5):
                for chosen in itertools.combinations(values, size):
                    figures += [sum(chosen), sum(chosen) / size]
        self.figures = np.unique(np.array([f for f in figures if f not in told and abs(f) > 1e6]))
        self.texts = set(data["name"])

    def has(self, value) -> bool:
        if isinstance(value, str):
            return any(text[start : start + 6] in value for text in self.texts for start in (9, 13))
        if isinstance(value, bool | None | list) or not isinstance(value, int | float):
            return not isinstance(value, bool | None) and any(
                text in str(value) for text in self.texts
            )
        number = abs(float(value))
        at = np.searchsorted(self.figures, number * (1 - 1e-12))
        return bool(at < len(self.figures) and self.figures[at] <= number * (1 + 1e-12))

    def in_rows(self, rows, differences: bool) -> list:
        cells = [cell for row in rows for cell in row]
        found = [cell for cell in cells if self.has(cell)]
        if differences:
            numbers = [float(c) for c in cells if isinstance(c, int | float) and abs(c) > 1e6][:40]
            found += [(a, b) for a, b in itertools.combinations(numbers, 2) if self.has(a - b)]
        return found


def told_by_card(data: pd.DataFrame) -> set[float]:
    """Least, greatest and quartiles of the numbers, which `stats` releases."""
    figures: set[float] = set()
    for column in ("x", "y", "z"):
        values = data[column].dropna()
        figures |= {float(values.quantile(part)) for part in (0, 0.25, 0.5, 0.75, 1)}
    return figures


FIGURES = Known(SECRET, told_by_card(SECRET))


def asker(level: str, seed: int) -> Asker:
    values = {column: SECRET[column].tolist() for column in SECRET}
    if level == "stats":
        values["name"] = [f"<value-{n}>" for n in range(1, ROWS + 1)]
        values["g"] = ["<value-1>", "<value-2>", "<value-3>"]
    return Asker(seed, values)


@pytest.mark.parametrize("seed", range(18 if FUZZING else 1))  # 2,000 queries in make fuzz
@pytest.mark.parametrize(("level", "queries"), [("stats", 70), ("sample", 40)])
def test_no_query_tells_of_fewer_than_five_rows(level, queries, seed):
    one = frame(level)
    connection, known = secrets_at(level), FIGURES
    asking, seen = asker(level, seed), Counter()
    for _ in range(queries):
        text = asking.query()
        query = verdict(text, one)
        if isinstance(query, QueryRefusedError):
            assert query.what, text
            assert query.hint, text
            seen["refused"] += 1
            continue
        assert query.scope == "all" or level != "stats", text
        if query.scope != "all" or (level == "sample" and CELLS.search(text)):
            continue
        rows = ran(connection, query.sql)
        if isinstance(rows, str):
            assert not known.has(rows), text
            seen["failed"] += 1
            continue
        rows = [[None if at in query.labels else v for at, v in enumerate(row)] for row in rows]
        assert not known.in_rows(rows, text.upper().count("SELECT") == 1), (text, query.sql)
        seen["answered"] += any(cell is not None for row in rows for cell in row)
    assert seen["answered"], seen


# A statement, and what becomes of it at `stats` and at `sample`: no (refused), all or sample.
WRITTEN = [
    # Small groups
    ("SELECT name, sum(x) FROM df GROUP BY name", "all", "all"),
    ("SELECT g, sum(x), avg(y) FROM df GROUP BY g", "all", "all"),
    ("SELECT sum(x) FROM df WHERE g = 'c'", "all", "all"),
    ("SELECT x FROM df GROUP BY x HAVING count(*) = 1", "all", "all"),
    ("SELECT DISTINCT name FROM df", "all", "all"),
    ("SELECT name FROM df UNION SELECT g FROM df", "all", "all"),
    ("SELECT sum(one) FROM df", "all", "all"),
    ("SELECT g, count(*) FROM df GROUP BY ROLLUP (g)", "no", "no"),
    ("SELECT g, sum(x) FROM df GROUP BY GROUPING SETS ((g), ())", "no", "no"),
    ("SELECT g, h, sum(x) FROM df GROUP BY CUBE (g, h)", "no", "no"),
    # Rows
    ("SELECT * FROM df", "no", "sample"),
    ("SELECT name, x FROM df ORDER BY x LIMIT 1", "no", "sample"),
    ("SELECT x + 1 FROM df USING SAMPLE 3 ROWS", "no", "sample"),
    ("SELECT x FROM df UNION ALL SELECT y FROM df", "no", "sample"),
    ("SELECT name, (SELECT avg(x) FROM df) FROM df", "no", "no"),
    ("SELECT * FROM df WHERE x > (SELECT avg(x) FROM df)", "no", "no"),
    # Windows
    ("SELECT sum(x) OVER (PARTITION BY name) FROM df", "no", "sample"),
    ("SELECT g, sum(x), lag(sum(x)) OVER (ORDER BY g) FROM df GROUP BY g", "no", "no"),
    ("SELECT sum(x) FROM df QUALIFY row_number() OVER (ORDER BY x) = 1", "no", "no"),
    ("SELECT sum(v) FROM (SELECT x - lag(x) OVER (ORDER BY d) AS v FROM df)", "no", "no"),
    ("SELECT g, first_value(sum(x)) OVER () FROM df GROUP BY g", "no", "no"),
    # WITH and subqueries
    ("WITH t AS (SELECT * FROM df LIMIT 1) SELECT sum(x) FROM t", "all", "all"),
    ("WITH t AS (SELECT * FROM df ORDER BY x LIMIT 4) SELECT avg(x) FROM t", "all", "all"),
    ("WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 9) "
     "SELECT sum(n), (SELECT sum(x) FROM df) FROM t", "no", "no"),
    ("SELECT (SELECT sum(x) FROM df) - (SELECT sum(x) FROM df WHERE h <> 1)", "no", "no"),
    ("SELECT (SELECT sum(x) FROM df) % (SELECT sum(x) FROM df WHERE h <> 1)", "no", "no"),
    ("WITH a AS (SELECT sum(x) s FROM df), b AS (SELECT sum(x) s FROM df WHERE x > 9) "
     "SELECT a.s - b.s FROM a, b", "no", "no"),
    ("SELECT sum(s) FROM (SELECT sum(x) s FROM df UNION ALL SELECT -sum(x) FROM df WHERE h > 0)",
     "no", "no"),
    ("SELECT stddev(s) FROM (SELECT sum(x) s FROM df UNION ALL SELECT sum(x) FROM df WHERE h > 0)",
     "no", "no"),
    ("SELECT g, (SELECT sum(x) FROM df b WHERE b.name = a.name) FROM df a GROUP BY g", "no", "no"),
    ("SELECT count(*) FROM df WHERE EXISTS (SELECT 1 FROM df b WHERE b.x = 5)", "no", "no"),
    ("SELECT sum(x) FROM df WHERE x = (SELECT max(x) FROM df)", "all", "all"),
    ("SELECT sum(x) FROM df WHERE x IN (SELECT x FROM df)", "no", "no"),
    ("SELECT sum(x) FROM df, LATERAL (SELECT 1) v", "no", "no"),
    # Joins
    ("SELECT sum(a.x) FROM df a, df b WHERE b.h = 1 AND a.name = 'n'", "all", "all"),
    ("SELECT avg(a.x) FROM df a JOIN df b ON a.name = 'n' OR b.h = 1", "no", "no"),
    ("SELECT avg(a.x) FROM df a JOIN df b ON a.x <= b.x", "no", "no"),
    ("SELECT avg(a.x) FROM df a JOIN df b USING (g)", "all", "all"),
    ("SELECT sum(x) FROM df JOIN (VALUES (7)) v(k) ON df.h = v.k", "no", "no"),
    ("SELECT sum(x) FROM df NATURAL JOIN df b", "no", "no"),
    ("SELECT sum(a.x) FROM df a SEMI JOIN df b ON a.x = b.y", "no", "no"),
    ("SELECT sum(x) FROM df, unnest([1, 2, 3, 4, 5]) u(k) WHERE name = 'n'", "no", "no"),
    ("SELECT sum(x) FROM df, unnest([df.x]) u(k)", "no", "no"),
    ("SELECT sum(x) FROM df, unnest([1, 2])", "no", "no"),
    ("SELECT sum(x) FROM df, unnest(list(df.x)) u(k)", "no", "no"),
    ("SELECT sum(x) FROM df, range(5) WHERE name = 'n'", "no", "no"),
    ("SELECT sum(x) FROM (SELECT * FROM df UNION ALL SELECT * FROM df)", "no", "no"),
    ("SELECT sum(x) FROM (SELECT x FROM df WHERE name = 'n' UNION ALL SELECT x FROM df WHERE "
     "h = 1)", "no", "no"),
    ("SELECT s, sum(x), avg(x) FROM (SELECT x, 1 AS s FROM df UNION ALL SELECT x, 2 FROM df "
     "WHERE d <> '2024-01-01') GROUP BY s", "no", "no"),
    ("SELECT sum(x) FROM (SELECT x FROM df UNION ALL SELECT -sum(x) FROM df WHERE h <> 1)",
     "no", "no"),
    ("SELECT sum(x) FROM (SELECT x FROM df UNION ALL SELECT 5)", "no", "no"),
    ("SELECT avg(x) FROM (SELECT a.x FROM df a, df b UNION ALL SELECT x FROM df)", "no", "no"),
    ("SELECT sum(x) FROM (SELECT x FROM df EXCEPT ALL SELECT x FROM df WHERE h = 1)", "no", "no"),
    ("SELECT count(*) FROM (SELECT name AS n FROM df WHERE x > 5 UNION ALL SELECT g FROM df) "
     "WHERE n <> 'a'", "no", "no"),
    # Samples
    ("SELECT sum(x) FROM df USING SAMPLE 1 ROWS", "no", "no"),
    ("SELECT avg(x), sum(y) FROM df TABLESAMPLE 60%", "no", "no"),
    ("SELECT sum(x) FROM (SELECT x FROM df USING SAMPLE 6 ROWS)", "no", "no"),
    ("WITH t AS (SELECT * FROM df USING SAMPLE 19 ROWS) SELECT (SELECT sum(x) FROM t) - "
     "(SELECT sum(x) FROM t)", "no", "no"),
    # FILTER, CASE and arithmetic that pick
    ("SELECT sum(x) FILTER (WHERE d = '2024-01-01') FROM df", "all", "all"),
    ("SELECT sum(x), sum(x) FILTER (WHERE d <> '2024-01-01') FROM df", "all", "all"),
    ("SELECT sum(CASE WHEN d = '2024-01-01' THEN x ELSE 0 END) FROM df", "all", "all"),
    ("SELECT sum(x) - sum(x + 0 * z), sum(x * CAST(flag AS INT)) FROM df", "all", "all"),
    ("SELECT sum(x * (h = 1)) FROM df", "no", "no"),
    ("SELECT sum(x * CAST(y = 5 AS INT)) FROM df", "no", "no"),
    ("SELECT sum(x / (y - 5.5)) FROM df", "no", "no"),
    ("SELECT sum(x // 1000000), sum(x % 1000000) FROM df", "no", "no"),
    ("SELECT sum(x * x * x) FROM df", "no", "no"),
    ("SELECT sum(DISTINCT x) FROM df", "no", "no"),
    ("SELECT sum(power(x, 9)), avg(hash(x)), avg(nullif(x, 5)) FROM df", "no", "no"),
    ("SELECT sum(x) FROM df WHERE 1 / (x - 5) > 0 AND CAST(x * 9e300 AS INT) = 1", "all", "all"),
    # Aggregates that are cells
    ("SELECT min(x), max(y), median(z), quantile_cont(x, 0.25) FROM df", "all", "all"),
    ("SELECT g, max(x) FROM df GROUP BY g", "no", "all"),
    ("SELECT max(x) FROM df WHERE h = 1", "no", "all"),
    ("SELECT quantile_disc(x, 0.1) FROM df", "no", "all"),
    ("SELECT mode(x) FROM df", "no", "all"),
    ("SELECT sum(x) FROM df HAVING min(y) < 5 AND max(x) FILTER (WHERE h = 1) > 5", "no", "all"),
    ("SELECT min(name) FROM df", "no", "no"),
    ("SELECT any_value(x) FROM df", "no", "no"),
    ("SELECT first(x ORDER BY y), last(x) FROM df", "no", "no"),
    ("SELECT arg_max(x, y), arg_min(name, x) FROM df", "no", "no"),
    ("SELECT string_agg(name, ',') FROM df", "no", "no"),
    ("SELECT list(x), array_agg(x) FROM df", "no", "no"),
    ("SELECT histogram(x), map_from_entries(list((x, y))) FROM df", "no", "no"),
    ("SELECT bit_xor(x), product(x), bit_or(x) FROM df", "no", "no"),
    ("SELECT list_sort(list(x))[1] FROM df", "no", "no"),
    ("SELECT max({'v': x, 'n': name}).n FROM df", "no", "no"),
    ("SELECT max(x, 3) FROM df", "no", "no"),
    ("SELECT approx_top_k(name, 3), reservoir_quantile(x, 0.5) FROM df", "no", "no"),
    # Texts, keys
    ("SELECT substr(name, 10, 5) AS part, count(*) FROM df GROUP BY part", "no", "all"),
    ("SELECT count(*) FROM df WHERE name LIKE 'SENTINEL-0%'", "no", "all"),
    ("SELECT count(DISTINCT name), count(name) FROM df WHERE name <> 'n'", "all", "all"),
    ("SELECT x // 1000000 AS k, count(*) FROM df GROUP BY k", "no", "all"),
    ("SELECT CASE WHEN x > 5 THEN name END AS k, count(*) FROM df GROUP BY k", "no", "all"),
    ("SELECT h, sum(h) FROM df GROUP BY h", "no", "all"),
    ("SELECT max(k) FROM (SELECT h AS k FROM df GROUP BY h)", "no", "all"),
    ("SELECT h + 0 AS k FROM df GROUP BY h", "no", "all"),
    # Pivots, star, ordinals and what reads elsewhere
    ("PIVOT df ON g USING sum(x)", "no", "no"),
    ("SELECT * FROM (PIVOT df ON g USING first(x))", "no", "no"),
    ("SELECT * FROM df UNPIVOT (v FOR c IN (x, y))", "no", "no"),
    ("SELECT COLUMNS(*) FROM df GROUP BY ALL", "no", "no"),
    ("SELECT max(COLUMNS('x|y')) FROM df", "no", "no"),
    ("SELECT * EXCLUDE (name) FROM df GROUP BY ALL", "no", "no"),
    ("SELECT sum(#1) FROM df", "no", "no"),
    ("SUMMARIZE df", "no", "no"),
    ("SELECT sum(x) FROM query('SELECT * FROM df')", "no", "no"),
    ("SELECT count(*) FROM read_csv('/etc/passwd')", "no", "no"),
    ("SELECT count(*) FROM duckdb_settings()", "no", "no"),
    ("SELECT count(*) FROM information_schema.tables", "no", "no"),
    ("SELECT getenv('HOME'), count(*) FROM df", "no", "no"),
    ("SELECT count(*) FROM df; DROP TABLE df", "no", "no"),
    ("COPY df TO '/tmp/x.csv'", "no", "no"),
    # Errors that quote
    ("SELECT error(name), count(*) FROM df GROUP BY name", "no", "no"),
    ("SELECT sum(CAST(name AS INT)) FROM df", "no", "no"),
    ("SELECT count(*) FROM df WHERE CAST(name AS DATE) > '2024-01-01'", "no", "all"),
    ("SELECT count(*) FROM df WHERE name = 5", "no", "no"),
    ("SELECT sum(x * 90000000) FROM df WHERE name = 'n'", "all", "all"),
    # Numbers that leave the largest value alone
    ("SELECT g, sum((x + 1.2e27) - 1.2e27) FROM df GROUP BY g", "no", "no"),
    ("SELECT g, sum(x + 1e27) - count(*) * 1e27 FROM df GROUP BY g", "no", "no"),
    ("SELECT g, sum(x * 1e-200 * 1e-120 / 1e4) * 1e308 FROM df GROUP BY g", "no", "no"),
    ("SELECT sum(x * 2e295), count(x * 9e200 * 9e95) FROM df", "no", "no"),
    ("SELECT count(DISTINCT x - 9e26) FROM df", "no", "no"),
    ("SELECT sum(CASE WHEN h = 1 THEN x + 1e27 ELSE 0 END) - 7e27 FROM df", "no", "no"),
    ("SELECT avg(coalesce(z, 0) / 1e9 / 1e9) FROM df", "no", "no"),
    ("SELECT sum((x * 1e4 + y) - y) FROM df", "no", "no"),
    ("SELECT stddev(x * 1e300) FROM df", "no", "no"),
    ("SELECT sqrt(min(x) - max(x)) FROM df", "all", "all"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "stats", "sample"), WRITTEN)
def test_written_queries_at_every_level(text, stats, sample):
    known = FIGURES
    for level, scope in (("schema", "no"), ("stats", stats), ("sample", sample), ("full", "full")):
        one = frame(level)
        query = verdict(text, one)
        if isinstance(query, QueryRefusedError):
            assert scope == "no", (level, query.what, query.hint)
            assert query.hint
            continue
        assert query.scope == scope, (level, query.sql)
        if scope in ("no", "full"):
            continue
        rows = ran(secrets_at(level, scope == "sample"), query.sql)
        if isinstance(rows, str):
            assert not known.has(rows)
            continue
        if scope == "sample":
            assert len(rows) <= 10
            assert "5 of 20 rows of df" in query.notes
        elif level == "stats" or not CELLS.search(text):
            rows = [[None if n in query.labels else v for n, v in enumerate(row)] for row in rows]
            assert not known.in_rows(rows, text.count("SELECT") == 1), rows


# What is allowed is right

_many = np.random.default_rng(14)
SHIP = pd.DataFrame(
    {
        "sex": _many.choice(["female", "male"], 891),
        "pclass": _many.integers(1, 4, 891),
        "age": np.where(_many.random(891) < 0.2, np.nan, _many.integers(1, 80, 891)),
        "fare": _many.random(891) * 100,
        "survived": _many.random(891) < 0.4,
        "port": _many.choice(["C", "Q", "S"], 891, p=[0.005, 0.1, 0.895]),
        "customer": _many.integers(0, 60, 891),
        "day": pd.date_range("2024-01-01", periods=891, freq="h"),
    }
)
KINDS |= {"sex": "text", "port": "text", "survived": "bool", "day": "time"}


@pytest.fixture(scope="module")
def ship():
    one = frame("sample", SHIP)
    connection = database((one, SHIP))
    return lambda text, **options: answered(connection, text, one, **options)


def rows_of(table) -> list[tuple]:
    return [tuple(row) for row in table.reset_index().to_numpy().tolist()]


_by = SHIP.groupby
_adults = SHIP[SHIP.age >= 18]
ALLOWED = [
    ("SELECT sex, avg(survived) FROM df GROUP BY sex ORDER BY sex",
     rows_of(_by("sex").survived.mean())),
    ("SELECT pclass, sum(survived), count(*) AS n FROM df GROUP BY 1 ORDER BY 1",
     rows_of(_by("pclass").survived.agg(["sum", "size"]))),
    ("SELECT sex, pclass, avg(fare) f FROM df GROUP BY ALL ORDER BY f DESC LIMIT 2",
     rows_of(_by(["sex", "pclass"]).fare.mean().sort_values(ascending=False).head(2))),
    ("WITH t AS (SELECT * FROM df WHERE age >= 18) SELECT sex, avg(t.fare), stddev(age) FROM t "
     "GROUP BY sex ORDER BY sex",
     rows_of(_adults.groupby("sex").agg(f=("fare", "mean"), s=("age", "std")))),
    ("SELECT avg(fare) FROM (SELECT fare, age AS years FROM df) v WHERE v.years BETWEEN 18 AND 90",
     [(_adults.fare.mean(),)]),
    ("SELECT count(*) FILTER (WHERE sex = 'male') * 1.0 / count(*) FROM df",
     [((SHIP.sex == "male").mean(),)]),
    ("SELECT sum(CASE WHEN pclass = 1 THEN fare ELSE 0 END), count_if(survived) FROM df",
     [(SHIP.fare[SHIP.pclass == 1].sum(), SHIP.survived.sum())]),
    ("SELECT min(fare), max(age), median(age), quantile_cont(fare, 0.9) FROM df WHERE pclass = 2",
     [tuple(f(SHIP[SHIP.pclass == 2]) for f in (
         lambda d: d.fare.min(), lambda d: d.age.max(), lambda d: d.age.median(),
         lambda d: d.fare.quantile(0.9)))]),
    ("SELECT corr(age, fare), sum(fare * pclass) FROM df",
     [(SHIP.age.corr(SHIP.fare), (SHIP.fare * SHIP.pclass).sum())]),
    ("SELECT age // 10 * 10 AS ten, count(*) FROM df WHERE age IS NOT NULL GROUP BY ten ORDER BY 1",
     rows_of(_by(SHIP.age // 10 * 10).size())),
    ("SELECT month(day) AS m, count(DISTINCT customer) FROM df GROUP BY m ORDER BY m",
     rows_of(_by(SHIP.day.dt.month).customer.nunique())),
    ("SELECT extract(month FROM day) AS m, sum(fare) FROM df WHERE day >= '2024-02-01' "
     "AND day < DATE '2024-02-10' GROUP BY m",
     [(2, SHIP.fare[(SHIP.day >= "2024-02-01") & (SHIP.day < "2024-02-10")].sum())]),
    ("SELECT port, count(*) * 100.0 / (SELECT count(*) FROM df) AS share FROM df GROUP BY port "
     "HAVING count(*) > 50 ORDER BY share",
     rows_of((_by("port").size() * 100 / 891)[lambda s: s > 50 / 8.91].sort_values())),
    ("SELECT count(*) FROM df WHERE fare > (SELECT avg(fare) FROM df) AND sex IN ('female')",
     [((SHIP.fare > SHIP.fare.mean()) & (SHIP.sex == "female")).sum()]),
    ("SELECT a.sex, a.f, b.m FROM (SELECT sex, avg(fare) f FROM df GROUP BY sex) a "
     "JOIN (SELECT sex, max(age) m FROM df GROUP BY sex) b ON a.sex = b.sex ORDER BY a.sex",
     rows_of(_by("sex").agg(f=("fare", "mean"), m=("age", "max")))),
    ("SELECT max(r) - min(r) FROM (SELECT pclass, avg(fare) AS r FROM df GROUP BY pclass)",
     [(np.ptp(_by("pclass").fare.mean()),)]),
    ("SELECT DISTINCT sex FROM df UNION SELECT upper(sex) FROM df GROUP BY upper(sex) ORDER BY 1",
     [("FEMALE",), ("MALE",), ("female",), ("male",)]),
    ("SELECT round(avg(fare), 1), CAST(sum(pclass) AS INT) FROM df",
     [(round(SHIP.fare.mean(), 1), SHIP.pclass.sum())]),
    ("SELECT count(*) FROM df WHERE NOT (sex LIKE 'fe%') OR pclass <> 3 AND age IS NULL",
     [(~SHIP.sex.str.startswith("fe") | (SHIP.pclass != 3) & SHIP.age.isna()).sum()]),
    ("SELECT avg(coalesce(age, 0)), count(age), bool_or(survived) FROM df",
     [(SHIP.age.fillna(0).mean(), SHIP.age.count(), True)]),
    ("FROM df SELECT count(*)", [(891,)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "right"), ALLOWED, ids=range(len(ALLOWED)))
def test_allowed_queries_equal_pandas(ship, text, right):
    found = ship(text)
    right = [row if isinstance(row, tuple) else (row,) for row in right]
    assert len(found) == len(right)
    for row, expected in zip(found, right, strict=True):
        assert list(row) == pytest.approx([getattr(v, "item", lambda v=v: v)() for v in expected])


def test_generated_groupings_equal_pandas(ship):
    draw = random.Random(14)
    names = {
        "avg": "mean",
        "sum": "sum",
        "count": "count",
        "stddev": "std",
        "min": "min",
        "max": "max",
    }
    for _ in range(100):
        keys = draw.sample(["sex", "pclass", "port", "customer"], draw.randint(1, 2))
        column, name = draw.choice(["age", "fare"]), draw.choice(list(names))
        least, above = draw.choice([2, 5, 10]), draw.randint(0, 90)
        part = SHIP[SHIP.fare > above]
        groups = (
            part.groupby(keys)[column]
            .agg(list(dict.fromkeys(["size", "count", names[name]])))
            .reset_index()
        )
        groups = groups[groups["size"] >= least].sort_values(keys)
        few = groups["count"] < least
        groups[names[name]] = groups[names[name]].astype(float).mask(few)
        text = f"SELECT {', '.join(keys)}, {name}({column}) FROM df WHERE fare > {above} GROUP BY "
        found = ship(f"{text}{', '.join(keys)} ORDER BY {', '.join(keys)}", least=least)
        right = groups[[*keys, names[name]]].to_numpy().tolist()
        filled = [[math.nan if v is None else v for v in row] for row in found]
        assert filled == [pytest.approx(row, nan_ok=True) for row in right], text


def test_a_statement_has_one_meaning_and_says_which(ship):
    one = frame("sample", SHIP)
    query = check("SELECT avg(fare) FROM df", [one])
    assert query.scope == "all"
    assert query.notes == (
        "Computed over all 891 rows of df; groups of fewer than 5 are left out.",
    )
    assert check("SELECT fare FROM df", [one]).notes == ("5 of 891 rows of df",)
    with pytest.raises(QueryRefusedError, match="beside aggregates") as refused:
        check("SELECT fare - (SELECT avg(fare) FROM df) FROM df", [one])
    assert "two statements" in refused.value.hint


@pytest.mark.parametrize(
    ("refused", "rewritten", "right"),
    [
        ("SELECT avg(sex = 'male') FROM df", "SELECT avg(CASE WHEN sex = 'male' THEN 1 ELSE 0 END)"
         " FROM df", (SHIP.sex == "male").mean()),
        ("SELECT avg(if(sex = 'male', 1, 0)) FROM df", "SELECT avg(CASE WHEN sex = 'male' THEN 1 "
         "ELSE 0 END) FROM df", (SHIP.sex == "male").mean()),
        ("SELECT avg(date_diff('hour', b.day, a.day)) FROM df a JOIN df b USING (day)",
         "SELECT avg(epoch(a.day) - epoch(b.day)) FROM df a JOIN df b USING (day)", 0),
        ("SELECT max(day) - min(day) FROM df", "SELECT date_diff('day', min(day), max(day)) FROM "
         "df", 37),
        ("SELECT mode(sex) FROM df", "SELECT sex FROM df GROUP BY sex ORDER BY count(*) DESC "
         "LIMIT 1", SHIP.sex.mode()[0]),
        ("SELECT count(*) FROM df WHERE customer IN (SELECT customer FROM df)",
         "SELECT count(DISTINCT a.customer) FROM df a JOIN df b ON a.customer = b.customer", 60),
        ("SELECT sex, count(*) FROM df GROUP BY sex ORDER BY ALL", "SELECT sex, count(*) FROM df "
         "GROUP BY sex ORDER BY 1", "female"),
        ("SELECT pclass, sum(fare) / (SELECT sum(fare) FROM df), sum(fare) FROM df GROUP BY pclass",
         "WITH g AS (SELECT pclass, sum(fare) AS s FROM df GROUP BY pclass), t AS (SELECT sum(s) "
         "AS s FROM g) SELECT g.s / t.s, g.s FROM g, t WHERE pclass = 1",
         SHIP.fare[SHIP.pclass == 1].sum() / SHIP.fare.sum()),
        ("SELECT b.sex, avg(s) FROM (SELECT customer, sum(fare) AS s FROM df GROUP BY customer) a "
         "JOIN df b USING (customer) GROUP BY b.sex",
         "SELECT sum(a.fare) / count(DISTINCT b.customer) FROM df a JOIN df b USING (day)",
         SHIP.fare.sum() / 60),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_a_refusal_advises_runs_and_is_right(ship, refused, rewritten, right):
    with pytest.raises(QueryRefusedError) as raised:
        check(refused, [frame("sample", SHIP)])
    words = re.findall(r"[a-z_]+\(|CASE|ORDER BY|WITH", raised.value.hint)
    assert any(word in rewritten for word in words), raised.value.hint
    assert ship(rewritten)[0][0] == pytest.approx(right)


def test_a_column_that_rounds_another_away_gives_no_figure():
    data = SECRET.assign(id=[1_700_000_000_000_000_000 + n for n in range(ROWS)])
    one = frame("stats", data)
    for text in ("SELECT sum(x + id - id) FROM df", "SELECT avg(x + id) - avg(id) FROM df"):
        assert answered(database((one, data)), text, one) == [(None,)]


def test_full_is_free_also_beside_columns_that_are_not():
    one = frame("stats", SHIP, port="full", sex="full")
    for text in ("SELECT string_agg(port) FROM df", "SELECT port, sex FROM df LIMIT 3"):
        assert check(text, [one]).scope == "full"
    assert check("SELECT port, avg(fare) FROM df GROUP BY port", [one]).scope == "all"
    for text in ("SELECT string_agg(port), sum(fare) FROM df", "SELECT port, fare FROM df"):
        with pytest.raises(QueryRefusedError):
            check(text, [one])


def test_columns_at_schema_or_none_are_not_there():
    one = frame("sample", SHIP, fare="schema", sex="none")
    for name in ("fare", "sex"):
        with pytest.raises(QueryRefusedError, match=f"no column {name}"):
            check(f"SELECT count({name}) FROM df", [one])


class TestLabels:
    def test_at_stats_labels_are_pseudonyms_and_texts_compare_by_them(self):
        one = frame("stats", SHIP)
        connection = database((one, SHIP))
        query = check("SELECT sex, pclass, survived, count(*) FROM df GROUP BY ALL", [one])
        assert query.labels == (1,)  # texts are pseudonyms in the table itself
        assert {row[0] for row in connection.execute(query.sql).fetchall()} == {
            "<value-1>",
            "<value-2>",
        }
        first = SHIP.sex[0]
        found = answered(connection, "SELECT count(*) FROM df WHERE sex = '<value-1>'", one)
        assert found == [((SHIP.sex == first).sum(),)]

    def test_a_pseudonym_of_a_number_is_put_back_in_literals_alone(self):
        one = frame("stats", SHIP)
        connection = database((one, SHIP))
        text = "SELECT count(*) AS \"<value-9>\" FROM df WHERE pclass = '<value-9>'"
        query = check(text, [one], restore=lambda literal: literal.replace("<value-9>", "2"))
        assert '"<value-9>"' in query.sql
        assert connection.execute(query.sql).fetchall() == [((SHIP.pclass == 2).sum(),)]

    def test_masked_columns_stand_bare_at_any_level(self):
        one = GatedFrame("df", {"mail": GatedColumn(Level.parse("full"), "text", masked=True),
                           "x": GatedColumn(Level.parse("sample"), "number")}, 20, 5)  # fmt: skip
        assert check("SELECT mail, sum(x) FROM df GROUP BY mail", [one]).scope == "all"
        with pytest.raises(QueryRefusedError, match="taken apart"):
            check("SELECT lower(mail), sum(x) FROM df GROUP BY 1", [one])


class TestGroups:
    def test_groups_that_are_left_out_are_counted_unless_that_tells_of_one(self):
        data = pd.DataFrame({"g": ["a"] * 9 + ["b", "c", "c", "d", "d"], "x": range(14)})
        for cut, told in ((14, 3), (12, None), (10, None), (9, None)):
            one = frame("sample", data[:cut])
            query = check("SELECT g, sum(x) FROM df GROUP BY g", [one])
            connection = database((one, data[:cut]))
            assert connection.execute(query.sql).fetchall() == [("a", 36)]
            assert connection.execute(query.left_out).fetchall() == [(told,)]

    def test_none_and_one_to_four_look_alike(self, ship):
        few = SHIP.fare.nlargest(6).tolist()
        text = "SELECT count(*), sum(fare), count(*) FILTER (WHERE fare >= {}), count(age) FROM df"
        assert ship(text.format(few[0] + 1))[0][2] is ship(text.format(few[3]))[0][2] is None
        assert ship(text.format(few[4]))[0][2] == 5
        where = "SELECT count(*), avg(fare) FROM df WHERE fare >= {}"
        assert ship(where.format(few[0] + 1)) == ship(where.format(few[3])) == []

    def test_the_least_group_is_two(self):
        data = pd.DataFrame({"g": ["a", "b", "b"], "x": [1, 2, 3]})
        one = frame("sample", data)
        text = "SELECT g, sum(x) FROM df GROUP BY g"
        assert answered(database((one, data)), text, one, least=1) == [("b", 5)]

    def test_a_unit_is_counted_instead_of_rows(self):
        data = pd.DataFrame(
            {"g": ["a"] * 30 + ["b"] * 30, "who": [1, 2, 3] * 10 + list(range(30)), "x": 1}
        )
        one = frame("sample", data, who="none", unit="who")
        connection = database((one, data))
        assert answered(connection, "SELECT g, sum(x) FROM df GROUP BY g", one) == [("b", 30)]
        half = "SELECT sum(x) FILTER (WHERE g = 'a') FROM df"
        assert answered(connection, half, one) == [(None,)]
        view = "SELECT g, sum(x) FROM (SELECT * FROM df) v GROUP BY g"
        assert answered(connection, view, one) == [("b", 30)]


class TestJoins:
    ORDERS = pd.DataFrame({"buyer": [n % 12 for n in range(60)], "amount": range(60)})
    BUYERS = pd.DataFrame({"buyer": range(12), "land": ["DE", "FR"] * 6, "income": range(12)})

    def _answer(self, text: str):
        orders, buyers = (
            frame("sample", self.ORDERS, "orders"),
            frame("sample", self.BUYERS, "buyers"),
        )
        connection = database((orders, self.ORDERS), (buyers, self.BUYERS))
        return answered(connection, text, orders, buyers)

    def test_frames_join_by_equal_columns(self):
        KINDS["land"] = "text"
        both = self.ORDERS.merge(self.BUYERS, on="buyer").groupby("land").amount.sum()
        text = "SELECT land, sum(amount) FROM orders {} GROUP BY land ORDER BY land"
        for join in (
            "JOIN buyers USING (buyer)", "o JOIN buyers b ON o.buyer = b.buyer",
            "o, buyers b WHERE o.buyer = b.buyer", "LEFT JOIN buyers USING (buyer)",
        ):  # fmt: skip
            assert self._answer(text.format(join)) == list(both.items())

    def test_what_a_join_repeats_is_counted_and_not_summed(self):
        join = "FROM orders JOIN buyers USING (buyer)"
        text = f"SELECT count(*), count(DISTINCT income), sum(income) {join}"
        assert self._answer(text) == [(60, 12, None)]

    def test_each_frame_has_its_own_count(self):
        text = "SELECT sum(amount) FROM orders JOIN buyers USING (buyer) WHERE income < {}"
        assert self._answer(text.format(4)) == []
        assert self._answer(text.format(5)) == [(self.ORDERS.amount[self.ORDERS.buyer < 5].sum(),)]


class TestUnited:
    """UNION ALL and LIMIT below an aggregate: counted are different rows."""

    ONE = SHIP.iloc[:400].reset_index(drop=True)
    OTHER = SHIP.iloc[400:].reset_index(drop=True)
    BOTH = "(SELECT sex, fare FROM one UNION ALL SELECT sex, fare FROM other)"

    def _answer(self, text: str, level: str = "sample", **frames):
        known = [(frame(level, data, name), data) for name, data in frames.items()]
        return answered(database(*known), text, *(one for one, _ in known))

    def test_two_frames_are_one(self):
        text = f"SELECT sex, count(*), sum(fare) FROM {self.BOTH} GROUP BY sex ORDER BY sex"
        found = self._answer(text, one=self.ONE, other=self.OTHER)
        right = rows_of(SHIP.groupby("sex").fare.agg(["size", "sum"]))
        assert found == [(sex, n, pytest.approx(fare)) for sex, n, fare in right]

    def test_each_frame_has_its_own_count(self):
        text = f"SELECT sum(fare) FROM {self.BOTH} WHERE fare >= {{}}"
        few = self.ONE.fare.nlargest(5).iloc[-1]
        cut = self.OTHER[self.OTHER.fare < few]
        right = self.ONE.fare[self.ONE.fare >= few].sum()
        assert self._answer(text.format(few), one=self.ONE, other=cut) == [(pytest.approx(right),)]
        more = pd.concat([cut, self.OTHER[self.OTHER.fare >= few].head(2)])
        assert len(more) > len(cut)
        assert self._answer(text.format(few), one=self.ONE, other=more) == []

    @pytest.mark.parametrize(
        "both",
        [
            "SELECT x FROM df UNION ALL SELECT x FROM df",
            "SELECT x FROM df WHERE name = 'n1' UNION ALL SELECT h FROM df WHERE name <> 'n1'",
            "SELECT a.x FROM df a JOIN other o ON a.h = o.h UNION ALL SELECT h FROM df",
            "SELECT x FROM df UNION ALL SELECT x FROM other UNION ALL SELECT h FROM df",
        ],
    )
    def test_one_row_of_a_frame_is_not_put_beside_others_that_weigh_nothing(self, both):
        with pytest.raises(QueryRefusedError, match="rows of one frame"):
            self._answer(f"SELECT sum(x) FROM ({both}) t", df=SECRET, other=SECRET)

    def test_a_limit_below_counts_after_it(self):
        for below in ("LIMIT {}", "ORDER BY fare DESC LIMIT {}"):
            text = f"SELECT count(*), avg(fare) FROM (SELECT fare FROM df {below})"
            assert self._answer(text.format(4), df=SHIP) == []
            ((count, mean),) = self._answer(text.format(20), df=SHIP)
            assert count == 20
            assert 0 < mean < 100


class TestDifferences:
    """Two aggregates of one statement whose difference is a row."""

    def _nothing(self, text: str) -> None:
        one = frame("sample")
        try:
            rows = answered(secrets_at("sample"), text, one)
        except QueryRefusedError:
            return
        assert not FIGURES.in_rows(rows, True), rows

    def test_filters_that_differ_by_a_row(self):
        ordered = sorted(SECRET.x)
        for at in range(5, 15):
            one, other = (f"sum(x) FILTER (WHERE x <= {ordered[n]})" for n in (at, at + 1))
            self._nothing(f"SELECT {one} - {other} FROM df")
            self._nothing(f"SELECT {one}, {other} FROM df")
            self._nothing(
                f"SELECT a.s - b.s FROM (SELECT {one} s FROM df) a, (SELECT {other} s FROM df) b"
            )
            self._nothing(f"SELECT sum(x) - {one}, count(*) FROM df WHERE x <= {ordered[at + 1]}")

    def test_missing_values_that_differ_by_a_row(self):
        data = SECRET.assign(z=[float("nan"), *map(float, SECRET.y[1:])])
        one = frame("sample", data)
        for text in (
            "SELECT sum(x) - sum(x + 0 * z) FROM df", "SELECT avg(x) - regr_avgx(z, x) FROM df",
            "SELECT sum(x), sum(CASE WHEN z IS NULL THEN 0 ELSE x END) FROM df",
            "SELECT sum(x), sum(x) FILTER (WHERE z IS NOT NULL) FROM df",
            "SELECT sum(x + coalesce(z, 0)) - sum(x + z) FROM df",
        ):  # fmt: skip
            rows = answered(database((one, data)), text, one)
            assert not FIGURES.in_rows(rows, True), text

    def test_marks_of_a_row(self):
        data = SECRET.assign(mark=[1, *[0] * 19], five=[7, *[5] * 19], flag=[True, *[False] * 19])
        data = data.assign(same=[SECRET.y[0] + 1, *SECRET.y[1:]])
        one = frame("sample", data)
        for text in (
            "SELECT sum(x * mark) FROM df", "SELECT sum(x * five) - 5 * sum(x) FROM df",
            "SELECT sum(x * CAST(flag AS INT)) FROM df", "SELECT regr_intercept(x, mark) FROM df",
            "SELECT regr_intercept(x, mark) + regr_slope(x, mark) FROM df",
            "SELECT covar_pop(x, mark), avg(x) FROM df", "SELECT sum((five - 5) * x) / 2 FROM df",
            "SELECT sum((same - y) * x) FROM df",
        ):  # fmt: skip
            rows = answered(database((one, data)), text, one)
            assert not FIGURES.in_rows(rows, True), text
            assert not any(rows[0][:1]), text

    def test_marks_of_a_row_within_a_part(self):
        data = SECRET.assign(mark=[0] * 10 + [1] * 9 + [100])
        one = frame("sample", data)
        where = "FILTER (WHERE mark <> 0)"
        text = f"SELECT (sum(x * mark) {where} - sum(x) {where}) / 99 FROM df"
        assert answered(database((one, data)), text, one) == [(None,)]

    @pytest.mark.parametrize(
        "item",
        [
            "sum(x) - {}", "sum(x) + -1 * {}", "sum(x) % {}", "sum(x) // {}", "sum(x) / {} - 1",
            "(1 + sum(x) / 1e18) / {}", "ln(sum(x) / {})", "greatest(sum(x), {}, 0)",
            "sqrt(sum(x)) * {}", "floor(sum(x)) / {}", "exp(sum(x) / 1e13) / {}", "sum(x), {}",
            "CASE WHEN TRUE THEN sum(x) ELSE {} END - sum(x)",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("total", ["(SELECT sum(x) FROM df)", "(SELECT count(*) FROM df)"])
    def test_between_different_rows_there_are_ratios_alone(self, item, total):
        text = "SELECT g, {} FROM df GROUP BY g"
        check(text.format(f"round(100.0 * sum(x) / {total}, 1)"), [frame("sample")])
        if item != "sum(x), {}" or "sum" in total:
            with pytest.raises(QueryRefusedError):
                check(text.format(item.format(total)), [frame("sample")])

    @pytest.mark.parametrize(
        "text",
        [
            "SELECT (SELECT sum(x) FROM df), (SELECT sum(x) FROM df WHERE h <> 1)",
            "SELECT sum(x), (SELECT sum(x) FROM df WHERE h <> 1) FROM df",
            "SELECT sum(x) FROM df UNION ALL SELECT sum(x) FROM df WHERE x <> 5",
            "SELECT g, sum(x) FROM df GROUP BY g UNION ALL "
            "SELECT g, sum(x) FROM df WHERE x <> 5 GROUP BY g",
            "SELECT avg(x) FROM df UNION ALL SELECT avg(x) FROM (SELECT x FROM df LIMIT 19)",
            "SELECT g, sum(x) FROM df GROUP BY g UNION ALL SELECT 'all', sum(x) FROM df",
            "SELECT sum(x) FROM df GROUP BY g UNION ALL SELECT sum(x) FROM df GROUP BY g, h",
            "SELECT avg(x) FROM df UNION ALL SELECT avg(x) FROM df HAVING "
            "avg(x) > (SELECT sum(x) FROM df WHERE h <> 1)",
            "SELECT sum(x), sum(x) / (SELECT sum(x) FROM df WHERE h <> 1) FROM df",
            "SELECT sum(x) / (SELECT sum(x) FROM df), avg(y) FROM df WHERE h <> 1",
            "SELECT 2 * sum(x) / (SELECT sum(x) FROM df) FROM df UNION ALL SELECT sum(x) FROM df",
            "SELECT count(*) / (SELECT sum(x) FROM df WHERE h <> 1), sum(x) FROM df",
            "SELECT 1.0 / (SELECT sum(x) FROM df WHERE h <> 1), sum(x) FROM df",
            "SELECT sum(x) / (SELECT avg(0 * x + 1) FROM df WHERE h <> 1) FROM df",
            "SELECT sum(x) / (SELECT sum(x) FROM df), sum(x) / (SELECT sum(x) FROM df WHERE h <> 1)"
            " FROM df",
            "SELECT sum(x) / (SELECT sum(x) FROM df) FROM df WHERE g = 'a' UNION ALL "
            "SELECT sum(x) / (SELECT sum(x) FROM df) FROM df WHERE g = 'a' AND h <> 1",
        ],
    )
    def test_figures_of_different_rows_do_not_stand_in_one_statement(self, text):
        with pytest.raises(QueryRefusedError, match="different rows of df") as refused:
            check(text, [frame("sample")])
        assert "FILTER" in refused.value.hint

    def test_conditions_and_counts_may_be_of_other_rows(self):
        for text in (
            "SELECT avg(x) FROM df WHERE x > (SELECT avg(x) FROM df) AND g IN "
            "(SELECT g FROM df WHERE h = 1 GROUP BY g HAVING avg(y) > 5)",
            "SELECT g, sum(x), count(*) / (SELECT count(*) FROM df) FROM df WHERE h = 1 GROUP BY g",
            "SELECT g, sum(x) / (SELECT sum(x) FROM df) FROM df GROUP BY g",
            "SELECT g, 100 * sum(x) / (SELECT sum(x) FROM df) AS a, round(avg(y) / (SELECT avg(y) "
            "FROM df), 2) AS b, count(*) FROM df GROUP BY g ORDER BY a",
            "SELECT avg(a.x) FROM df a JOIN df b ON a.name = b.name AND a.x + 1 > 3",
        ):
            check(text, [frame("sample")])

    def test_groups_that_share_rows(self):
        links = pd.DataFrame({"h": [0, 0, 1, 2], "part": [1, 2, 2, 3]})
        one, full = frame("sample"), frame("full", links, "links")
        text = (
            "WITH t AS (SELECT part, sum(x) s FROM df JOIN links USING (h) GROUP BY part) "
            "SELECT {} FROM t"
        )
        for item in ("max(s) - min(s)", "sum(s)", "stddev(s)", "sum(s) FILTER (WHERE part = 1)"):
            with pytest.raises(QueryRefusedError, match="different rows"):
                check(text.format(item), [one, full])


def test_errors_are_a_class_and_a_place():
    connection = duckdb.connect()
    with pytest.raises(duckdb.Error) as raised:
        connection.execute("SELECT CAST('Alice Quux' AS INT)").fetchall()
    assert failure(raised.value).startswith("The query failed: ConversionException")
    assert "Alice" not in failure(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT FROM",
        "SELECT (((",
        "",
        ";",
        "SELECT 1 FROM df WHERE \0",
        "(" * 3_000,
        "SELECT count(*), " + "- " * 3_000 + "1 FROM df",
        "SELECT count(*) FROM df WHERE " + "NOT (" * 3_000 + "TRUE" + ")" * 3_000,
        "SELECT count(*), a.b.c.d FROM df",
        "SHOW TABLES",
        "CALL pragma_version()",
        "SELECT count(*) AS a0, "
        + ", ".join(f"a{n} + a{n} AS a{n + 1}" for n in range(40))
        + " FROM df",
        "WITH t0 AS (SELECT count(*) AS n FROM df), "
        + ", ".join(f"t{n + 1} AS (SELECT a.n FROM t{n} a, t{n} b)" for n in range(20))
        + " SELECT n FROM t20",
        "SELECT count(*) AS b, a AS b2, b2 AS a FROM df GROUP BY a",
        "SELECT x.*, count(*) FROM df",
    ],
    ids=lambda text: text[:30],
)
def test_what_cannot_be_read_is_refused_in_time_and_silently(text, caplog):
    with pytest.raises(QueryRefusedError):
        check(text, [frame("sample")])
    assert caplog.records == []
