"""Writing a conversation to a file whose ending says the form: .md, .html, .json, .ipynb."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deepseek_jupyter.errors import ConversationError

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation

__all__ = ["ENDINGS", "of_notebook", "text_of", "write"]

ENDINGS = (".md", ".html", ".json", ".ipynb")


def write(conversation: Conversation, path: Path) -> None:
    """Write `conversation` to `path`. Raises `ConversationError`; overwrites nothing."""
    text = text_of(conversation, path.suffix)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConversationError(
            f"{path} exists; nothing is overwritten.", "Name another file, or delete that one."
        ) from None
    except OSError as error:
        raise ConversationError(
            f"{path} cannot be written: {error.strerror}.", "Name a file in another folder."
        ) from error


def text_of(conversation: Conversation, ending: str) -> str:
    """The file's text. Raises `ConversationError` for an ending that is none of `ENDINGS`."""
    from deepseek_jupyter.conversation import exports
    from deepseek_jupyter.sanitizer.sanitize import neutralise

    def inert(text: str) -> str:
        return neutralise(text).markdown

    if ending == ".md":
        return exports.to_markdown(conversation, inert)
    if ending == ".html":
        return exports.to_html(conversation, lambda answer: neutralise(answer).html)
    if ending == ".json":
        return exports.to_json(conversation)
    if ending == ".ipynb":
        return json.dumps(exports.to_notebook(conversation, inert), indent=1)
    raise ConversationError(
        f"There is no form for {ending or 'a name without an ending'!r}.",
        f"The file's name ends in {', '.join(ENDINGS)}.",
    )


def of_notebook(path: Path) -> Conversation:
    """The conversation of the notebook file `path`: the journal's, else its own outputs'.

    Raises `ConversationError` where there is neither.
    """
    from deepseek_jupyter.conversation.journal import Journal
    from deepseek_jupyter.conversation.restore import restore

    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConversationError(
            f"{path} cannot be read as a notebook: {error}", "Name an .ipynb file."
        ) from None
    conversation = restore(Journal.open(), str(path.resolve()), content).conversation
    if not len(conversation):
        raise ConversationError(f"{path} has no conversation.", "Ask something in it first.")
    return conversation
