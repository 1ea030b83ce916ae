"""What a finished answer adds to the notebook's file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.conversation.turn import Turn, read_record
from deepseek_jupyter.display import render
from deepseek_jupyter.protocol.output import TURN_MIME, packed, unpacked
from tests.support.saving import bytes_of_answer

PROSE = (
    "The mean falls because prices fell in May, and rows without a price are left out of the "
    "count, so that what is left is cheaper than what was there in April."
)
LINES = "\n".join(f"month_{n} = df[df.month == {n}].price.mean()  # of May {n}" for n in range(6))
CODE = f"```python\n{LINES}\ndf.plot(kind='bar')\n```"
ODD = "```python\nif a < b:\n    print('$')\n```"
LIST = f"- {PROSE[:75]} *fell* in **May**.\n- {PROSE[75:]} `NaN` is dropped."
LINE_END = "\n"
CODES = {
    "html": "<div class=\"a\" id='b'>\n  <p>Hi & <b>*x*</b></p>\n\n  <script>b[0]</script>\n</div>",
    "ts": "const a = b.map(x => x < 3 ? `${x}` : [x]);\n\nif (a && b) {\n  go();\n}",
    "json": '{"a": [1, {"b": "c://d"}],\n "k": null},',
    "go": "\tif a < b {\n\t\treturn x[0]\n\t}",
    "bash": 'cat "$f" | grep -v "^#" > "${f%.csv}.out"; done',
    "python In[4]": "if a[0] < b: print(f'{x!r}', *args)",
    "rust": "fn f<T: Clone>(x: &[T]) -> Vec<T> { x.iter().map(|a| a.clone()).collect() }",
}
RICH = "\n\n".join([PROSE, LIST, CODE, PROSE.replace("May", "June"), LIST.upper(), ODD] * 2)


def saved(answer: str) -> dict[str, object]:
    record = Turn("t", "c", "p", model="m", answer=answer, status="done").record
    return json.loads(json.dumps(render.final_bundle({**record, "footer": ""})))


@pytest.mark.parametrize(
    "answer",
    [
        *("\n\n".join([PROSE] * 6), RICH, f"{PROSE}\n\n{LIST}\n\n" * 3),
        *(
            f"```{name}\n{(code + LINE_END) * (1 + 2_000 // len(code))}```"
            for name, code in CODES.items()
        ),
    ],
    ids=["prose", "rich", "lists", *CODES],
)
def test_a_file_grows_by_at_most_two_and_a_half_times_the_answer(answer):
    assert bytes_of_answer(answer) <= 2.5 * len(answer.encode())


def test_what_is_beside_the_answer_is_bounded():
    """So the promise holds from about a thousand bytes of prose on, and for no short answer."""
    assert bytes_of_answer("42") < 1_300
    assert bytes_of_answer("\n\n".join([PROSE] * 12)) < 1_300 + 1.2 * 12 * (len(PROSE) + 2)


def test_the_answer_is_in_the_output_at_most_twice(monkeypatch):
    monkeypatch.setattr(render, "reads_plain_text", lambda: False)
    text = json.dumps(saved(RICH))
    for part in (json.dumps(p)[1:-1] for p in (PROSE, "df.plot(kind='bar')", "print('$')")):
        assert text.count(part) <= 2 * RICH.count(json.loads(f'"{part}"'))
    assert text.count("left is cheaper") == RICH.count("left is cheaper"), "prose is there once"


@pytest.mark.parametrize(
    "answer",
    [
        *(
            RICH,
            PROSE,
            ODD,
            "",
            "\n\n",
            "a\n\n\n\nb",
            f"{CODE}\n\n{CODE}",
            "&lt; `<b>` &#65;\n\n~~~\n<\n~~~",
        ),
        *(
            f"1. In a list:\n\n   ```{name}\n   {code}\n   ```\n\n{code}"
            for name, code in CODES.items()
        ),
    ],
)
def test_the_answer_comes_back_to_the_letter(answer, monkeypatch):
    monkeypatch.setattr(render, "reads_plain_text", lambda: False)
    for data in (saved(answer), as_file(saved(answer))):
        assert read_record(unpacked(data)).answer == answer


PARTS = ["a", "b", "", "\n", "c\nd", "\n\n", "7", "`<`", "&lt;", "<pre><code>&#10;</code></pre>"]


@given(st.lists(st.sampled_from(PARTS)).map("\n\n".join), st.text())
def test_any_answer_comes_back_from_any_markdown(answer, markdown):
    record = Turn("t", "c", "p", model="m", answer=answer, status="done").record
    for shown in (markdown, answer, f"{markdown}\n\n{answer}"):
        data = {TURN_MIME: packed(record, "…", shown), "text/plain": "…", "text/markdown": shown}
        assert unpacked(json.loads(json.dumps(data)))["answer"] == answer


@pytest.mark.parametrize(
    "part", [9, -1, 1.5, None, True, [0], [9, 12], ["a", 2], [0, 1, 2], {"a": 1}]
)
def test_a_forged_place_is_empty(part):
    data = saved(PROSE)
    data[TURN_MIME]["more"] = json.dumps({"model": "m", "answer": ["x", part]})
    assert unpacked(data)["answer"] == "x\n\n"
    data[TURN_MIME]["more"] = json.dumps({"model": "m", "lines": ["x", part]})
    assert unpacked(data)["answer"] == "x\n"


def test_an_answer_that_was_saved_as_paragraphs_opens():
    data = {**saved(""), "text/markdown": "> p\n\nA *b*.\n\n<sub>m</sub>"}
    data[TURN_MIME]["more"] = json.dumps({"model": "m", "answer": [1, "<C>"]})
    assert read_record(unpacked(as_file(data))).answer == "A *b*.\n\n<C>"


def as_file(data: dict[str, object]) -> dict[str, object]:
    """As a file has it, a text a list of lines."""
    cut = {k: v.splitlines(keepends=True) for k, v in data.items() if isinstance(v, str)}
    return {**data, **cut}
