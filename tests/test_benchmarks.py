"""What a row of the results says, and that no promise is counted that was not kept."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import bench_counts  # noqa: E402
import chart  # noqa: E402
import counts  # noqa: E402
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


REPORT = """<testsuites><testsuite>
  <testcase name="a"><properties><property name="kills" value="40"/></properties></testcase>
  <testcase name="b"><failure message="lost one&#10;more"/></testcase>
  <testcase name="c"><skipped message="no browser"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def tally(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    return bench_counts._read(path)


def test_what_tests_counted_is_read(tally):
    assert (tally.passed, tally.failures, tally.skips) == (1, ["lost one"], ["no browser"])
    assert tally.recorded["kills"] == [40]


def test_a_count_whose_test_failed_is_not_met(tally, monkeypatch):
    monkeypatch.setattr(bench_counts, "_run", lambda count: tally)
    row = bench_counts._row(counts.Count("kills", 40, "kills", ("x",), "kills"))
    assert row.cells[2:] == ("1 of 2", "2", "NOT MET: lost one")


@pytest.mark.parametrize("count", counts.COUNTS, ids=lambda count: count.claim)
def test_the_tests_of_a_count_are_there(count):
    for test in count.tests:
        file, _, function = test.partition("::")
        text = (BENCHMARKS.parent / "tests" / file).read_text("utf-8")
        assert f"def {function}(" in text if function else "def test_" in text
        if count.counted not in (counts.CASES, counts.EXAMPLES):
            assert f'record_property("{count.counted}"' in text


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
