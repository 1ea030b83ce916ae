"""The notebooks that `make test` plays from their recordings, answered by the embedded model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import test_notebooks
from tests.local import conftest

installed_home, model_file = conftest.installed_home, conftest.model_file
check, executed, runs = test_notebooks.check, test_notebooks.executed, test_notebooks.runs

ROOT = Path(__file__).parents[2]
PANEL_MIME = "application/vnd.deepseek.panel+json"

pytestmark = [pytest.mark.local_model, pytest.mark.kernel, pytest.mark.timeout(600)]


class TestDataframes:
    notebook = "02-dataframes.ipynb"

    def test_every_question_is_answered(self, executed):
        check(executed)
        assert len({turn["id"] for turn in executed.turns}) == 5

    def test_what_stands_in_a_card_is_read_out_of_it(self, executed):
        assert "344" in executed.turns[0]["answer"]
        assert "survived" in executed.turns[2]["answer"].lower()

    def test_the_names_stay_here_and_come_back(self, executed):
        (asked,) = (t for t in executed.turns if t["prompt"].startswith("Repeat"))
        assert "Abbing" in asked["prompt"]
        assert "KeyError '<value-" in executed.texts
        assert "<column-1>: withheld" in executed.texts
        assert all("<value-" not in turn["answer"] for turn in executed.turns)

    def test_a_changed_frame_is_told(self, executed):
        shown = [o for o in executed.outputs if "text/markdown" in o.get("data", {})]
        told = "diamonds has changed since this answer."
        assert sum(told in output["data"]["text/markdown"] for output in shown) == 1


class TestConversations:
    notebook = "04-conversations.ipynb"

    def test_every_question_is_answered(self, executed):
        check(executed)
        assert len(executed.turns) == 8

    def test_a_branch_leaves_the_conversation_where_it_is(self, executed):
        french, spanish = (t for t in executed.turns if "good morning" in t["prompt"])
        assert french["parent"] == spanish["parent"] == executed.turns[1]["id"]

    def test_the_tree_the_diff_and_the_search_are_drawn(self, executed):
        for told in ("[french]", "[spanish]", "Answer\n- ", "«favourite»"):
            assert told in executed.texts

    def test_what_was_taken_back_is_forgotten(self, executed):
        asked = next(t for t in executed.turns if t["prompt"].startswith("What is my name?"))
        assert "Ada" in asked["answer"]

    def test_the_pinned_answer_is_replayed(self, executed):
        asked, pinned = (t for t in executed.turns if "prime" in t["prompt"])
        assert (asked["replayed"], pinned["replayed"]) == (False, True)
        assert asked["answer"] == pinned["answer"]


class TestTools:
    notebook = "03-tools.ipynb"

    def test_every_question_is_answered(self, executed):
        check(executed)
        assert len(executed.turns) == 2

    def test_the_answer_is_of_the_class_that_was_asked_for(self, executed):
        assert "City(name='Ulm', country='Germany', population=128928)" in executed.texts
        assert executed.turns[0]["format"] == "json"

    def test_sql_ran_over_the_frame_and_its_result_went_to_the_model(self, executed):
        step = executed.turns[1]["steps"][0]
        assert [call["name"] for call in step["tool_calls"]] == ["sql"]
        (result,) = step["results"]
        assert result["decision"] == "not asked"
        assert result["text"].splitlines()[1] == "4"
        assert "bikes" in step["tool_calls"][0]["arguments"]


class TestPanel:
    notebook = "05-panel.ipynb"

    def test_the_cells_share_the_panels_conversation(self, executed):
        check(executed)
        assert len(executed.turns) == 2
        assert "apple" in executed.turns[1]["answer"].lower()

    def test_the_panel_is_an_output(self, executed):
        panels = [o["data"].get(PANEL_MIME) for o in executed.outputs if "data" in o]
        assert {"height": 520} in panels


class TestDocuments:
    """What a small model says, nobody knows; what the marks say of it is true."""

    notebook = "06-documents.ipynb"

    def test_each_quote_has_its_place_or_none(self, executed):
        check(executed)
        lines = (ROOT / "notebooks/data/minutes.txt").read_text().splitlines()
        marks = re.compile(
            r'(?:"([^"]+)"|^> (.+?)) \[(?:data/minutes\.txt:(\d+)(?:-(\d+))?|not found)\]', re.M
        )
        found = [m for turn in executed.turns for m in marks.finditer(turn["answer"])]
        assert len(executed.turns) == 2
        assert found
        for match in found:
            quote = " ".join((match[1] or match[2]).split())
            first, last = int(match[3] or 1), int(match[4] or match[3] or len(lines))
            stands = quote.rstrip(".") in " ".join(" ".join(lines[first - 1 : last]).split())
            assert stands == bool(match[3])

    def test_what_does_not_fit_is_refused_and_planned(self, executed):
        for part in ("--fit map asks each of", "The plan", "the most relevant", "Nothing was sent"):
            assert part in executed.printed


class TestRows:
    notebook = "07-rows.ipynb"
    edits = (("reviews.head(12)", "reviews.head(4)"),)  # each takes the model seconds

    def test_a_trial_its_rows_and_nothing_twice(self, executed):
        assert executed.errors == []
        for part in ("200, 200 different", "Nothing was sent", "4 of 4 rows", "0 requests"):
            assert part in executed.printed


class TestSwitching:
    notebook = "08-switching.ipynb"
    edits = ((", (8, 8), (25, 50), (64, 19), (7, 95)]", "]"),)

    def test_a_printed_table_and_a_suite_that_says_how_little_it_shows(self, executed):
        assert executed.errors == []
        for part in (
            "A trial of 2 of 4 cases",
            "Scored by number",
            "thinking",
            "Scored by python",
            "Not shown: thinking may be",
        ):
            assert part in executed.printed
