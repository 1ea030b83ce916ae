"""When two questions are equal, so that the answer to one can be kept for the other. Pure.

They are when everything that the user determines is equal: the words, what is attached, the
whole history, system prompt, parameters, and model and provider as far as they are named. What the
environment adds (which key there is, a default model) does not count: a notebook answers the same
next year.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.conversation.turn import Turn

if TYPE_CHECKING:
    from deepseek_jupyter.config import DeepSeek

    from .question import Question


def request_hash(config: DeepSeek, question: Question, turn: Turn, parent: Turn | None) -> str:
    """The hash by which an answer to `turn` is found again.

    The history is in it through the hash of the turn before, so that it costs the same however long
    the conversation is.
    """
    asked = {
        "provider": question.provider or config.provider,
        "model": question.model or config.model,
        "before": _before(parent),
        "system": config.system if question.system is None else question.system,
        "message": turn.sent,
        "images": [hashlib.sha256(url.encode()).hexdigest() for url in turn.images],
        "parameters": dict(turn.parameters),
        "extra": config.extra_body,
        "think": config.think if question.think is None else question.think,
        "effort": question.effort or config.effort,
        "go_on": question.go_on,
        "tools": [_tool_name(tool) for tool in question.tools],
        "schema": _schema_text(question.schema),
    }
    return _hash(asked)


def _tool_name(tool: Any) -> str:
    if isinstance(tool, str):
        return tool
    return str(getattr(tool, "__name__", "") or getattr(tool, "name", "") or type(tool).__name__)


def _schema_text(schema: Any) -> str:
    """A class by its name: its fields are found in the answer that fits them. `repr` has the
    arguments of ``list[int]``, whose name is ``list``.
    """
    return schema.__name__ if isinstance(schema, type) else repr(schema)


def _before(parent: Turn | None) -> str:
    if parent is None:
        return ""
    asked = parent.request_hash or [parent.sent or parent.prompt, len(parent.images)]
    return _hash(
        [asked, parent.answer, [text for step in parent.steps for _, text in step.results]]
    )


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
