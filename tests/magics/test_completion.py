"""Tab in cells and lines of ours, in a real IPython shell, by the API that every front end uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter

Complete = Callable[[str], list[str]]


@pytest.fixture
def complete(shell: Any) -> Complete:
    """The cell's text after each completion, with the cursor where ``|`` is or at the end."""
    shell.user_ns["sales"] = pd.DataFrame({"city": ["Bonn"], "price": [3.0]})
    shell.user_ns["salary"] = 12
    shell.run_cell("def look_up(city: str) -> str:\n    return city")

    def run(text: str) -> list[str]:
        at = text.index("|") if "|" in text else len(text)
        text = text.replace("|", "")
        with provisionalcompleter():
            found = list(shell.Completer.completions(text, at))
        return [text[: c.start] + c.text + text[c.end :] for c in found]

    return run


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("%%ds --thi", ["%%ds --think"]),
        ("%%deepseek -p deep", ["%%deepseek -p deepseek"]),
        ("%%ds --provider=come", ["%%ds --provider=cometapi"]),
        ("%%ds --effort m", ["%%ds --effort max"]),
        ("%%ds -m deepseek-fl", ["%%ds -m deepseek-flash"]),
        ("%%ds -m wcode:deep", ["%%ds -m wcode:deepseek/deepseek-v3.2-exp"]),
        ("%%ds --param reasoning_ef", ["%%ds --param reasoning_effort="]),
        ("%%ds --param reasoning_effort=lo", ["%%ds --param reasoning_effort=low"]),
        ("%%ds --param parallel_tool_calls=t", ["%%ds --param parallel_tool_calls=true"]),
        ("%%ds -a sale", ["%%ds -a sales"]),
        ("%%ds -a sales:sam", ["%%ds -a sales:sample"]),
        ("%%ds -a sales:schema,price=fu", ["%%ds -a sales:schema,price=full"]),
        ("%%ds --tools sql,look", ["%%ds --tools sql,look_up"]),
        ("%%ds --branch ma", ["%%ds --branch main"]),
        ("%%ds --cells ab", ["%%ds --cells above"]),
        ("%%ds\nWhat of @sala", ["%%ds\nWhat of @salary"]),
        ("%%ds\nIs @sal| on?", ["%%ds\nIs @sales on?", "%%ds\nIs @salary on?"]),
        ("x = 1\n%ds --no-th", ["x = 1\n%ds --no-think"]),
        ("%ds --effort low Why @sale", ["%ds --effort low Why @sales"]),
        ("reply = %ds What is in @sale", ["reply = %ds What is in @sales"]),
        ("%deepseek doct", ["%deepseek doctor"]),
        ("%deepseek provider vl", ["%deepseek provider vllm"]),
        ("%deepseek config base_u", ["%deepseek config base_url="]),
        ("%deepseek local rem", ["%deepseek local remove"]),
        ("%deepseek checkout ma", ["%deepseek checkout main"]),
    ],
)  # fmt: skip
def test_tab_goes_on_with_what_was_begun(
    complete: Complete, typed: str, offered: list[str]
) -> None:
    assert complete(typed) == offered


@pytest.mark.parametrize("typed", ["%%ds\nopen imp", "%ds Why imp", "%%ds\nDear "])
def test_a_prompt_is_not_completed_as_python(complete: Complete, typed: str) -> None:
    assert complete(typed) == []


def test_an_expression_in_braces_is_completed_as_python(complete: Complete) -> None:
    assert "%%ds\nThe sum is {{ sales" in complete("%%ds\nThe sum is {{ sale")


@pytest.mark.parametrize("typed", ["sal", "%%time\nsal", "y = sal"])
def test_what_is_not_ours_is_left_alone(complete: Complete, typed: str) -> None:
    assert any(text.endswith("sales") for text in complete(typed))


def test_unloading_takes_it_away(shell: Any, complete: Complete) -> None:
    shell.run_line_magic("unload_ext", "deepseek_jupyter")
    assert "%%ds --think" not in complete("%%ds --thi")
    shell.run_line_magic("load_ext", "deepseek_jupyter")
    assert complete("%%ds --thi") == ["%%ds --think"]
