"""`Question`: what a user asks for, as a value; and when two questions are equal. Pure.

The answer to one of two equal questions can be kept for the other. They are equal when everything
that the user determines is equal: the words, what is attached, the whole history, system prompt,
parameters, and model and provider as far as they are named. What the environment adds (which key
there is, a default model) does not count: a notebook answers the same next year.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.config import APPROVALS, ON_ERROR, REPLAYS, DeepSeek
from deepseek_jupyter.errors import ParameterError, shortened
from deepseek_jupyter.protocol.parameters import plain_value

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.turn import Turn

FORMATS = ("md", "code", "json", "text")
FITS = ("parts", "head", "map")

# The provider's parameters that have a flag, and a keyword of `ds.ask`, of their own.
NAMED_PARAMETERS = ("temperature", "top_p", "max_tokens", "seed", "stop", "top_logprobs")

_KNOWN = {
    "format": FORMATS,
    "fit": FITS,
    "replay": REPLAYS,
    "approve": APPROVALS,
    "on_error": ON_ERROR,
}

_CODE_ONLY = "Reply with code only, in one fenced block."
_CONTINUE = "Go on exactly where you stopped."


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an answer begins with, for the model to go on from (prefix completion)."""

    text: str  # as it goes out
    of: Turn | None = None  # the turn from whose answer it is cut, and whose message goes out again
    tokens: tuple[dict[str, Any], ...] = ()  # of the text, in the API's form
    said: str = ""  # what the user reads of the cut


@dataclass(frozen=True, slots=True)
class Question:
    """What a user asks for, from a cell, from Python or from a panel. None: as the settings say.

    As flags and callers give it, `attach`, `tools`, `schema` and `cells` are in any form that
    `deepseek_jupyter.ask` takes; `ask.resolve` makes values of them.
    """

    prompt: str
    provider: str | None = None
    model: str | None = None
    think: bool | None = None
    effort: str | None = None
    system: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stream: bool | None = None
    history: bool | None = None  # False asks outside the conversation
    new: bool = False  # begin a new conversation first
    go_on: bool = False  # continue the last answer, which broke off or was cut
    format: str = "md"
    budget: float | None = None
    on_error: str | None = None
    cell_id: str | None = None
    by_prompt: bool = False  # know a cell without an id again by its prompt
    branch: str | None = None  # ask there, and leave the active one
    instead_of: str | None = None  # the id of the turn whose sibling this becomes
    replay: str | None = None
    pace: str | None = None  # how fast a kept answer is played (`rhythm.Pace`)
    dry_run: bool = False  # show what would be sent, and send nothing
    drawn: tuple[str, bytes] | None = None  # where a dry run would have sent what: nothing else may
    material: str = ""  # sent below the prompt, and no part of it
    shortened: tuple[str, ...] = ()  # of what `material` holds only a part, in sentences
    attach: Any = ()
    said: str | None = None  # the prompt as the message says it: names in place of ``@name``
    cells: str | int | None = None
    schema: Any = None
    tools: Any = ()
    approve: str | None = None
    fit: str | None = None  # what to send of documents that do not fit
    cite: bool = False  # ask for quotes from documents
    web: bool = False  # the provider's server may search the web for the answer
    begins: Beginning | None = None  # the answer's beginning, where the model does not say it

    def check(self) -> None:
        """Raise `ParameterError` for what no provider could make sense of."""
        if not self.prompt.strip() and not self.go_on and not self.begins:
            raise ParameterError("The prompt is empty.", "Write the question under the magic line.")
        for name, known in _KNOWN.items():
            value = getattr(self, name)
            if value is not None and value not in known:
                raise ParameterError(f"{name} cannot be {value!r}.", f"Use {', '.join(known)}.")
        if self.pace is not None:
            from deepseek_jupyter.protocol.rhythm import Pace

            Pace.parse(self.pace)
        if self.cite and (self.schema is not None or self.format != "md"):
            raise ParameterError(
                "--cite marks quotes in prose, and another form is asked for.", "Leave one out."
            )
        if self.cite and self.fit == "map":
            raise ParameterError(
                "--cite quotes what is sent, and --fit map sends no documents with the question.",
                "Use --fit parts, or leave one out.",
            )

    @property
    def message(self) -> str:
        """The user message as it goes on the wire."""
        if self.go_on and not self.prompt.strip():
            return _CONTINUE
        said = self.prompt if self.said is None else self.said
        code_only = _CODE_ONLY if self.format == "code" else ""
        cite = ""
        if self.cite:
            from deepseek_jupyter.context.quotes import WORDS as cite

        return "\n\n".join(filter(None, (said, self.material, code_only, cite)))


_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text"),
    "bool": ((bool,), "True or False"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
}


_WORDS = {f.name: str(f.type).split(" | ") for f in fields(Question)}


def fitting(options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` without numpy's types. Raises `ParameterError` for a value of a wrong type."""
    found = dict(options)
    for name, given in options.items():
        words = _WORDS.get(name, ())
        if given is None and "None" in words:
            continue
        kinds = [_TYPES[word] for word in words if word in _TYPES]
        if not kinds:
            continue
        value = found[name] = plain_value(given)
        if value is None and "None" in words:
            continue
        fits = any(isinstance(value, types) for types, _ in kinds)
        if not fits or value != value or (isinstance(value, bool) and "bool" not in words):
            allowed = " or ".join(said for _, said in kinds)
            raise ParameterError(f"{name} cannot be {shortened(repr(value), 60)}: it is {allowed}.")
    return found


def request_hash(
    config: DeepSeek,
    question: Question,
    parameters: Mapping[str, Any],
    parent: Turn | None,
    message: str,
    images: Iterable[str],
) -> str:
    """The hash that finds an answer again; the turn before stands for the whole history."""
    asked = {
        "provider": question.provider or config.provider,
        "model": question.model or config.model,
        "before": _before(parent),
        "system": config.system if question.system is None else question.system,
        "message": message,
        "images": [hashlib.sha256(url.encode()).hexdigest() for url in images],
        "parameters": dict(parameters),
        "extra": config.extra_body,
        "think": config.think if question.think is None else question.think,
        "effort": question.effort or config.effort,
        "go_on": question.go_on,
        "tools": [tool if isinstance(tool, str) else _name_of(tool) for tool in question.tools],
        "schema": _schema_text(question.schema),
        **({"fit": question.fit} if question.fit else {}),
        **({"web": True} if question.web else {}),
        **({"begins": question.begins.text} if question.begins else {}),
    }
    return _hash(asked)


def _name_of(tool: Any) -> str:
    return str(getattr(tool, "__name__", "") or getattr(tool, "name", "") or type(tool).__name__)


def _schema_text(schema: Any) -> str:
    """A class by its name; `repr` has the arguments of ``list[int]``, whose name is ``list``."""
    return schema.__name__ if isinstance(schema, type) else repr(schema)


def _before(parent: Turn | None) -> str:
    if parent is None:
        return ""
    asked = parent.request_hash or [parent.sent or parent.prompt, len(parent.images)]
    return _hash(
        [asked, parent.answer, [text for step in parent.steps for _, text in step.results]]
    )


def _hash(value: object) -> str:
    found, step = hashlib.sha256(), 1 << 20
    text = json.dumps(value, sort_keys=True, default=repr)
    for at in range(0, len(text), step):  # a long document is not copied a second time
        found.update(text[at : at + step].encode())
    return found.hexdigest()[:32]
