"""A conversation as a file whose ending says the form: .md, .html, .json, .ipynb, .jsonl; as rows.

Model text is sanitized, as for the screen. Cards of attached data are left out, and pseudonyms
stay, because files are sent to others. Lines of JSON are for programs and contain what was sent,
word for word: training data without the cards would teach a model to invent them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from deepseek_jupyter.errors import ConversationError, DeepSeekError
from deepseek_jupyter.protocol.dialect import Dialect
from deepseek_jupyter.protocol.messages import Message, legal, system
from deepseek_jupyter.protocol.output import TURN_MIME, output_of, packed
from deepseek_jupyter.protocol.request import wire_messages
from deepseek_jupyter.protocol.usage import BUCKETS
from deepseek_jupyter.sanitizer.sanitizer import sanitize
from deepseek_jupyter.sanitizer.text import fenced, mark_text, plain

from .conversation import Conversation
from .restore import METADATA, restore
from .turn import ENDED_EARLY, SCHEMA, Turn, dump

ENDINGS = (".md", ".html", ".json", ".ipynb", ".jsonl")

_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # nbformat 4.5


def write_export(
    conversation: Conversation, path: Path, *, audit: bool = False, cells: Sequence[str] = ()
) -> None:
    """Write `conversation` to `path`; `audit` is a form of ``.jsonl``. What is said of the
    notebook's `cells` goes into the forms that people read.

    Raises `ConversationError`; overwrites nothing.
    """
    if audit:
        text = to_lines(map(audited, all_turns(conversation)))
    else:
        text = export_text(conversation, path.suffix, cells)
    write_new(path, text.encode(), ConversationError)


def write_new(path: Path, data: bytes, error: type[DeepSeekError]) -> None:
    """Write `data` to a file that is not there yet. Raises `error`; overwrites nothing."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise error(
            f"{path} exists; nothing is overwritten.", "Name another file, or delete that one."
        ) from None
    except OSError as why:
        raise error(
            f"{path} cannot be written: {why.strerror}.", "Name a file in another folder."
        ) from why


def export_text(conversation: Conversation, ending: str, cells: Sequence[str] = ()) -> str:
    """The file's text. Raises `ConversationError` for an ending that is none of `ENDINGS`."""
    forms: dict[str, Callable[[], str]] = {
        ".md": lambda: to_markdown(conversation, cells),
        ".html": lambda: to_html(conversation, cells),
        ".json": lambda: to_json(conversation),
        ".ipynb": lambda: json.dumps(to_notebook(conversation), indent=1),
        ".jsonl": lambda: to_lines(training(conversation)),
    }
    if ending not in forms:
        raise ConversationError(
            f"There is no form for {ending or 'a name without an ending'!r}.",
            f"The file's name ends in {', '.join(ENDINGS)}.",
        )
    return forms[ending]()


def conversation_of_file(path: Path) -> Conversation:
    """The conversation of the notebook file `path`: the journal's, and what the file carries.

    Raises `ConversationError` where there is neither.
    """
    from .journal import Journal

    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConversationError(
            f"{path} cannot be read as a notebook: {error}", "Name an .ipynb file."
        ) from None
    found = restore(Journal.open(), str(path.resolve()), content)
    conversation = found.conversation
    newest = max(found.foreign, key=lambda turn: turn.created, default=None)
    conversation.join(found.foreign, newest.id if newest and not len(conversation) else None)
    if not len(conversation):
        raise ConversationError(f"{path} has no conversation.", "Ask something in it first.")
    return conversation


def to_json(conversation: Conversation) -> str:
    """The whole tree: every record, and the branches."""
    whole = {
        "schema": SCHEMA,
        "conversation": conversation.id,
        **_branches(conversation),
        "turns": [turn.masked().written for turn in conversation.turns()],
        "aside": [turn.masked().written for turn in conversation.aside()],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False)


def to_lines(values: Iterable[Mapping[str, Any]]) -> str:
    return "".join(f"{dump(value)}\n" for value in values)


def training(conversation: Conversation) -> Iterator[dict[str, Any]]:
    """Chats for fine-tuning, ``{"messages": […]}`` as OpenAI's files have them: one a branch, and
    one for each answer that was asked for without the history. Only whole answers; thinking as
    ``reasoning_content``.
    """
    tips = dict.fromkeys(filter(None, conversation.branches.values()))
    chats = [conversation.path(tip) for tip in tips]
    chats += [[turn] for turn in conversation.aside() if turn.answer]
    for chat in chats:
        whole = [turn for turn in chat if turn.status == "done" and turn.finish_reason == "stop"]
        if whole:
            said = [message for turn in whole for message in turn.messages()]
            prompt = whole[-1].sending.get("system")
            yield {"messages": _wire([*([system(prompt)] if prompt else []), *said])}


def _wire(messages: Iterable[Message]) -> list[dict[str, Any]]:
    kept = legal(list(messages))
    wires = wire_messages(kept, "", Dialect())
    for message, wire in zip(kept, wires, strict=True):
        if message.reasoning:
            wire["reasoning_content"] = message.reasoning
    return wires


def audited(turn: Turn) -> dict[str, Any]:
    """A turn with what its record leaves out: the message and system prompt as they were sent,
    pseudonyms in place of what they stand for, and log probabilities.
    """
    more = {"sent": turn.sent, "system": turn.sending.get("system", ""), "logprobs": turn.logprobs}
    return {**turn.masked().written, **more}


def rows(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """A row a turn, of texts and numbers alone; see `deepseek_jupyter.turns`."""
    return [_row(turn) for turn in turns]


def _row(turn: Turn) -> dict[str, Any]:
    seen, usage, cost = turn.seen(), turn.usage, turn.cost
    same = "id parent conversation cell_id created status history provider model served_model"
    return {
        **{name: getattr(turn, name) for name in same.split(" ")},
        **{name: turn.audit.get(name) for name in ("think", "effort")},
        "parameters": dump(dict(turn.parameters)),
        "prompt": turn.prompt,
        "system": turn.sending.get("system", ""),
        "sent": turn.sent,
        "reasoning": seen.reasoning,
        "answer": seen.answer,
        "finish_reason": turn.finish_reason,
        **{name: getattr(usage, name, None) for name in BUCKETS},
        "cost": float(cost["amount"]) if cost else None,
        "currency": cost["currency"] if cost else None,
        "seconds": turn.timing.get("total"),
        "response_id": turn.audit.get("id"),
        **{name: turn.audit.get(name) for name in ("request_id", "fingerprint")},
        "notices": "\n".join(turn.notices),
        "error": turn.error["message"] if turn.error else None,
    }


def all_turns(conversation: Conversation) -> list[Turn]:
    """Every turn, those outside the tree too, in the order in which they were asked."""
    turns = [*conversation.turns(), *conversation.aside()]
    return sorted(turns, key=lambda turn: turn.created)


def to_markdown(turns: Iterable[Turn], cells: Sequence[str] = ()) -> str:
    """Prompts and answers of a path, and what is said of the notebook's `cells`."""
    parts = ["# Conversation"]
    for number, turn in enumerate(turns, 1):
        prompt = fenced(turn.masked().prompt, "text")
        parts += [f"## {number}", prompt, sanitize(turn.cited).markdown]
        parts.append(f"*{mark_text(plain(' · '.join(_facts(turn))))}*")
    if cells:
        parts += ["## Cells", "\n".join(f"- {mark_text(plain(line))}" for line in cells)]
    return "\n\n".join(part for part in parts if part) + "\n"


def to_html(turns: Iterable[Turn], cells: Sequence[str] = ()) -> str:
    """A page of its own that loads nothing; see `to_markdown`."""
    page = Template(Path(__file__).with_name("export.html").read_text("utf-8"))
    parts = [part for turn in turns for part in _section(turn)]
    if cells:
        items = "".join(f"<li>{escape(line)}</li>" for line in cells)
        parts.append(f"<h2>Cells</h2>\n<ul>{items}</ul>")
    return page.substitute(body="\n".join(parts))


def to_notebook(conversation: Conversation) -> dict[str, Any]:
    """A notebook (nbformat 4.5) of the active branch, one cell a turn, with its outputs.

    The other branches are in its metadata, so that the whole tree can be rebuilt from it.
    """
    way = list(conversation)
    shown = {turn.id for turn in way}
    rest = [turn.masked().written for turn in conversation.turns() if turn.id not in shown]
    taken: set[str] = set()
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
            METADATA: {
                **({"notebook": conversation.notebook} if conversation.notebook else {}),
                **_branches(conversation),
                "elsewhere": rest,
            },
        },
        "cells": [
            _code_cell("load-deepseek", "%load_ext deepseek_jupyter"),
            *(_cell(turn, taken) for turn in way),
        ],
    }


def _branches(conversation: Conversation) -> dict[str, Any]:
    return {"active": conversation.active, "branches": dict(conversation.branches)}


def _code_cell(id: str, source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": id,
        "execution_count": None,
        "metadata": {},
        "source": source,
        "outputs": list(outputs),
    }


def _cell(turn: Turn, taken: set[str]) -> dict[str, Any]:
    asked_in = turn.cell_id or ""
    usable = _CELL_ID.fullmatch(asked_in) and asked_in not in taken
    id = asked_in if usable else re.sub(r"[^A-Za-z0-9_-]", "-", turn.id)[:64]
    taken.add(id)
    turn = turn.masked()
    record = turn.written
    data = {
        TURN_MIME: packed(record, record["answer"]),
        "text/markdown": sanitize(record["answer"]).markdown,
        "text/plain": record["answer"],
    }
    data, metadata = output_of(data)
    output = {"output_type": "display_data", "data": data, "metadata": metadata}
    return _code_cell(id, f"%%deepseek\n{turn.prompt}", output)


def _section(turn: Turn) -> Iterator[str]:
    yield f'<section>\n<pre class="prompt">{escape(turn.masked().prompt)}</pre>'
    if turn.reasoning:
        yield f"<details><summary>Thinking</summary><pre>{escape(turn.reasoning)}</pre></details>"
    yield f"<div>{sanitize(turn.cited).html}</div>"
    yield f"<footer>{escape(' · '.join(_facts(turn)))}</footer>\n</section>\n<hr>"


def _facts(turn: Turn) -> list[str]:
    facts = [turn.served_model or turn.model, turn.created, ENDED_EARLY.get(turn.status, "")]
    if turn.usage is not None:
        facts.append(f"{turn.usage.total_tokens:,} tokens")
    if turn.cost is not None:
        facts.append(f"{turn.cost['amount']} {turn.cost['currency']}")
    return [fact for fact in facts if fact]
