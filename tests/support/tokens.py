"""Tokens with probabilities, as a server says them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .scripted import Reply, Step, send
from .wording import USAGE, chunk, event


def place(text: str, logprob: float, *others: tuple[str, float]) -> dict[str, Any]:
    """One token of the API's list, with its alternatives."""
    own = _said(text, logprob)
    return {**own, "top_logprobs": [own, *(_said(*other) for other in others)]}


def _said(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def answer_of(
    tokens: Iterable[dict[str, Any]], thinking: Iterable[dict[str, Any]] = (), *before_end: Step
) -> Reply:
    """A streamed answer that is these tokens; `before_end` are steps before its end."""
    events = []
    for name, some in (("reasoning_content", thinking), ("content", tokens)):
        for token in some:
            said = chunk({name: token["token"]})
            said["choices"][0]["logprobs"] = {name: [token]}
            events.append(event(said))
    end = send(event(chunk({}, finish="stop", usage=USAGE)), "data: [DONE]\n\n")
    return Reply(send(*events), *before_end, end)
