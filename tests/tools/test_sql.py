"""The sql tool: every library's frames, and nothing of them that the policy keeps here."""

from __future__ import annotations

import datetime as dt
import re
import sys
from decimal import Decimal
from itertools import product

import pytest

pa = pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")
pytest.importorskip("duckdb", reason="duckdb has no wheel for this Python")
pd = pytest.importorskip("pandas", reason="pandas has no wheel for this Python")
pl = pytest.importorskip("polars", reason="polars has no wheel for this Python")

from deepseek_jupyter.context.attach import attach  # noqa: E402
from deepseek_jupyter.errors import ConfigurationError, QueryError, ToolError  # noqa: E402
from deepseek_jupyter.privacy.levels import parse_spec  # noqa: E402
from deepseek_jupyter.privacy.redaction import Redactor  # noqa: E402
from deepseek_jupyter.tools import sql  # noqa: E402
from deepseek_jupyter.tools.arrow import frame_like, frame_of  # noqa: E402
from deepseek_jupyter.tools.sql import QueryResult, sql_tool, told  # noqa: E402


@pytest.fixture
def tool_of():
    """A tool over frames, each with its policy: ``tool_of(df=(frame, "full,name=none"))``."""
    tools = []

    def make(redactor: Redactor | None = None, keep=None, **frames):
        values = {name: value for name, (value, _) in frames.items()}
        policies = {name: parse_spec(f"{name}:{spec}")[1] for name, (_, spec) in frames.items()}
        tools.append(sql_tool(values, policies, redactor=redactor, keep=keep))
        return tools[-1]

    yield make
    for tool in tools:
        tool.call.close()


def ask(tool, query: str) -> str:
    return tool.text(tool.call(query=query))


def of_library(name: str):
    table = pa.table({"a": [1, 2, 3], "s": ["x", "y", None]})
    if name == "pandas":
        return table.to_pandas()
    if name.startswith("polars"):
        return pl.from_arrow(table).lazy() if "lazy" in name else pl.from_arrow(table)
    if name.startswith("pyarrow"):
        return table.to_batches()[0] if "batch" in name else table
    if name == "duckdb":
        return pytest.importorskip(
            "duckdb", reason="duckdb has no wheel for this Python"
        ).from_arrow(table)
    if name == "dask":
        dask = pytest.importorskip("dask.dataframe", reason="dask has no wheel for this Python")
        return dask.from_pandas(table.to_pandas(), npartitions=2)
    return pytest.importorskip("ibis", reason="ibis has no wheel for this Python").memtable(table)


LIBRARIES = [
    "pandas",
    "polars",
    "polars lazy",
    "pyarrow",
    "pyarrow batch",
    "duckdb",
    "dask",
    "ibis",
]


class TestFrames:
    def test_any_librarys_frame_is_a_table(self, tool_of):
        frames = {name.replace(" ", "_"): (of_library(name), "full") for name in LIBRARIES}
        tool = tool_of(**frames)
        for name in frames:
            assert ask(tool, f"SELECT sum(a) AS a, count(s) AS n FROM {name}") == (
                "a,n\n6,2\n(1 row)"
            ), name

    def test_frames_can_be_joined_across_libraries(self, tool_of):
        left = pd.DataFrame({"k": [1, 2], "v": [10, 20]})
        right = pl.DataFrame({"k": [2, 3], "w": ["b", "c"]}).lazy()
        tool = tool_of(a=(left, "full"), b=(right, "full"))
        assert ask(tool, "SELECT v, w FROM a JOIN b USING (k)") == "v,w\n20,b\n(1 row)"

    def test_a_lazy_frame_is_read_whole_and_not_only_its_first_rows(self, tool_of):
        tool = tool_of(df=(pl.LazyFrame({"a": range(5_000)}), "full"))
        assert ask(tool, "SELECT count(*) AS n, max(a) AS m FROM df") == "n,m\n5000,4999\n(1 row)"

    def test_a_series_and_a_named_index_are_columns(self, tool_of):
        series = pd.Series([1.5, 2.5], name="v", index=pd.Index(["p", "q"], name="key"))
        assert ask(tool_of(s=(series, "full")), "FROM s") == "key,v\np,1.5\nq,2.5\n(2 rows)"

    def test_odd_names_and_names_that_differ_in_case_alone_stay_apart(self, tool_of):
        frame = pd.DataFrame([[1, 2, 3]], columns=["Price", "price", 'a "b", c'])
        tool = tool_of(df=(frame, "full"))
        assert ask(tool, "FROM df").startswith('Price,price_2,"a ""b"", c"\n1,2,3')
        assert '"a ""b"", c"' in tool.description

    def test_an_expression_is_a_name_in_quotes(self, tool_of):
        frame = pd.DataFrame({"a": [1]})
        policy = parse_spec("df:full")[1]
        tool = sql_tool({"df[df.a > 0]": frame}, {"df[df.a > 0]": policy})
        assert '"df[df.a > 0]": a' in tool.description
        assert ask(tool, 'FROM "df[df.a > 0]"') == "a\n1\n(1 row)"
        tool.call.close()

    def test_types_keep_their_meaning(self, tool_of):
        frame = pd.DataFrame(
            {
                "category": pd.Categorical(["b", "a"]),
                "mixed": [1, "x"],
                "month": pd.period_range("2024-01", periods=2, freq="M"),
                "delay": pd.to_timedelta([90, 3600], unit="s"),
                "nullable": pd.array([1, None], dtype="Int64"),
                "local": pd.date_range("2024-03-31", periods=2, tz="Europe/Berlin"),
                "day": [dt.date(2024, 1, 1), None],
                "list": [[1, 2], []],
                "flag": [True, False],
            }
        )
        text = ask(tool_of(df=(frame, "full")), "FROM df ORDER BY category DESC")
        head, first, second = text.splitlines()[:3]
        assert head == ",".join(frame.columns)
        assert first == ('b,1,2024-01,0:01:30,1,2024-03-31 00:00:00+01:00,2024-01-01,"[1, 2]",True')
        assert second == "a,x,2024-02,1:00:00,NULL,2024-04-01 00:00:00+02:00,NULL,[],False"

    def test_a_frame_that_is_large_or_lazy_is_copied_only_after_a_yes(self, tool_of, monkeypatch):
        lazy = tool_of(df=(pl.LazyFrame({"a": range(5_000)}), "full"))
        assert lazy.consent == "ask"
        assert "Copies all of df first; its size is not known" in lazy.shown({"query": "FROM df"})
        frame = pd.DataFrame({"a": range(5_000)})
        assert tool_of(df=(frame, "full")).consent == "never needed"
        monkeypatch.setattr(sql, "MOST", 1_000)
        assert tool_of(df=(frame, "full")).consent == "ask"

    def test_nothing_is_copied_before_the_first_query(self, tool_of, monkeypatch):
        monkeypatch.setattr(sql, "fill", lambda *args: pytest.fail("copied"))
        tool = tool_of(df=(pd.DataFrame({"a": range(9)}), "sample"))
        assert "5 of 9 rows of df" in tool.shown({"query": "SELECT a FROM df"})
        with pytest.raises(QueryError, match="any_value does not run"):
            tool.call(query="SELECT any_value(a) FROM df")

    def test_an_empty_frame_is_a_table_without_rows(self, tool_of):
        frame = pl.DataFrame({"a": []}, schema={"a": pl.String})
        assert ask(tool_of(df=(frame, "full"), redactor=Redactor()), "FROM df") == "a\n(no rows)"


WARDS = pl.DataFrame(
    {
        "region": ["north", "south"] * 50,
        "price": range(100),
        "salary": [f"SALARY-{n:03}" for n in range(100)],
        "diagnosis": [f"DIAGNOSIS-{n:03}" for n in range(100)],
        "ward": [f"WARD-{n:03}" for n in range(100)],
    }
)
WARDS_SPEC = "sample(3),region=full,price=full,salary=stats,diagnosis=schema,ward=none"


@pytest.fixture(scope="module")
def wards():
    policy = parse_spec(f"df:{WARDS_SPEC},region=sample")[1]
    tool = sql_tool({"df": WARDS}, {"df": policy})
    yield tool
    tool.call.close()


class TestPolicy:
    def test_only_columns_at_full_are_there_with_all_rows(self, tool_of):
        text = ask(tool_of(df=(WARDS, WARDS_SPEC)), "SELECT region, price FROM df")
        assert text.startswith("region,price\nnorth,0\n")
        assert text.endswith("(the first 50 of 100 rows)")

    @pytest.mark.parametrize("column", ["diagnosis", "ward"])
    @pytest.mark.parametrize(
        "query",
        [
            "SELECT {} FROM df",
            "SELECT max({}) FROM df",
            "SELECT count({}) FROM df",
            "SELECT count(*) FROM df WHERE {} LIKE 'S%'",
            "SELECT price FROM df ORDER BY {}",
            "SELECT {}::INTEGER FROM df",
            "SELECT COLUMNS('{}') FROM df",
            "SELECT df.{} FROM df",
            "SELECT * FROM df WHERE {} IS NOT NULL",
        ],
    )
    def test_kept_columns_cannot_be_asked_in_any_way(self, wards, query, column):
        with pytest.raises(QueryError) as caught:
            wards.call(query=query.format(column))
        assert "-0" not in str(caught.value)

    @pytest.mark.parametrize("query", ["FROM df", "SELECT region, price FROM df"])
    def test_kept_values_are_in_no_table_of_rows(self, wards, query):
        text = ask(wards, query) + wards.description
        assert not [kept for kept in ("SALARY", "DIAGNOSIS", "WARD") if kept in text]
        assert "ward" not in text

    @pytest.mark.parametrize("query", ["SUMMARIZE df", "DESCRIBE df", "SHOW ALL TABLES"])
    def test_statements_that_read_everything_do_not_run_over_what_is_kept(self, wards, query):
        with pytest.raises(QueryError, match="does not run over protected data"):
            wards.call(query=query)

    def test_figures_of_a_column_at_stats_are_of_all_rows(self, tool_of):
        frame = WARDS.with_columns(pay=pl.int_range(100))
        tool = tool_of(df=(frame, f"{WARDS_SPEC},pay=stats,region=sample"))
        text = ask(tool, "SELECT region, avg(pay) AS pay FROM df GROUP BY region ORDER BY region")
        rows = "region,pay\nnorth,49\nsouth,50\n(2 rows)\n"
        assert (
            text == f"{rows}Computed over all 100 rows of df; groups of fewer than 5 are left out."
        )
        for query in ("SELECT pay FROM df", "SELECT max(pay) FROM df WHERE price > 3"):
            with pytest.raises(QueryError):
                tool.call(query=query)

    def test_labels_that_may_not_leave_are_pseudonyms(self, tool_of):
        redactor = Redactor()
        frame = pl.DataFrame({"code": [250, 401] * 10, "drug": ["aspirin", "insulin"] * 10})
        tool = tool_of(df=(frame, "stats"), redactor=redactor)
        for column, kept in (("code", "401"), ("drug", "insulin")):
            text = ask(tool, f"SELECT {column}, count(*) AS n FROM df GROUP BY 1 ORDER BY 1")
            assert kept not in text
            assert kept in redactor.restore(text)
            label = next(name for name, word in redactor.known.items() if word == kept)
            found = ask(tool, f"SELECT count(*) AS n FROM df WHERE {column} = '{label}'")
            assert found.startswith("n\n10\n")

    def test_more_texts_than_get_pseudonyms_are_counted_all_the_same(self, tool_of, monkeypatch):
        monkeypatch.setattr(sql, "_VEILED", 10)
        frame = pl.DataFrame({"code": [f"SECRET-{n // 6}" for n in range(90)]})
        text = ask(
            tool_of(df=(frame, "stats"), redactor=Redactor()),
            "SELECT code, count(*) AS n, count(DISTINCT code) AS d FROM df GROUP BY 1 LIMIT 1",
        )
        assert text.startswith("code,n,d\n(text ")
        assert "),6,1\n" in text

    def test_groups_that_are_left_out_are_counted(self, tool_of):
        frame = pl.DataFrame({"g": ["a"] * 20 + [f"x{n}" for n in range(9)]})
        text = ask(tool_of(df=(frame, "sample")), "SELECT g, count(*) AS n FROM df GROUP BY g")
        assert text.startswith("g,n\na,20\n(1 row)")
        assert text.endswith("\n9 groups are left out.")

    def test_errors_over_all_rows_quote_nothing(self, tool_of):
        frame = pl.DataFrame({"name": [f"SECRET-{n}" for n in range(20)], "x": range(20)})
        query = (
            "SELECT (SELECT avg(x) FROM df GROUP BY x // 10) AS a, count(*) FROM df "
            "WHERE name LIKE 'SECRET%'"
        )
        with pytest.raises(QueryError, match=r"^The query failed: InvalidInputException") as caught:
            tool_of(df=(frame, "sample")).call(query=query)
        assert "SECRET-" not in str(caught.value)

    def test_rows_are_those_of_the_card_and_the_answer_says_so(self, tool_of):
        frame = pl.DataFrame({"a": range(100), "b": range(100, 200)})
        tool = tool_of(df=(frame, "sample(5)"))
        assert "df (aggregates over all rows, and sample rows): a, b" in tool.description
        text = ask(tool, "SELECT a FROM df ORDER BY a LIMIT 1")
        assert text == "a\n0\n(1 row)\n5 of 100 rows of df"
        assert ask(tool, "SELECT avg(a) AS a FROM df").startswith("a\n49.5\n(1 row)\nComputed over")

    @pytest.mark.parametrize("lazy", [False, True])
    def test_the_sampled_rows_are_those_of_the_card(self, tool_of, lazy):
        frame = pl.DataFrame({"a": [f"A{n:03}" for n in range(300)], "b": range(300)})
        frame, redactor = frame.lazy() if lazy else frame, Redactor()
        many = [f"{spec},budget=100000" for spec in ("sample(5)", "sample(3),b=full",
                                                     "sample(7),b=sample(2)")]  # fmt: skip
        specs = {f"df{at}": spec for at, spec in enumerate([*many, "sample(20),budget=60"])}
        tool = tool_of(redactor, **{name: (frame, spec) for name, spec in specs.items()})
        for name, spec in specs.items():
            card = attach(name, frame, parse_spec(f"{name}:{spec}")[1], redactor).text
            found = tool.call(query=f"SELECT a FROM {name} WHERE a IS NOT NULL").table["a"]
            assert len(found)
            if spec in many:  # else the card shows fewer of them
                assert [value for value in found.to_pylist() if value not in card] == []

    def test_a_column_with_a_smaller_sample_is_empty_beyond_it(self, tool_of):
        frame = pl.DataFrame({"a": range(100), "b": range(100)})
        tool = tool_of(df=(frame, "sample(5),b=sample(2)"))
        rows = tool.call(query="SELECT a, b FROM df").table
        assert [5 - column.null_count for column in rows.columns] == [5, 2]

    def test_a_frame_at_full_keeps_all_rows_beside_one_that_is_not(self, tool_of):
        frame = pl.DataFrame({"a": range(10)})
        tool = tool_of(df=(frame, "sample"), other=(frame, "full"))
        query = "SELECT x.a FROM other AS x LEFT JOIN df USING (a)"
        assert tool.call(query=query).table.num_rows == 10

    def test_nothing_to_query_is_an_error_that_says_what_to_do(self):
        frame = pl.DataFrame({"a": [1]})
        with pytest.raises(ToolError, match=r"no column be queried.\nAttach one: --attach df:full"):
            sql_tool({"df": frame}, {"df": parse_spec("df:schema")[1]})
        with pytest.raises(ToolError, match="No frame is attached"):
            sql_tool({}, {})


class TestMasking:
    FRAME = pl.DataFrame(
        {
            "mail": ["ada@example.org", "bob@example.org", "ada@example.org", None],
            "full_name": ["Ada Byron", "Bob Noyce", "Ada Byron", None],
            "phone": [491701234567, 491707654321, 491701234567, None],
            "n": [1, 2, 3, 4],
        }
    )

    def test_a_function_cannot_take_a_masked_value_apart(self, tool_of):
        redactor = Redactor()
        tool = tool_of(df=(self.FRAME, "full"), redactor=redactor)
        text = ask(
            tool,
            "SELECT substr(mail, 1, 4), reverse(mail), upper(full_name), md5(mail), "
            "string_split(full_name, ' '), phone || '', hex(mail), ascii(mail) FROM df",
        )
        for kept in ("ada@", "gro.elpmaxe", "BYRON", "Byron", "4917", "616461"):
            assert kept not in text

    def test_pseudonyms_group_and_join_as_the_values_do_and_can_be_revealed(self, tool_of):
        redactor = Redactor()
        tool = tool_of(df=(self.FRAME, "full"), redactor=redactor)
        text = ask(
            tool,
            "SELECT mail, full_name, sum(n)::INT AS n FROM df GROUP BY ALL ORDER BY n DESC LIMIT 2",
        )
        assert "<email-1>,<person-1>,4" in text
        assert "ada@example.org,Ada Byron,4" in redactor.restore(text)

    def test_the_pseudonyms_are_those_of_the_card(self, tool_of):
        redactor = Redactor()
        card = attach("df", self.FRAME, parse_spec("df:full")[1], redactor).text
        tool = tool_of(df=(self.FRAME, "full"), redactor=redactor)
        pseudonym = (
            tool.call(query="SELECT full_name AS p FROM df WHERE n = 2").table["p"][0].as_py()
        )
        assert pseudonym in card
        assert redactor.restore(pseudonym) == "Bob Noyce"

    def test_values_that_another_frame_keeps_back_are_masked_here_too(self, tool_of):
        redactor = Redactor()
        kept = pl.DataFrame({"code": ["PROJECT-BLUEBIRD"]})
        attach("kept", kept, parse_spec("kept:none")[1], redactor)
        frame = pl.DataFrame({"note": ["see PROJECT-BLUEBIRD", "nothing"]})
        text = ask(tool_of(df=(frame, "full"), redactor=redactor), "SELECT lower(note) FROM df")
        assert "bluebird" not in text

    def test_duckdbs_error_quotes_a_pseudonym_and_not_the_value(self, tool_of):
        tool = tool_of(df=(self.FRAME, "full"), redactor=Redactor())
        with pytest.raises(QueryError, match="Could not convert string '<email-1>'") as caught:
            tool.call(query="SELECT mail::INTEGER FROM df")
        assert "ada@" not in str(caught.value)

    def test_names_of_columns_pass_the_gate(self, tool_of):
        frame = pl.DataFrame({"ada@example.org": [1]})
        tool = tool_of(df=(frame, "full"), redactor=Redactor())
        assert "ada@" not in tool.description + ask(tool, "FROM df")


class TestText:
    def test_a_long_result_is_cut_and_its_whole_stays_in_the_notebook(self, tool_of):
        kept = []
        keep = lambda table: kept.append(table) or "sql_1"  # noqa: E731
        tool = tool_of(df=(pl.DataFrame({"a": range(1_234)}), "full"), keep=keep)
        text = ask(tool, "FROM df")
        assert text.endswith("\n49\n(the first 50 of 1,234 rows; the notebook keeps all as sql_1)")
        assert kept[0].num_rows == 1_234

    def test_a_short_result_is_not_kept(self, tool_of):
        tool = tool_of(df=(pl.DataFrame({"a": [1]}), "full"), keep=pytest.fail)
        assert ask(tool, "FROM df") == "a\n1\n(1 row)"

    def test_a_result_beyond_the_cap_says_that_there_is_more(self):
        result = QueryResult(pa.table({"a": range(60)}), more=True, name="sql_1")
        assert told(result).endswith(
            "(the first 50 of more than 60 rows; the notebook keeps these as sql_1)"
        )

    def test_wide_rows_and_long_texts_stay_within_the_tokens(self):
        wide = pa.table({"a": ["long words " * 500] * 50})
        text = told(QueryResult(wide))
        assert text.count("…") > 1
        assert len(text) < sql.TOKENS * 6
        assert "of 50 rows)" in text

    def test_even_one_row_that_is_too_long_is_shown(self):
        row = pa.table({f"c{n}": ["x" * 300] for n in range(100)})
        assert "(1 row)" in told(QueryResult(row))

    def test_missing_values_are_told_from_empty_texts(self):
        assert told(QueryResult(pa.table({"a": [None, ""]}))) == 'a\nNULL\n""\n(2 rows)'

    def test_a_value_that_python_has_no_type_for_does_not_break_the_rest(self, tool_of):
        tool = tool_of(df=(pl.DataFrame({"a": [1]}), "full"))
        text = ask(tool, "SELECT DATE '290309-12-21 (BC)' AS d, a FROM df")
        assert text == "d,a\n(not shown),1\n(1 row)"

    def test_the_preview_is_the_query_itself(self, tool_of):
        tool = tool_of(df=(pl.DataFrame({"a": [1]}), "full"))
        assert tool.shown({"query": "SELECT 1\nFROM df"}) == "SELECT 1\nFROM df"


def test_without_duckdb_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sql, "find_spec", lambda name: None if name == "duckdb" else True)
    with pytest.raises(ToolError, match=r"needs duckdb.\npip install 'deepseek-jupyter\[sql\]'"):
        sql_tool({"df": pl.DataFrame({"a": [1]})}, {"df": parse_spec("df:full")[1]})


def test_what_never_asks_imports_nothing_of_it(child_environment):
    import subprocess

    code = (
        "import deepseek_jupyter.tools.sql, deepseek_jupyter.tools.sandbox, sys;"
        "print([m for m in ('duckdb', 'pyarrow', 'narwhals', 'sqlglot') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=child_environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


class TestKeeping:
    TABLE = pa.table({"s": pa.array([1, 2**40], pa.decimal128(38, 0)), "t": ["a", None]})

    @pytest.mark.parametrize("name", ["pandas", "polars", "polars lazy", "pyarrow", "duckdb"])
    def test_a_result_is_a_frame_of_the_kind_attached(self, name):
        kept = frame_like(of_library(name), self.TABLE)
        kind = {"polars lazy": pl.DataFrame, "duckdb": pa.Table}
        assert isinstance(kept, kind.get(name, type(of_library(name))))
        assert [int(str(value)) for value in kept["s"]] == [1, 2**40]

    def test_a_library_that_is_not_there_is_named_with_those_that_could_be(self, monkeypatch):
        with pytest.raises(
            ConfigurationError, match=r"cudf is not installed\.\npandas, polars and"
        ):
            frame_of([{"s": 1}], "cudf")
        monkeypatch.setattr("deepseek_jupyter.tools.arrow.BACKENDS", ("cudf",))
        with pytest.raises(ConfigurationError, match="A library for frames is not installed"):
            frame_of([{"s": 1}])

    def test_sums_of_whole_numbers_are_whole_numbers(self):
        assert frame_like(pd.DataFrame(), self.TABLE)["s"].dtype == "int64"
        huge = pa.table({"s": pa.array([10**30], pa.decimal128(38, 0))})
        assert frame_like(huge, huge)["s"][0].as_py() == 10**30


@pytest.mark.parametrize(
    "wrap", [lambda v: {"c": v}, lambda v: [v], lambda v: [{"c": v}], str.encode]
)
def test_what_would_be_masked_within_a_value_is_in_no_table(wrap):
    from deepseek_jupyter.tools.sql import fill, sql_tables

    redactor = Redactor()
    redactor.withhold({"Alice Quux": "value"})
    frame = pl.DataFrame({"e": [wrap("Alice Quux"), wrap("b")], "f": [wrap("a"), wrap("b")]})
    (table,) = sql_tables({"df": frame}, {"df": parse_spec("df:full")[1]}, redactor)
    assert fill(table, "full", redactor).column_names == ["f"]


@pytest.mark.parametrize("pair", [("Alice Quux", 1), ("k", "Alice Quux")])
def test_what_would_be_masked_within_a_map_is_in_no_table(pair):
    from deepseek_jupyter.tools.sql import fill, sql_tables

    redactor = Redactor()
    redactor.withhold({"Alice Quux": "value"})
    kind = pa.map_(pa.string(), pa.array([pair[1]]).type)
    frame = pa.table({"e": pa.array([[pair], []], kind), "f": ["a", "b"]})
    (table,) = sql_tables({"df": frame}, {"df": parse_spec("df:full")[1]}, redactor)
    assert fill(table, "full", redactor).column_names == ["f"]


class TestNumbersOfCards:
    CARDS = (
        4111111111111111,
        5500005555555559,
        4012888888881881,
        5105105105105100,
        4242424242424242,
    )

    @pytest.mark.parametrize("level", ["stats", "sample", "full"])
    def test_arithmetic_does_not_take_them_apart(self, tool_of, level):
        cards = pd.Series(self.CARDS * 4)
        kinds = {f"of_{kind}": cards.astype(kind) for kind in ("int", "float", "Int64")}
        kinds["of_decimal"] = cards.map(Decimal)
        frames = {name: pd.DataFrame({"v": v, "g": [1, 2] * 10}) for name, v in kinds.items()}
        tool = tool_of(Redactor(), **{name: (frame, level) for name, frame in frames.items()})
        for name, query in product(
            kinds,
            (
                "SELECT v // 1000000, v % 1000000 FROM {}",
                "SELECT v // 1000000 AS k, count(*) FROM {} GROUP BY k",
                "SELECT g, sum(v), min(v) FROM {} GROUP BY g",
                "SELECT sum(v - 4000000000000000) FROM {}",
                "FROM {}",
            ),
        ):
            try:
                text = ask(tool, query.format(name))
            except QueryError as refused:
                text = f"{refused.what} {refused.hint}"
            digits = re.sub(r"[^0-9]", "", text)
            found = [c for c in self.CARDS if str(c)[:9] in digits or str(c)[-6:] in digits]
            assert found == [], (name, query)
        for name in kinds:
            counted = f"SELECT g, count(DISTINCT v) AS n FROM {name} GROUP BY g ORDER BY g"
            assert ask(tool, counted).startswith("g,n\n")

    @pytest.mark.parametrize(
        "wrapped", [lambda v: [v], lambda v: {"no": v}, lambda v: str(v).encode()]
    )
    def test_a_column_that_wraps_them_is_left_out(self, tool_of, wrapped):
        frame = pl.DataFrame({"v": [wrapped(card) for card in self.CARDS], "g": range(5)})
        tool = tool_of(Redactor(), df=(frame, "full"))
        assert ask(tool, "FROM df").startswith("g\n0\n")

    def test_other_long_numbers_stay_numbers(self, tool_of):
        frame = pd.DataFrame({"id": [10**12 + n * 999 for n in range(9)]})
        tool = tool_of(Redactor(), df=(frame, "full"))
        assert ask(tool, "SELECT max(id) - min(id) AS d FROM df").startswith("d\n7992\n")
