"""Documents of a question: made to fit the context where that is asked for, and quoted from.

A document is what has places: a file, or a text of the notebook. Whole is the default; what does
not fit is refused with the choices and their prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from deepseek_jupyter.context import quotes, relevance
from deepseek_jupyter.context.attachment import Attachment
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.render import money, seconds
from deepseek_jupyter.errors import ContextLengthError, ParameterError
from deepseek_jupyter.protocol.tokens import estimate_tokens, least_answer
from deepseek_jupyter.protocol.usage import Price, Usage

from .attachments import Gathered
from .question import Question

_SPARE = 0.95  # of the room: counts are estimates
_PARTS = 4  # a fourth of the context is for the most relevant parts, or for a share of all
_SAID, _LEAST_SAID = 1_000, 150  # tokens in which a share of the documents is answered
_ANSWER = 500  # tokens of an answer, where it is reckoned how long it takes
_SPEED, _READING = 40, 100  # tokens a second, before any answer came; tokens read in that of one


def room_for(context: int, taken: int, parameters: Mapping[str, Any]) -> int:
    """Tokens left for documents, next to `taken` others and the answer."""
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
    if not context or question.fit not in ("parts", "head") or not found:
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


@dataclass(frozen=True, slots=True)
class MapPlan:
    """``--fit map``: `count` shares of `size` tokens, each answered in `each`; `tokens` in all."""

    count: int
    size: int
    each: int
    tokens: int


def map_plan(tokens: int, context: int, taken: int, parameters: Mapping[str, Any]) -> MapPlan:
    """The plan for documents of `tokens`, next to `taken` others in each request. Raises
    `ContextLengthError` for too many.
    """
    room = room_for(context, taken, parameters)
    for size in (min(room, context // _PARTS), room):
        count = -(-tokens // max(1, size * 9 // 10))  # a share is not filled to its end
        each = min(_SAID, room // max(1, count + 1) // 50 * 50)
        if each >= _LEAST_SAID:
            return MapPlan(count, size, each, tokens)
    raise ContextLengthError(
        f"The documents are about {tokens:,} tokens: too many for --fit map at {context:,} a time.",
        "--fit parts sends the most relevant parts; or attach less, or ask another model.",
    )


def pace(conversation: Conversation, model: str) -> float:
    """Seconds per written token of `model` in `conversation`; reading counts a hundredth."""
    took, work = 0.0, 0.0
    for turn in (*conversation.turns(), *conversation.aside()):
        total = turn.timing.get("total")
        if turn.model == model and turn.usage is not None and total and not turn.steps:
            new = turn.usage.prompt_tokens - turn.usage.cache_hit_tokens
            took, work = took + total, work + new / _READING + turn.usage.completion_tokens
    return took / work if work else 1 / _SPEED


def time_for(pace: float, read: int, written: int = _ANSWER) -> str:
    """How long a request takes, in words."""
    return seconds(pace * (read / _READING + written))


def choices(
    error: ContextLengthError,
    attachments: Sequence[Attachment],
    context: int,
    price: Price | None,
    pace: float,
    at_once: int,
) -> ContextLengthError:
    """`error` with what can be done where documents do not fit, with price and time of each."""
    if not any(a.unit for a in attachments):
        return error
    most = room_for(context, 0, {})

    def costing(tokens: int, took: str, out: int = 0) -> str:
        if price is None:
            return f"{tokens:,} tokens, about {took}"
        cost = price.cost(Usage(prompt_tokens=tokens, completion_tokens=out))
        return f"{tokens:,} tokens, about {money(cost.amount, cost.currency)}, about {took}"

    some = min(most, context // _PARTS)
    parts, head = (costing(tokens, time_for(pace, tokens)) for tokens in (some, most))
    ways = (
        f"--fit parts sends the most relevant parts (up to {parts}), --fit head the beginnings "
        f"(up to {head}); or attach less."
    )
    with suppress(ContextLengthError):
        plan = map_plan(sum(a.tokens for a in attachments if a.unit), context, 0, {})
        rounds = -(-plan.count // at_once)
        took = time_for(pace, plan.size * rounds, plan.each * rounds + _ANSWER)
        every = costing(plan.tokens, took, plan.count * plan.each)
        ways = (
            f"--fit parts sends the most relevant parts (up to {parts}), --fit head the beginnings "
            f"(up to {head}), --fit map asks each of {plan.count} parts, then over what they say "
            f"({every}); or attach less."
        )
    return ContextLengthError(error.what, ways)


# Quotes


def detail(a: Attachment, sent: str) -> dict[str, Any]:
    """Where in the message `sent` a document is, for its turn to keep."""
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
    """The quotes of `answer`, found in `turns`, the newest first; a sentence on those not found."""
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
