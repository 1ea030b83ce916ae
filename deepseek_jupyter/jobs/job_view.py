"""The one output of a job: at most five updates a second, of a size that no number of rows changes.

The notebook's file has its last state alone.
"""

from __future__ import annotations

import html
import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

from deepseek_jupyter.display.frontend import has_frontend, publish
from deepseek_jupyter.display.render import money, seconds
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import shortened

if TYPE_CHECKING:
    from .runner import Runner

_INTERVAL = 0.2  # seconds between updates
_ERROR = 300  # characters of an error


class JobView:
    """What a running job shows; nothing where `show` is off, or outside a notebook or terminal."""

    def __init__(self, rows: int, runner: Runner, *, show: bool) -> None:
        self._rows, self._runner, self._show = rows, runner, show
        self._id, self._begun = uuid4().hex, False
        self._began = self._last = time.monotonic()

    def refresh(self) -> None:
        """Show the present state, if the last one is old enough."""
        if self._show and time.monotonic() - self._last >= _INTERVAL:
            self._draw(self._bar(), self._words(), self._errors())

    def close(self, stopped: str = "", *reports: Report) -> None:
        """Show the last state: what stopped the job early, and its `reports`."""
        if not self._show:
            return
        told = [Report(f"Stopped: {stopped}")] if stopped else []
        text = self._words()
        self._draw("", text, [*told, *reports, *self._errors()])
        if self._begun and not has_frontend():
            print(file=sys.stderr)
            for report in (*told, *reports, *self._errors()):
                print(report, file=sys.stderr)

    def _draw(self, bar: str, text: str, reports: list[Report]) -> None:
        self._last = time.monotonic()
        if has_frontend():
            below = "".join(report._repr_html_() for report in reports)
            plain = "\n\n".join([text, *map(str, reports)])
            shown = {
                "text/html": f"<div>{bar}{html.escape(text)}{below}</div>",
                "text/plain": plain,
            }
            publish(shown, self._id, update=self._begun)
            self._begun = True
        elif sys.stderr is not None and sys.stderr.isatty():
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
            self._begun = True

    def _bar(self) -> str:
        done = self._runner.tally.done
        return f'<progress value="{done}" max="{self._rows}"></progress> '

    def _words(self) -> str:
        """Rows, speed, time left, money, cache, requests in flight, refusals: one line."""
        runner, tally = self._runner, self._runner.tally
        passed = max(time.monotonic() - self._began, 0.001)
        rate = tally.done / passed
        parts = [f"{tally.done:,} of {self._rows:,} rows", f"{rate:,.1f} rows/s"]
        if 0 < tally.done < self._rows:
            parts.append(f"{seconds((self._rows - tally.done) / rate)} left")
        parts.append(self._money())
        if tally.usage.prompt_tokens:
            share = tally.usage.cache_hit_tokens / tally.usage.prompt_tokens
            parts.append(f"{share:.0%} cached")
        if tally.in_flight:
            parts.append(f"{tally.in_flight:,} of {runner.limit.now:,} in flight")
        if retries := tally.tries - tally.asked - tally.in_flight:
            parts.append(f"{max(0, retries):,} tried again")
        if tally.failed:
            parts.append(f"{tally.failed:,} failed")
        return " · ".join(filter(None, parts))

    def _money(self) -> str:
        cap, price = self._runner.cap, self._runner.price
        if price is None:
            return ""
        spent = f"~{money(cap.spent, price.currency)}"
        known = cap.most is not None and cap.most >= Decimal()
        return f"{spent} of {money(cap.most or Decimal(), price.currency)}" if known else spent

    def _errors(self) -> list[Report]:
        errors = [(shortened(error, _ERROR),) for error in self._runner.tally.last_errors]
        return [Report("The last errors", errors)] if errors else []
