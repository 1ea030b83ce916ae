"""Each scorer on answers as models give them."""

from __future__ import annotations

import pytest

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.jobs import scorers
from deepseek_jupyter.jobs.scorers import scorer_of

TABLE = [{"city": "Ulm", "people": 128928}, {"city": "Bonn", "people": 336465}]
MARKDOWN = "Here:\n\n| People | City |\n|---|---|\n| 336,465 | Bonn |\n| 128928.0 | Ulm |\n"
CSV = "```csv\ncity,people\nUlm,128928\nBonn,336465\n```"
RECORDS = '[{"city": "Bonn", "people": 336465}, {"people": 128928, "city": "Ulm"}]'
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("scorer", "answer", "expected", "right"),
    [
        ("exact", " Paris\n", "Paris", True),
        ("exact", "paris", "Paris", False),
        (scorers.exact(ignore_case=True), "paris", "Paris", True),
        ("exact", "Paris.", ["Paris", "Paris."], True),
        ("contains", "It is paris.", "Paris", True),
        ("contains", "It is Rome.", ["Paris", "Oslo"], False),
        (scorers.contains(ignore_case=False), "It is paris.", "Paris", False),
        ("regex", "room 101", r"\d{3}$", True),
        (scorers.regex(r"Answer: (\w+)"), "Answer: B, not C", "B", True),
        (scorers.regex(r"Answer: (\w+)"), "B", "B", False),
        (scorers.regex(r"^\d+$"), "12", None, True),
        ("number", "3 apples and 4 make 7.", 7, True),
        ("number", "It is 1,234.50 in all", "1234.5", True),
        ("number", "about −3.2e-4", -0.00032, True),
        ("number", "12 %", 0.12, True),
        ("number", "12%", 12, True),
        ("number", "1.2万", 12_000, True),
        ("number", "none", 7, False),
        ("number", "7 or 8", 7, False),
        (scorers.number(rel_tol=0.05), "3.1", 3.14159, True),
        ("number", "3.1", 3.14159, False),
        (scorers.choice(["A", "B", "C"]), "A is wrong.\nThe answer is B.", "B", True),
        (scorers.choice(["A", "B", "C"]), "A or B", "B", False),
        (scorers.choice(["A", "B"]), "a bus is a choice", "A", False),
        (scorers.choice(["positive", "very positive"]), "Very positive!", "very positive", True),
        (scorers.choice(["甲", "乙"]), "答案是甲", "甲", True),
        ("choice", "no idea", "B", False),
        ("json", 'Here: ```json\n{"a": 1}\n```', None, True),
        ("json", "no JSON", None, False),
        ("json", '{"a": 1}', '{"a": 1.0}', True),
        ("json", '{"a": 1}', {"a": 2}, False),
        (scorers.json(SCHEMA), '{"a": 1}', None, True),
        (scorers.json(SCHEMA), '{"a": "x"}', None, False),
        (scorers.json(list[int]), "[1, 2]", [1, 2], True),
        ("same_frame", MARKDOWN, TABLE, True),
        ("same_frame", CSV, TABLE, True),
        ("same_frame", RECORDS, TABLE, True),
        ("same_frame", RECORDS, CSV, True),
        (scorers.same_frame(ordered=True), RECORDS, TABLE, False),
        ("same_frame", MARKDOWN.replace("336", "337"), TABLE, False),
        ("same_frame", "| City |\n|---|\n| Ulm |\n", TABLE, False),
        ("same_frame", "no table", TABLE, False),
        (lambda answer, case: answer == case["id"], "7", None, False),
    ],
)
def test_what_is_right(scorer, answer, expected, right):
    assert scorer_of(scorer).score(answer, {"id": 7, "expected": expected}) == right


def test_a_score_between_0_and_1_counts_and_others_are_refused():
    assert scorer_of(lambda answer, case: 0.25).score("", {}) == 0.25
    for wrong in (-1, 1.5, float("nan")):
        with pytest.raises(ParameterError, match="between 0 and 1"):
            scorer_of(lambda answer, case, wrong=wrong: wrong).score("", {})


@pytest.mark.parametrize("made", [scorers.choice(["A", "B"]), scorers.json(SCHEMA)])
def test_a_saved_scorer_is_made_again(made):
    again = scorer_of({"name": made.name, "settings": made.settings})
    assert (again.name, again.settings) == (made.name, made.settings)


def test_code_in_an_answer_is_never_run(tmp_path):
    mark = tmp_path / "ran"
    code = f"```python\nopen({str(mark)!r}, 'w')\n```\n__import__('os').mknod({str(mark)!r})"
    names = ("exact", "contains", "regex", "number", "choice", "json", "same_frame")
    for name in names:
        scorer_of(name).score(code, {"expected": "1"})
    assert not mark.exists()
