"""Documents of a question: made to fit the context where that is asked for, and quoted from.

A document is what has places: a file, or a text of the notebook. Whole is the default; what does
not fit is refused with the choices and their prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context import quotes, relevance
from deepseek_jupyter.context.attachment import Attachment
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.render import money
from deepseek_jupyter.errors import ContextLengthError, ParameterError
from deepseek_jupyter.protocol.tokens import estimate_tokens, least_answer
from deepseek_jupyter.protocol.usage import Price, Usage

if TYPE_CHECKING:
    from .attachments import Gathered
    from .question import Question


_SPARE = 0.95  # of the room: counts are estimates
_PARTS = 4  # a fourth of the context is for the most relevant parts


def room_for(context: int, taken: int, parameters: Mapping[str, Any]) -> int:
    """Tokens that documents may take beside `taken` others and the answer."""
    answer = int(parameters.get("max_tokens") or 0) or least_answer(context)
    return max(0, int((context - answer - taken) * _SPARE))


def fitted(gathered: Gathered, question: Question, context: int | None, taken: int) -> Gathered:
    """`gathered` with the documents that the history does not have cut as ``--fit`` says, where
    they are longer than the room that `context` leaves them.
    """
    places = [
        at for at, a in enumerate(gathered.attachments) if a.unit and a.name not in gathered.known
    ]
    found = [gathered.attachments[at] for at in places]
    if not context or question.fit is None or not found:
        return gathered
    room = room_for(context, taken, question.parameters)
    if sum(a.tokens for a in found) <= room:
        return gathered
    if question.fit == "head":
        made = relevance.heads(found, room)
    else:
        made = relevance.parts(found, question.prompt, min(room, context // _PARTS))
    fit = dict(zip(places, made, strict=True))
    attachments = tuple(fit.get(at, a) for at, a in enumerate(gathered.attachments))
    return replace(gathered, attachments=attachments)


def choices(
    error: ContextLengthError,
    attachments: Sequence[Attachment],
    context: int,
    price: Price | None,
) -> ContextLengthError:
    """`error` with what can be done where it is documents that do not fit, each with its price."""
    if not any(a.unit for a in attachments):
        return error
    most = room_for(context, 0, {})

    def costing(tokens: int) -> str:
        if price is None:
            return f"{tokens:,} tokens"
        cost = price.cost(Usage(prompt_tokens=tokens))
        return f"{tokens:,} tokens, about {money(cost.amount, cost.currency)}"

    return ContextLengthError(
        error.what,
        f"--fit parts sends the most relevant parts (up to {costing(min(most, context // _PARTS))})"
        f", --fit head the beginnings (up to {costing(most)}); or attach less.",
    )


# Quotes


def detail(a: Attachment, sent: str) -> dict[str, Any]:
    """Where a document stands in the message that is `sent`, for its turn to keep."""
    at = sent.find(a.text) if a.unit else -1
    if at < 0:
        return {}
    return {"document": [at, len(a.text), a.unit, list(map(list, a.positions))]}


def check_citable(question: Question, turns: Iterable[Turn]) -> None:
    """Raise `ParameterError` where quotes are asked for and there is nothing to quote from."""
    if question.cite and next(_sources(turns), None) is None:
        raise ParameterError(
            "--cite needs a document, and neither this question nor the conversation has one.",
            "Attach one: -a notes.txt, or a text of the notebook.",
        )


def citations(answer: str, turns: Sequence[Turn]) -> tuple[list[dict[str, Any]], str]:
    """The quotes of `answer` with their places in what `turns` sent, the newest first; a sentence
    on those without one.
    """
    found = quotes.cited(answer, _sources(reversed(turns)))
    return list(map(asdict, found)), quotes.notice(found)


def _sources(turns: Iterable[Turn]) -> Iterator[quotes.QuoteSource]:
    for turn in turns:
        for one in turn.sending.get("attachments", ()):
            if document := one.get("document"):
                at, length, unit, positions = document
                yield quotes.QuoteSource(one["name"], turn.sent[at : at + length], unit, positions)


def tokens_without(attachments: Iterable[Attachment], *texts: str) -> int:
    """Tokens of what a message holds besides documents."""
    others = sum(a.tokens for a in attachments if not a.unit)
    return others + sum(map(estimate_tokens, texts))
