"""Identifiers and keys planted anywhere in any text: none passes, and what is no secret returns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.privacy.redaction import Redactor
from tests.support.fuzzing import examples

PLAIN = ["ada.lovelace@example.org", "DE89 3704 0044 0532 0130 00", "4111 1111 1111 1111"]
SECRETS = ["sk-proj-Zq8vT2mK4xW7yB1nR5cJ9dL3hF6gS0aE", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"]
# What may stand beside one without being taken for a part of it.
EDGES = [" ", "\n", ", ", "; ", "(", ")", '"', "'", "| ", "\t", ": ", " = "]
around = st.text(st.characters(categories=["Lu", "Ll", "Zs", "Po", "Sm"]), max_size=30)


@st.composite
def planted(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A text, and what was put into it."""
    found = draw(st.lists(st.sampled_from([*PLAIN, *SECRETS]), min_size=1, max_size=5))
    text = draw(around)
    for value in found:
        text += draw(st.sampled_from(EDGES)) + value + draw(st.sampled_from(EDGES)) + draw(around)
    return text, found


@examples(120)
@given(planted())
def test_nothing_planted_passes(case):
    text, found = case
    sent = Redactor().redact(text)
    assert not [value for value in found if value in sent]


@examples(120)
@given(planted())
def test_what_is_no_secret_comes_back_and_a_secret_never_does(case):
    text, found = case
    redactor = Redactor()
    shown = redactor.restore(redactor.redact(text))
    assert not [value for value in found if value in SECRETS and value in shown]
    if not set(found) & set(SECRETS):
        assert shown == text
