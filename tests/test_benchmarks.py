"""What a row of the results says."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import chart  # noqa: E402
from rows import Row  # noqa: E402


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("a", [1, 2, 9], "s", 2), "met"),
        (Row("a", [1, 2, 9], "s", 2, each=True), "NOT MET"),
        (Row("a", [4, 5, 6], "/s", 5, at_least=True), "met"),
        (Row("a", [4, 5, 6], "/s", 5, at_least=True, each=True), "NOT MET"),
        (Row("a", [1, 0, 1], "runs"), "NOT MET"),
        (Row("a", [1, 0, 1], "runs", others=True), ""),
        (Row("a", [3.0], "x", versus=True), "we lead"),
        (Row("a", [0.5], "x", versus=True), "THEY LEAD"),
        (Row("a", [1.02], "x", versus=True), "even"),
        (Row("a", [], "s", 2), "skipped"),
        (Row("a", [7], "s"), ""),
    ],
)
def test_a_verdict_follows_from_bound_and_values(row, verdict):
    assert row.verdict == verdict


def test_a_reason_is_told_only_where_something_is_lost():
    assert Row("a", [3], "s", 2, reason="slow disk").cells[-1] == "NOT MET: slow disk"
    assert Row("a", [1], "s", 2, reason="slow disk").cells[-1] == "met"
    assert Row("a", [0.5], "x", versus=True, reason="no stream").cells[-1] == "THEY LEAD: no stream"


def test_the_chart_tells_who_is_ahead():
    bars = [
        chart.Bar("deepseek_jupyter", 0.2),
        chart.Bar("b", 0.1, "no <stream>"),
        chart.Bar("c", 9),
    ]
    drawn = ElementTree.fromstring(chart.svg({"CPU, seconds": bars}))
    said = [node.text for node in drawn.iter() if node.text]
    assert {"0.2", "0.1 · no <stream>", "9"} <= set(said)
    kinds = [node.get("class") for node in drawn.iter() if node.tag.endswith("rect")]
    assert kinds[-3:] == ["ours", "ahead", "behind"]
