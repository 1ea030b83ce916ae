"""Redaction is what a policy withholds without what it releases."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from deepseek_jupyter.context.attach import attach
from deepseek_jupyter.privacy.levels import parse_spec
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.withheld import Released, WithheldValues
from tests.support.framing import pandas, polars
from tests.support.growth import assert_linear

COUNTRIES = ["France", "Germany", "Côte d'Ivoire", "United States", "Peru", "revenue_eur", "1.5"]
BEGIN = dt.datetime(2024, 3, 31, 10, 15)


def card(value, spec, redactor=None, name="df"):
    return attach(name, value, parse_spec(f"{name}:{spec}")[1], redactor or Redactor())


def tables(seed):
    """Columns of one seed: moments and days, also as texts; money, figures of one column in another
    or in its texts; countries, frequent values that are names of columns and years in names; ids
    with zeros before them, long ids; small and whole numbers; missing values.
    """
    chance = random.Random(seed)
    rows = chance.randrange(3, 60)
    hours = sorted(chance.sample(range(400), rows)) if rows < 400 else []
    money = [round(chance.uniform(10_000, 99_999), chance.choice((0, 1, 2))) for _ in range(rows)]
    small = [chance.choice((5e-05, 1.23456e-05, 0.00012345, 7.5)) for _ in range(rows)]
    table = {
        "when": [BEGIN + dt.timedelta(hours=hour) for hour in hours],
        "day": [(BEGIN + dt.timedelta(days=hour)).date() for hour in hours],
        "text day": [str(BEGIN + dt.timedelta(hours=hour)) for hour in hours],
        "revenue_eur": money,
        "cost": [money[(at + 1) % rows] for at in range(rows)],
        "share": small,
        "share 2": small[::-1],
        "country": [chance.choice(COUNTRIES) for _ in range(rows)],
        "France": [chance.randrange(10**6) for _ in range(rows)],
        "said": [str(chance.choice(money)) for _ in range(rows)],
        "year_2024": [f"year_{chance.randrange(2020, 2026)}" for _ in range(rows)],
        "column name": [chance.choice(["when", "cost", "text day", "x"]) for _ in range(rows)],
        "id": [f"{number:06d}" for number in chance.sample(range(10**6), rows)],
        "order": [f"ord-{10**8 + number}" for number in range(rows)],
        "order of": [10**8 + number for number in range(rows)],
        "premium plan": [chance.choice(["premium plan", "basic", "id", None]) for _ in range(rows)],
        "gap": [chance.choice([None, 12345.5, 0.00012345]) for _ in range(rows)],
        "n": [chance.randrange(10 ** chance.randrange(1, 9)) for _ in range(rows)],
    }
    kept = chance.sample(list(table), chance.randrange(4, len(table)))
    return {name: table[name] for name in table if name in kept}


@pytest.mark.parametrize("seed", range(240))
def test_no_figure_or_name_that_a_card_promises_is_lost(seed):
    table, redactor = tables(seed), Redactor()
    level = "stats" if seed % 3 else "sample(3)"
    shown = card((pandas, polars)[seed % 2](table), level, redactor)
    assert "<" not in shown.text
    assert redactor.redact(f"so:\n{shown.text}\n.") == f"so:\n{shown.text}\n."
    for name in table:
        asked = f"Write code that sums {name} by df['{name}'], and {name}_2."
        assert redactor.redact(asked) == asked
    for name in ("when", "revenue_eur", "cost"):
        for figure in (min(table[name]), max(table[name])) if name in table else ():
            assert redactor.redact(f"why {figure}?") == f"why {figure}?"


def test_what_a_card_does_not_print_is_still_withheld():
    redactor = Redactor()
    frame = pandas(
        {"when": [BEGIN + dt.timedelta(hours=n) for n in range(9)], "city": ["Rome"] * 9}
    )
    card(frame, "stats", redactor)
    assert redactor.redact("at 2024-03-31 11:15:00 in Rome") == "at <value-1> in <value-2>"
    assert redactor.redact("2024-03-31 10:15, 2024-03-31") == "2024-03-31 10:15, 2024-03-31"


@pytest.mark.parametrize("level", ["none", "schema"])
@pytest.mark.parametrize("other", ["full", "sample", "stats"])
def test_a_rule_is_not_lifted_by_what_another_frame_shows(level, other):
    redactor = Redactor()
    kept = {"who": ["Grace Hopper", "Kay McNulty"], "pay": [48210.75, 51000.25]}
    card(pandas(kept), f"full,who={level},pay={level}", redactor, "a")
    shown = card(
        pandas(
            {
                "Grace Hopper": [1, 2, 3, 4],
                "by": ["Grace Hopper", "Kay McNulty", "x", "Kay McNulty"],
                "sum": [48210.75, 51000.25, 48210.75, 51000.25],
            }
        ),
        other,
        redactor,
        "b",
    )
    for text in (shown.text, redactor.redact("Grace Hopper, 48210.75, 51000.25, Kay McNulty")):
        assert not [said for said in ("Grace", "McNulty", "48210.75", "51000.25") if said in text]


def test_what_lies_below_its_level_leaves_where_a_card_prints_it():
    redactor = Redactor()
    card(
        pandas({"city": ["Rome", "Oslo"], "note": ["see Oslo Station", "none"]}), "stats", redactor
    )
    card(pandas({"town": ["Rome", "Bern"], "note": ["from Oslo", "b"]}), "sample", redactor, "b")
    assert redactor.redact("Rome, 'Oslo'; from Oslo; see Oslo Station") == (
        "Rome, '<value-1>'; from Oslo; <value-2>"
    )


def test_a_released_text_within_a_longer_withheld_one_does_not_save_it():
    redactor = Redactor()
    redactor.withhold({"Rome": "value", "Rome Central Station": "value"}, soft=True)
    redactor.withhold({"Alice Quux": "person"})
    redactor.release(Released(["Rome"], ["Alice Quux 2024", "Central"]))
    assert redactor.redact("Rome Central Station, Rome, Romes; Alice Quux 2024") == (
        "<value-1>, Rome, Romes; <person-1> 2024"
    )


def test_a_name_is_released_where_it_is_a_piece_of_a_value_with_what_is_around_it():
    redactor = Redactor()
    titles = ["Some Musical Documentary in 3 Acts", "rs10506151: the note", "x"]
    table = {"Documentary": [1, 2, 3], "rs10506151": ["a", "b", "c"], "title": titles}
    shown = card(pandas(table), "stats", redactor)
    for text in (shown.text, "sum df['Documentary'] by Documentary and rs10506151: now."):
        assert redactor.redact(f"so:\n{text}") == f"so:\n{text}"
    assert redactor.redact("Some Musical Documentary") == "<value-1>"


def test_what_one_request_releases_another_does_not():
    redactor = Redactor()
    redactor.withhold({"Rome": "value"}, soft=True)
    request = redactor.for_request(redactor.withheld, Released(texts=["Rome"]))
    assert request.redact("Rome") == "Rome"
    assert (
        redactor.redact("Rome")
        == "<value-1>"
        == redactor.for_request(redactor.withheld).redact("Rome")
    )
    assert request.restore("<value-1>") == "Rome"


def test_values_that_begin_alike_are_found_in_linear_time():
    """Each length was tried by itself: 2,000 values took 20 s for 60 kB."""
    index = WithheldValues({"a" * n: "value" for n in range(4, 2004)})
    assert [(m.start, m.end) for m in index.find("-" + "a" * 5000 + "-")] == [(1, 5001)]
    assert [m.end for m in index.find("aaaa b" + "a" * 30 + "b")] == [4, 36]
    assert_linear(lambda size: index.find("a" * size), 8_000)
    assert_linear(lambda size: index.find(("a" * 12 + "b") * (size // 13)), 8_000)


@pytest.mark.parametrize("seed", range(30))
def test_the_index_finds_what_a_look_at_every_value_finds(seed):
    chance = random.Random(seed)
    values = {"".join(chance.choices("ab-1", k=chance.randrange(8, 14))) for _ in range(60)}
    values = {value for value in values if value.strip("-1")}
    text = "".join(chance.choices("ab-1", k=2000))
    covered = {
        at
        for m in WithheldValues(dict.fromkeys(values, "value")).find(text)
        for at in range(m.start, m.end)
    }
    for value in values:
        at = text.find(value)
        while at >= 0:
            assert covered.issuperset(range(at, at + len(value)))
            at = text.find(value, at + 1)


@pytest.mark.parametrize("library", [pandas, polars])
def test_a_card_of_common_words_shows_its_types_and_its_truth_values(library):
    """Words of cards are values of a column here, and a name of telephones is of a truth value."""
    words = {"type": ["int", "text", "bool"], "value": [1, 2, 3], "mobile": [True, False, True]}
    for level in ("stats", "schema", "sample", "full"):
        shown = card(library(words), level).text
        assert "<" not in shown
        assert "- value: int" in shown
        assert "- mobile: bool" in shown


def test_numbers_are_found_with_the_zeros_of_a_display():
    frame = pandas({"pay": [48210.5, 51000.25, 73000.0], "n": [12345, 23456, 34567]})
    redactor = Redactor()
    card(frame, "none", redactor)
    said = redactor.redact(f"{frame.astype(float)}\n48210.500, 73000.00; 48210.55 148210.50")
    assert not [text for text in ("48210.5\n", "51000", "73000", "12345") if text in said]
    assert said.endswith("; 48210.55 148210.50")
    redactor = Redactor()
    card(frame, "stats", redactor)
    assert redactor.redact("least 48210.50, greatest 73000.0") == "least 48210.50, greatest 73000.0"
