"""Levels and specs. A rule can be made stricter by another rule and never laxer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import (
    FULL,
    NONE,
    SAMPLE,
    SCHEMA,
    STATS,
    Level,
    Policy,
    parse_spec,
)

LEVELS = st.sampled_from([NONE, SCHEMA, STATS, Level(3, 1), Level(3, 9), FULL])


@pytest.mark.parametrize(
    ("spec", "expression"),
    [
        ("df", "df"),
        ("df[1:3]", "df[1:3]"),
        ("df[1:3]:schema", "df[1:3]"),
        ('df.loc[:, "a:b"]:full', 'df.loc[:, "a:b"]'),
        ("tables['a:b']", "tables['a:b']"),
        (" df : stats ", "df"),
    ],
)
def test_the_expression_ends_at_the_last_colon_outside_brackets_and_quotes(spec, expression):
    assert parse_spec(spec)[0] == expression


def test_columns_have_levels_of_their_own():
    _, policy = parse_spec('df:schema,price=full,name=none,"unit, price"=sample(2),budget=500')
    assert policy.level("age") == SCHEMA
    assert policy.level("price") == FULL
    assert policy.level("name") == NONE
    assert policy.level("unit, price") == Level(3, 2)
    assert policy.budget == 500


def test_what_a_spec_does_not_say_is_as_in_the_settings():
    settings = Policy(default=STATS, budget=300)
    _, policy = parse_spec("df:price=full", settings)
    assert (policy.level("age"), policy.level("price"), policy.budget) == (STATS, FULL, 300)


@pytest.mark.parametrize(
    "spec", ["df:everything", "df:a=most", "df:full(3)", ":stats", "df:budget=10", "df:budget=x"]
)
def test_a_wrong_spec_is_refused_with_a_hint(spec):
    with pytest.raises(ParameterError) as caught:
        parse_spec(spec)
    assert caught.value.hint


def test_no_spec_means_five_rows():
    assert Policy().level("any") == Level.parse("sample") == Level.parse("sample(5)") > SAMPLE


def test_patterns_limit_whatever_was_asked_for():
    policy = parse_spec("df:full,user_id=full")[1].tightened([("*_ID", NONE), ("*", STATS)])
    assert policy.level("user_id") == NONE
    assert policy.level("price") == STATS
    assert policy.whole == STATS


@given(
    asked=LEVELS, column=LEVELS, limits=st.lists(st.tuples(st.sampled_from(["*", "a*"]), LEVELS))
)
def test_limits_only_ever_tighten(asked, column, limits):
    policy = Policy(default=asked, columns={"age": column})
    tight = policy.tightened(limits)
    for name in ("age", "b"):
        assert tight.level(name) <= policy.level(name)
        assert all(tight.level(name) <= level for pattern, level in limits if pattern == "*")


@given(LEVELS)
def test_a_level_reads_back_as_written(level):
    assert Level.parse(str(level)) == level
