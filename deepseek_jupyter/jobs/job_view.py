"""The one output of a job, and what pages hear of it: five updates a second at most, of one size
for any number of rows.
"""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from deepseek_jupyter.display.frontend import has_frontend, publish
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.display.render import money, seconds
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import Interrupted, shortened

if TYPE_CHECKING:
    from .runner import Result, Runner

_INTERVAL = 0.2  # seconds between updates
_ERROR = 300  # characters of an error


def watch(
    runner: Runner,
    rows: int,
    take: Callable[[Result], object],
    *,
    show: bool,
    noun: str = "rows",
) -> JobView:
    """Run a job of so many `rows` to its end, or until it is stopped; each result is given to
    `take`. What shows it is still to be closed.
    """
    from deepseek_jupyter.transport.engine import engine

    view = JobView(rows, runner, show=show, noun=noun)

    def take_all() -> None:
        while runner.arrived:
            take(runner.arrived.popleft())

    try:
        with closing(engine().drain(runner.running, view.stop)) as news:
            for _ in news:
                take_all()
                view.refresh()
    except KeyboardInterrupt as stopped:
        take_all()
        view.close(Report("Stopped; what was answered is kept."))
        said = "Stopped. What was answered is kept: the same call goes on from there."
        raise Interrupted(said) from stopped
    except BaseException:  # pages must hear that it is over, whatever ended it
        view.close()
        raise
    return view


class JobView:
    """What a job shows while it runs; nothing where `show` is off. A notebook keeps the last.

    Pages may stop it: it is a `RunningTurn` to them, without being a turn.
    """

    def __init__(self, rows: int, runner: Runner, *, show: bool, noun: str) -> None:
        from deepseek_jupyter.transport.engine import Stop

        self._rows, self._runner, self._show, self._noun = rows, runner, show, noun
        self.stop = Stop()
        self._id, self._begun = uuid4().hex, False
        self._began = self._last = time.monotonic()
        if show:
            pages.begin(self._id, self)

    def skip(self) -> None:
        """Nothing of it is a kept answer."""

    def catch_up(self, tell: Callable[[Mapping[str, Any]], None]) -> None:
        """Tell a page that has just come how far it is."""
        tell(self._told())

    def _told(self) -> Mapping[str, Any]:
        done = self._runner.tally.done
        told = {"type": "job", "id": self._id, "done": done, "rows": self._rows}
        return {**told, "said": self._words()}

    def refresh(self) -> None:
        """Show the present state, if the last one is old enough."""
        if time.monotonic() - self._last >= _INTERVAL:
            done = self._runner.tally.done
            self._draw((), f'<progress value="{done}" max="{self._rows}"></progress> ')
            if self._show and pages.heard:
                pages.send(self._told())

    def close(self, *reports: Report) -> None:
        """Show the last state, and `reports`."""
        pages.end(self._id)
        if self._show and pages.heard:
            pages.send({**self._told(), "over": True})
        self._draw(reports)
        if self._begun and not has_frontend():
            print("", *reports, sep="\n", file=sys.stderr)

    def _draw(self, reports: Sequence[Report], bar: str = "") -> None:
        self._last, text = time.monotonic(), self._words()
        failed = [(shortened(error, _ERROR),) for error in self._runner.tally.last_errors]
        if failed and not reports:  # at the end there is a table of the rows
            reports = [Report("The last errors", failed)]
        if self._show and has_frontend():
            below = "".join(report._repr_html_() for report in reports)
            inert = 'class="mathjax_ignore tex2jax_ignore"'  # between two dollars is no formula
            shown = f"<div {inert}>{bar}{html.escape(text)}{below}</div>"
            plain = "\n\n".join([text, *map(str, reports)])
            publish({"text/html": shown, "text/plain": plain}, self._id, update=self._begun)
            self._begun = True
        elif self._show and sys.stderr is not None and sys.stderr.isatty():
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
            self._begun = True

    def _words(self) -> str:
        """Rows, speed, time left, money, cache, requests in flight, retries: one line."""
        runner, tally = self._runner, self._runner.tally
        rate = tally.done / max(time.monotonic() - self._began, 0.001)
        parts = [f"{tally.done:,} of {self._rows:,} {self._noun}", f"{rate:,.1f} {self._noun}/s"]
        if tally.in_flight and 0 < tally.done < self._rows:
            parts.append(f"{seconds((self._rows - tally.done) / rate)} left")
        for cap, currency in runner.caps:
            most = f" of {money(cap.most, currency)}" if cap.most and cap.most > 0 else ""
            parts.append(f"~{money(cap.spent, currency)}{most}")
        if tally.usage.prompt_tokens:
            share = tally.usage.cache_hit_tokens / tally.usage.prompt_tokens
            parts.append(f"{share:.0%} cached")
        if tally.in_flight:
            parts.append(f"{tally.in_flight:,} of {runner.limit.now:,} in flight")
        counts = {"tried again": tally.again, "failed": tally.failed}
        parts += [f"{count:,} {word}" for word, count in counts.items() if count > 0]
        return " · ".join(parts)
