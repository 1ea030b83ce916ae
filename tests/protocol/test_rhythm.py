"""The rhythm of an answer, packed and at a pace."""

from __future__ import annotations

import base64
import random
import zlib

import pytest

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.deltas import ReasoningDelta, TextDelta
from deepseek_jupyter.protocol.rhythm import Mark, Pace, Rhythm, unpacked


def taken(gaps: list[float]) -> Rhythm:
    rhythm, now = Rhythm(100.0), 100.0
    for number, gap in enumerate(gaps):
        now += gap
        rhythm.take([TextDelta("word " if number % 3 else "a")], now)
    return rhythm


def test_moments_kinds_and_lengths_come_back_within_half_a_step():
    rhythm = Rhythm(7.0)
    rhythm.take([ReasoningDelta("Hm"), ReasoningDelta("m.")], 7.504)
    rhythm.end_round(8.0)
    rhythm.take([ReasoningDelta("So"), TextDelta("Four.")], 9.25)
    marks = unpacked(rhythm.packed())
    assert [(mark.kind, mark.length) for mark in marks] == [("t", 4), ("c", 0), ("t", 2), ("a", 5)]
    assert [mark.at for mark in marks] == pytest.approx([0.504, 1.0, 2.25, 2.25], abs=0.0051)


def test_roundings_do_not_add_up():
    chance = random.Random(1)
    gaps = [chance.expovariate(300) for _ in range(5000)]
    assert unpacked(taken(gaps).packed())[-1].at == pytest.approx(sum(gaps), abs=0.006)


def test_4800_deltas_take_about_4_kb():
    chance = random.Random(2)
    packed = taken([max(0.0, chance.gauss(0.02, 0.006)) for _ in range(4800)]).packed()
    assert len(base64.b64decode(packed)) <= 4_500


def test_nothing_is_packed_as_nothing():
    assert Rhythm(0.0).packed() == ""
    assert unpacked("") == []


@pytest.mark.parametrize("forged", ["x", "AAAA", "é", "eJw=", 10 * "=", "\ud800"])
def test_a_forged_rhythm_is_none(forged):
    assert unpacked(forged) == []


@pytest.mark.slow
def test_a_bomb_is_not_unpacked_to_its_end():
    bomb = base64.b64encode(zlib.compress(b"0a1" * 10_000_000, 9)).decode()
    assert len(unpacked(bomb)) <= 1_400_000


@pytest.mark.parametrize(
    ("said", "pace"),
    [
        ("1", Pace()),
        ("4", Pace(4.0, 4.0)),
        ("0", Pace(0.0, 0.0)),
        ("think=8", Pace(1.0, 8.0)),
        ("2, think=0", Pace(2.0, 0.0)),
        ("real", Pace(real=True)),
        ("real,think=8", Pace(1.0, 8.0, real=True)),
        ("4,real", Pace(4.0, 4.0, real=True)),
        (4.0, Pace(4.0, 4.0)),  # %config DeepSeek.pace = 4
    ],
)
def test_paces(said, pace):
    assert Pace.parse(said) == pace


@pytest.mark.parametrize("said", ["", "fast", "-1", "nan", "inf", "thinking=2", "=3", "think="])
def test_what_is_no_pace_is_refused(said):
    with pytest.raises(ParameterError, match="pace cannot be"):
        Pace.parse(said)


MARKS = [Mark(5.0, "t", 1), Mark(6.0, "t", 1), Mark(7.0, "a", 1), Mark(17.0, "a", 1)]


@pytest.mark.parametrize(
    ("said", "moments"),
    [
        ("1", [2.0, 3.0, 4.0, 6.0]),  # silences are cut to 2 s
        ("real", [5.0, 6.0, 7.0, 17.0]),
        ("2", [1.0, 1.5, 2.0, 3.0]),
        ("think=2", [1.0, 1.5, 2.5, 4.5]),
        ("think=0", [0.0, 0.0, 1.0, 3.0]),
        ("0", [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_played_at_a_pace(said, moments):
    assert [mark.at for mark in Pace.parse(said).played(MARKS)] == moments
