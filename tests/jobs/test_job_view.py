"""The one output of a job: few updates, of one size, inert."""

from __future__ import annotations

import time

import pandas as pd
from IPython.utils.capture import capture_output

import deepseek_jupyter as ds
from tests.jobs.test_row_map import PROMPT, Topic, as_json, everything, frame


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


def test_errors_are_shown_and_are_no_markup(serve, shell):
    serve(lambda body: "<b>no</b>" * 3)
    with capture_output() as captured:
        everything(pd.DataFrame({"text": ["<script>"]}), to=Topic, show=True)
    page = captured.outputs[-1].data["text/html"]
    assert "The last errors" in page
    assert "<b>no</b>" not in page
    assert "<script>" not in page


def test_a_quiet_job_shows_nothing(serve, shell):
    serve()
    with capture_output() as captured:
        everything(frame(3))
    assert captured.outputs == []
