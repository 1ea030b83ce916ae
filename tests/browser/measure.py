"""The card's figures while it streams. The tests hold what no noise can break, `make bench` all."""

from __future__ import annotations

from dataclasses import dataclass

from .notebook import Notebook
from .watch import seen, watch

SMOOTH_CELLS = (
    "stream_script.play(sample.answer(1000), deltas=60)",  # loads MathJax and the languages
    "stream_script.play(sample.answer(8000), sample.THINKING, deltas=600, rate=100)",
)
GROWING_CELLS = (
    "stream_script.play(sample.answer(3000), deltas=60)",
    "stream_script.play(sample.answer(100_000), deltas=1000, rate=100)",
)


@dataclass(frozen=True)
class Smoothness:
    """600 deltas at 100 Hz; `lag` is the seconds by which the page ends after the kernel."""

    lag: float
    long_frames: int  # over 50 ms
    longest: float  # ms
    blank: int  # frames that showed nothing
    shrunk: int  # frames in which the text became shorter
    removed: int  # nodes taken out of the page


def smoothness(book: Notebook) -> Smoothness:
    """Stream the second of `SMOOTH_CELLS`; the first must have run."""
    watch(book.page)
    book.run(book.first + 1)
    book.until_done()
    book.page.wait_for_timeout(1500)
    found = seen(book.page)
    return Smoothness(
        found.last - float(book.result(book.first + 1)),
        found.long_frames,
        found.longest,
        found.blank,
        found.shrunk,
        found.removed,
    )


def growth(book: Notebook) -> float:
    """How much dearer a character is in the last tenth of 100 KB than in the first."""
    session = book.page.context.new_cdp_session(book.page)
    session.send("Performance.enable")
    book.run(book.first + 1)
    book.page.wait_for_timeout(300)
    samples = [_busy(book, session)]
    while book.page.evaluate("() => !!document.querySelector('[data-status=running]')"):
        book.page.wait_for_timeout(100)
        samples.append(_busy(book, session))
    samples.append(_busy(book, session))
    book.until_done()
    return _cost(samples, 0.9, 1) / _cost(samples, 0, 0.1)


def _busy(book: Notebook, session) -> tuple[int, float]:
    """The length of the text on the page, and the seconds its thread has worked so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    worked = next(item["value"] for item in metrics if item["name"] == "TaskDuration")
    length = "() => [...document.querySelectorAll('.jp-DeepSeek-log')].pop().textContent.length"
    return book.page.evaluate(length), worked


def _cost(samples: list[tuple[int, float]], start: float, end: float) -> float:
    """The seconds of work for a character, in a part of the text."""
    whole = samples[-1][0]
    inside = [sample for sample in samples if start * whole <= sample[0] <= end * whole]
    (first, before), (last, after) = inside[0], inside[-1]
    return (after - before) / (last - first)
