"""Everything in a bundle that came from a model or a server is text, wherever in it it stands.

`test_attacks` sends the corpus of attacks through each of its parts.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.render import (
    TURN_MIME,
    final_bundle,
    footer,
    shaped,
    streaming_bundle,
)

TAGS = {"div", "details", "summary", "p", "br", "sub", "em", "strong", "span"}
OWN = {("details", "open"), ("div", "class"), ("div", "style"), ("details", "style")}
FORMS = [TURN_MIME, "text/markdown", "text/plain"]


class Page(HTMLParser):
    """What an attack could only have brought, and the text that is seen."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.faults.append(tag)
        self.faults += [f"{tag} {name}" for name, _ in attrs if (tag, name) not in OWN]

    def handle_data(self, data: str) -> None:
        self.text += data

    def shown(self) -> str:
        return " ".join(self.text.split())


def record(**changes: Any) -> dict[str, Any]:
    turn = Turn("t", "c", "p", model="deepseek-flash", answer="Fine.", status="done")
    made = {**turn.record, **changes}
    made.setdefault("footer", footer(made))
    return made


def test_a_served_models_name_is_text_too():
    made = record(served_model="<img src=x onerror=alert(1)>")
    bundle = final_bundle(made)
    assert "<img" not in bundle["text/markdown"]
    assert "img src" in bundle["text/markdown"]


def test_a_bundle_holds_all_forms_and_json_keeps_it():
    bundle = final_bundle(record(reasoning="Hm."))
    assert list(bundle) == FORMS
    assert json.loads(json.dumps(bundle)) == bundle
    assert bundle["text/plain"] == "Fine."


@pytest.mark.parametrize(
    ("reason", "words"),
    [("interrupted", "(stopped)"), (None, "(no answer)"), ("stop", "(no answer)"), ("x", "(x)")],
)
def test_without_text_its_ending_stands_for_the_answer(reason, words):
    assert final_bundle(record(answer="", finish_reason=reason))["text/plain"] == words


def test_plain_text_brings_no_escape_codes():
    bundle = final_bundle(record(answer="a\x1b[31mb\x07 \ud800"))
    assert bundle["text/plain"] == "ab \ufffd"
    json.dumps({k: v for k, v in bundle.items() if k != TURN_MIME}, ensure_ascii=False).encode()


def test_json_and_text_are_shown_as_they_are():
    for kind, answer in (("json", '{"a": "<b>*x*</b>"}'), ("text", "*x* <b>\n```\n$y$")):
        bundle = final_bundle(record(answer=answer, format=kind))
        page = MarkdownIt().render(bundle["text/markdown"])
        assert "<pre" in page
        assert "<em>" not in page
        assert bundle["text/plain"] == answer
        assert answer in shaped(answer, kind)


def test_a_long_thought_is_shown_by_its_end_while_it_grows_and_whole_after():
    thought = "first " + "x" * 20_000 + " last"
    growing = streaming_bundle("", thought, status="thinking", elapsed=1.0, notices=[])
    assert "first" not in growing["text/html"]
    assert "last" in growing["text/html"]
    assert "first" in final_bundle(record(reasoning=thought), seen=True)["text/markdown"]


def test_the_clock_and_the_phase_are_told():
    for status, word in (("waiting", "Waiting"), ("thinking", "Thinking"), ("answering", "Answer")):
        bundle = streaming_bundle("", "", status=status, elapsed=3.21, notices=[])
        assert bundle["text/plain"].startswith(word)
        assert "3.2 s" in bundle["text/plain"]


def test_the_card_has_no_script_and_no_address():
    page = streaming_bundle("<p>x</p>", "r", status="thinking", elapsed=1.0, notices=["b"])
    assert not re.search(r"<script|\son\w+=|src=|href=|url\(", page["text/html"])
