"""A row of the results, the table on the terminal, and `results.md`."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median

__all__ = [
    "Row",
    "alone",
    "keep",
    "kept",
    "machine",
    "ratios",
    "skipped",
    "text_table",
    "write_results",
]

RESULTS = Path(__file__).with_name("results.md")
KEPT = Path(__file__).parents[1] / ".make" / "bench"

_NAMED = ("ipykernel", "ipython", "httpx", "markdown-it-py", "jupyter-client", "xllamacpp")


@dataclass(frozen=True, slots=True)
class Row:
    """One claim and what was measured, a value for each run.

    `bound` None: for information. `at_least`: the bound is a floor. `each`: the values are of
    different cases, so the worst is held against the bound, not the median. The unit "runs" counts
    how many runs were so (values 1 or 0), and all must be. No values: skipped, `note` says why.
    Rows of one `chart` are bars beside each other in the picture. `versus`: times that another's
    figure is ours, where more is better for us; nothing was promised, but who is ahead is told.
    `others`: another's own figure, so nothing was promised either. `reason`: why the bound is
    missed, or another ahead; told only where that is so.
    """

    claim: str
    values: Sequence[float]
    unit: str
    bound: float | None = None
    at_least: bool = False
    each: bool = False
    note: str = ""
    chart: str = ""
    versus: bool = False
    others: bool = False
    reason: str = ""

    @property
    def verdict(self) -> str:
        """met, NOT MET, skipped, nothing where nothing was promised; beside others who leads."""
        if not self.values:
            return "skipped"
        if self.versus:
            times = median(self.values)
            return "even" if 0.95 <= times <= 1.05 else "we lead" if times > 1 else "THEY LEAD"
        if self.others:
            return ""
        if self.unit == "runs":
            return "met" if all(self.values) else "NOT MET"
        if self.bound is None:
            return ""
        if self.each:
            judged = min(self.values) if self.at_least else max(self.values)
        else:
            judged = median(self.values)
        good = judged >= self.bound if self.at_least else judged <= self.bound
        return "met" if good else "NOT MET"

    @property
    def lost(self) -> bool:
        """Whether there is something to give a reason for."""
        return self.verdict in ("NOT MET", "THEY LEAD")

    @property
    def told_bound(self) -> str:
        """The bound in words."""
        if self.others:
            return "-"
        if self.unit == "runs":
            return "every run"
        if self.bound is None:
            return "-"
        limit = f"{'>=' if self.at_least else '<='} {self.bound:g} {self.unit}"
        return f"{limit} each" if self.each else limit

    @property
    def measured(self) -> str:
        """Median and range."""
        if not self.values:
            return "-"
        if self.unit == "runs":
            return f"{sum(map(bool, self.values))} of {len(self.values)}"
        middle = f"{_short(median(self.values))} {self.unit}"
        low, high = _short(min(self.values)), _short(max(self.values))
        return middle if low == high else f"{middle} [{low}-{high}]"

    @property
    def cells(self) -> tuple[str, ...]:
        """The row's text, cell by cell."""
        claim = f"{self.claim} ({self.note})" if self.note else self.claim
        verdict = f"{self.verdict}: {self.reason}" if self.lost and self.reason else self.verdict
        return claim, self.told_bound, self.measured, str(len(self.values)), verdict


_HEADS = ("claim", "bound", "median [min-max]", "runs", "verdict")


def skipped(claim: str, why: str) -> Row:
    """A row for what could not be measured here."""
    return Row(claim, (), "", note=why)


def ratios(upper: Iterable[float], lower: Iterable[float]) -> list[float]:
    """Run by run, each pair from the same moment."""
    return [a / b for a, b in zip(upper, lower, strict=True)]


def text_table(rows: Iterable[Row]) -> str:
    """The rows in columns."""
    lines = [_HEADS, *(row.cells for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def machine() -> list[str]:
    """What the figures depend on."""
    versions = []
    for name in _NAMED:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    load = f"; load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{load}",
        f"{platform.python_implementation()} {platform.python_version()}",
        ", ".join([f"deepseek-jupyter {metadata.version('deepseek-jupyter')}", *versions]),
    ]


def keep(family: str, title: str, rows: Sequence[Row]) -> None:
    """A family's rows, for `write_results` to find; those of its last run are replaced."""
    KEPT.mkdir(parents=True, exist_ok=True)
    told = {"title": title, "about": machine(), "rows": [asdict(row) for row in rows]}
    (KEPT / f"{family}.json").write_text(json.dumps(told, indent=1), "utf-8")


def kept(families: Iterable[str]) -> dict[str, tuple[list[str], list[Row]]]:
    """What was measured last: title to machine and rows, in the order of `families`."""
    found: dict[str, tuple[list[str], list[Row]]] = {}
    for family in families:
        path = KEPT / f"{family}.json"
        if path.exists():
            told = json.loads(path.read_text("utf-8"))
            found[told["title"]] = told["about"], [Row(**row) for row in told["rows"]]
    return found


def write_results(families: Mapping[str, tuple[list[str], list[Row]]]) -> None:
    """`results.md`: each family as its last run left it, those of other machines too."""
    before = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
    sections = dict(part.split("\n", 1) for part in before.split("\n## ")[1:])
    for title, (measured_on, rows) in families.items():
        about = [f"- {line}" for line in measured_on]
        table = map(_line, (_HEADS, ["---"] * len(_HEADS), *(row.cells for row in rows)))
        sections[title] = "\n".join(["", *about, "", *table, ""])
    lines = ["# Results", "", "Written by `make bench`; README.md says what each row means.", ""]
    picture = RESULTS.parents[1] / "docs" / "images" / "bench.svg"
    if picture.exists():  # it needs rows beside other packages
        lines += ["![Ours beside other packages](../docs/images/bench.svg)", ""]
    lines += [f"## {title}\n{text.rstrip()}\n" for title, text in sections.items()]
    RESULTS.write_text("\n".join(lines), encoding="utf-8")


def alone(title: str, rows: Callable[[], list[Row]]) -> None:
    """Run one family and print it."""
    print("\n".join([*machine(), "", title]), file=sys.stderr)
    print(text_table(rows()))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _short(value: float) -> str:
    """Three figures, no exponent."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}"
