"""The one output of a job: few updates, of one size, inert."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from datetime import time as clock
from typing import Any

import pandas as pd
import pytest
from IPython.utils.capture import capture_output

import deepseek_jupyter as ds
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.errors import Interrupted
from deepseek_jupyter.jobs.trial import next_price
from deepseek_jupyter.protocol.usage import Price, PricePeriod
from tests.jobs.test_row_map import PROMPT, Topic, as_json, everything, frame


@pytest.mark.slow
def test_few_updates_of_one_size(serve, shell):
    serve(latency=0.02)
    began = time.monotonic()
    with capture_output() as captured:
        everything(frame(1_500), show=True, concurrency=32)
    seconds = time.monotonic() - began
    pages = [output.data["text/html"] for output in captured.outputs]
    assert 2 <= len(pages) <= 5 * seconds + 2
    assert max(map(len, pages)) < 5_000
    assert "rows/s" in pages[0]
    assert all(page.startswith('<div class="mathjax_ignore') for page in pages)
    assert "1,500 of 1,500 rows" in pages[-1]
    assert {output.update for output in captured.outputs[1:]} == {True}


def test_a_trial_says_what_all_rows_take_and_what_leaves(serve, shell):
    serve(as_json)
    with capture_output() as captured:
        ds.map(frame(90, 30), PROMPT, to=Topic)
    said = captured.outputs[-1].data["text/plain"]
    for part in ("90, 30 different", "left to ask", "90 % range", "price of the rest", "at most"):
        assert part in said
    assert "{{ text }}" in said
    with capture_output() as captured:
        ds.map(frame(3, 3), PROMPT)
    said = captured.outputs[-1].data["text/plain"]
    assert "Nothing is left to ask; rows='all' gives all rows." in said
    assert "price of the rest" not in said
    assert len(ds.map(frame(3, 3), PROMPT, rows="all")) == 3


@pytest.mark.parametrize(
    ("now", "at", "factor"),
    [
        ("2026-11-30T00:10", "2026-11-30T01:00", 2),
        ("2026-11-30T01:00", "2026-11-30T04:30", 1),
        ("2026-11-30T04:29", "2026-11-30T04:30", 1),
        ("2026-12-05T12:00", None, 0),  # a Saturday; the peak comes on Monday
    ],
)
def test_when_the_price_changes(now, at, factor):
    price = Price.of("1", "2", "3")
    begun, peak = datetime(2026, 1, 1, tzinfo=UTC), (clock(1), clock(4, 30))
    period = PricePeriod(begun, price, (peak,), peak_weekdays_only=True)
    found = next_price([period], datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert (found and found[0]) == (at and datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert found is None or found[1].miss == price.miss * factor


def test_a_trial_says_the_hour_at_which_the_price_changes(serve, shell):
    serve(as_json)
    provider = ds.get_session().endpoints.provider(None)[0]
    with capture_output() as captured:
        ds.map(frame(9), PROMPT, to=Topic)
    said = captured.outputs[-1].data["text/plain"]
    change = next_price(provider.facts("deepseek-flash").prices, datetime.now(UTC))
    assert bool(change) == bool(re.search(r" now, up to ~?\$[\d.]+ from \d\d:\d\d", said))
    assert change is None or f"from {change[0].astimezone():%H:%M}" in said


def test_errors_are_shown_and_are_no_markup(serve, shell):
    serve(lambda body: "<b>no</b>" * 3)
    with capture_output() as captured:
        everything(pd.DataFrame({"text": ["<script>"]}), to=Topic, show=True)
    page = captured.outputs[-1].data["text/html"]
    assert "Rows that failed" in page
    assert re.search(r"<td[^>]*>0</td>", page)
    assert "ds.job.errors()" in page
    assert "<b>no</b>" not in page
    assert "<script>" not in page


def test_a_quiet_job_shows_nothing(serve, shell):
    serve()
    with capture_output() as captured:
        everything(frame(3))
    assert captured.outputs == []


def test_pages_hear_of_a_job_and_may_stop_it(serve, shell):
    server, told = serve(latency=0.05), list[dict[str, Any]]()

    def tell(message: Any) -> None:
        told.append(message)
        if message.get("type") == "job" and message["done"] > 20 and not message.get("over"):
            pages.asked({"type": "stop", "id": message["id"]})

    pages.join("a panel", tell)
    try:
        with pytest.raises(Interrupted):
            everything(frame(3_000), concurrency=8, show=True)
        jobs = [message for message in told if message.get("type") == "job"]
        assert jobs[-1]["over"]
        assert {message["rows"] for message in jobs} == {3_000}
        assert "of 3,000 rows" in jobs[0]["said"]
        assert 20 < server.answered < 3_000
        told.clear()
        everything(frame(100), prompt="Quietly: {{ text }}")
        assert [message for message in told if message.get("type") == "job"] == []
    finally:
        pages.leave("a panel")
