"""Exports: what a file of a conversation holds, and that it does no harm where it is opened."""

from __future__ import annotations

import nbformat
import pytest

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.exports import to_html, to_markdown, to_notebook

from .turns import a_turn

HOSTILE = "<script>alert(1)</script> ``` ![x](https://x/?d=1)"


@pytest.fixture
def conversation() -> Conversation:
    conversation = Conversation(id="c")
    for n, prompt in enumerate(["First?", HOSTILE]):
        conversation.add(
            a_turn(
                prompt, parent=conversation.tip, answer=HOSTILE, reasoning=HOSTILE,
                cell_id=f"cell{n}", model=HOSTILE, status="interrupted",
                cost={"amount": "0.1", "currency": "USD"},
                sent="a SECRET card",
            )
        )  # fmt: skip
    return conversation


def test_a_page_stands_alone_and_holds_no_markup_of_the_models(conversation):
    page = to_html(conversation)
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "First?" in page
    assert "SECRET" not in page


def test_markdown_holds_the_models_text_only_neutralised(conversation):
    text = to_markdown(conversation)
    assert "````text\n" + HOSTILE + "\n````" in text  # the prompt, in a fence that it cannot close
    assert "<script" not in text.replace("````text\n" + HOSTILE + "\n````", "")
    assert "stopped" in text
    assert "SECRET" not in text


def test_a_notebook_is_a_valid_one_and_asks_the_same_again(conversation):
    content = to_notebook(conversation)
    nbformat.validate(nbformat.from_dict(content))
    assert content["cells"][1]["source"] == "%%deepseek\nFirst?"
    assert content["cells"][1]["id"] == "cell0"
    assert "<script" not in content["cells"][1]["outputs"][0]["data"]["text/markdown"]
    assert "SECRET" not in str(content)


def test_cell_ids_of_other_front_ends_become_valid_ones():
    conversation = Conversation(id="c")
    for cell in ("vscode-notebook-cell:/x#W0", "same", "same"):
        conversation.add(a_turn(parent=conversation.tip, cell_id=cell))
    nbformat.validate(nbformat.from_dict(to_notebook(conversation)))
