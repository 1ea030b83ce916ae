"""Promises that are counts: the tests that hold them, run with the whole number.

`make test` runs some of them with fewer cases, since it has other things to do. A test tells what
it counted by `record_property`; the name of the property is the `counted` of a row below.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from counts import CASES, COUNTS, EXAMPLES, Count
from rows import Row, alone, skipped
from serving import ROOT

TITLE = "Counts"
PATIENCE = 1200  # seconds for one claim


@dataclass(slots=True)
class Tally:
    """What came of some tests."""

    passed: int = 0
    failures: list[str] = field(default_factory=list)
    skips: list[str] = field(default_factory=list)
    examples: int = 0
    recorded: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def rows() -> list[Row]:
    """One after the other, each in a process of its own."""
    from deepseek_jupyter.transport.providers import PROVIDERS

    profiles = Row("providers with a profile", [len(PROVIDERS)], "", 10, at_least=True)
    return [profiles, *map(_row, COUNTS)]


def _row(count: Count) -> Row:
    tally = _run(count)
    if not tally.passed and not tally.failures:
        return skipped(count.claim, tally.skips[0] if tally.skips else "no such test")
    if tally.failures and count.counted != CASES:
        every = [1.0] * tally.passed + [0.0] * len(tally.failures)
        return Row(count.claim, every, "runs", reason=tally.failures[0])
    if count.most:
        values = tally.recorded[count.counted]
        return Row(count.claim, values, count.unit, count.bound, each=True)
    if count.counted == CASES:
        number: float = tally.passed
    elif count.counted == EXAMPLES:
        number = tally.examples
    else:
        number = sum(tally.recorded[count.counted])
    why = tally.failures[0] if tally.failures else ""
    return Row(count.claim, [number], count.unit, count.bound, at_least=True, reason=why)


def _run(count: Count) -> Tally:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-p", "no:cacheprovider", "--timeout", str(PATIENCE), f"--junitxml={report}"]
        tests = [str(ROOT / "tests" / test) for test in count.tests]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "--hypothesis-show-statistics", *tests],
            cwd=ROOT,
            env={**os.environ, **count.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        if not report.exists():
            raise RuntimeError(f"{count.claim}: {done.stdout[-600:]}{done.stderr[-600:]}")
        tally = _read(report)
    tally.examples = sum(map(int, re.findall(r"(\d+) passing", done.stdout)))
    return tally


def _read(report: Path) -> Tally:
    tally = Tally()
    for case in ElementTree.parse(report).iter("testcase"):
        broken = [*case.findall("failure"), *case.findall("error")]
        left_out = case.find("skipped")
        if broken:
            tally.failures.append(broken[0].get("message", "failed").splitlines()[0][:120])
        elif left_out is not None:
            tally.skips.append(left_out.get("message", "").splitlines()[0][:120])
        else:
            tally.passed += 1
        for told in case.iter("property"):
            tally.recorded[told.get("name", "")].append(float(told.get("value", "nan")))
    return tally


if __name__ == "__main__":
    alone(TITLE, rows)
