"""Cards of hostile text: spliced from known attacks, in every field of a record."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.display.render import final_bundle
from deepseek_jupyter.sanitizer.sanitizer import sanitize
from tests.conversation.turns import a_full_turn
from tests.display.test_safe import ATTACKS, GFM, faults, fed, markdown_faults
from tests.support.fuzzing import examples

TEXTS = [attack["text"] for attack in ATTACKS if len(attack["text"]) < 2000]


@st.composite
def spliced(draw: st.DrawFn) -> str:
    """Slices of attacks, one behind or within the other."""
    made = ""
    for _ in range(draw(st.integers(1, 4))):
        text = draw(st.sampled_from(TEXTS))
        start = draw(st.integers(0, len(text)))
        slice_ = text[start : start + draw(st.integers(0, 200))]
        at = draw(st.integers(0, len(made)))
        made = made[:at] + slice_ + draw(st.sampled_from(["", "\n", "\n\n", " "])) + made[at:]
    return made


@examples(150)
@given(spliced())
def test_attacks_spliced_into_each_other_do_nothing(text):
    sanitized = sanitize(text)
    assert faults(sanitized.html) == []
    assert markdown_faults(sanitized.markdown) == []


@examples(80)
@given(spliced(), st.lists(st.integers(0, 400), max_size=4))
def test_in_pieces_they_give_the_same(text, cuts):
    assert fed(text, *sorted(cuts)).finish() == sanitize(text)


class Actors(HTMLParser):
    """Names what could act in a page: tags, handlers and addresses that a card never has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "iframe", "object", "embed", "form", "img", "svg", "style", "link"}:
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (value or "").strip().lower().startswith("javascript:"):
                self.found.append(f"{tag} {name}={value}")


@examples(80)
@given(spliced(), spliced(), spliced())
def test_no_field_of_a_record_acts_in_its_card(answer, reasoning, other):
    record = {
        **a_full_turn().record,
        "answer": answer,
        "reasoning": reasoning,
        "model": other,
        "footer": other,
        "notices": [other],
        "error": {"type": other, "message": other},
        "prompt": other,
    }
    bundle = final_bundle(record)
    assert Actors(GFM.render(bundle["text/markdown"])).found == []
    assert "\x1b" not in bundle["text/plain"]
