"""What the wires Messages and Responses share: requests said in other words, replies of items."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from deepseek_jupyter.errors import ParameterError

from .deltas import Delta
from .stream import CompletionStream

# Fields of chat completions that both wires say in other words.
_THINKING = ("thinking", "reasoning_effort", "reasoning", "enable_thinking")
_FORMS = ("response_format", "structured_outputs", "stream_options")
SAID = frozenset(("messages", "tools", "tool_choice", *_THINKING, *_FORMS))


def passed_on(body: Mapping[str, Any], names: Mapping[str, str], made: Iterable[str]) -> Any:
    """The fields of a chat completions body that need no other words, by their `names` here.

    Raises `ParameterError` for a field that the wire has `made` itself: one of the user's own could
    go round what was checked.
    """
    if clash := sorted(set(body) & {*made, *names.values()}):
        raise ParameterError(
            f"{clash[0]} is a field that this wire makes itself.",
            "Leave it out of %config DeepSeek.extra_body.",
        )
    return {names.get(name, name): value for name, value in body.items() if name not in SAID}


def thinking_in(message: Mapping[str, Any], *kinds: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The pieces of an earlier message's thinking, each with what it came with on a wire of these
    `kinds`. The text alone where it is another wire's, or is masked otherwise by now.
    """
    text: str | None = message.get("reasoning_content")
    came = [d for d in message.get("reasoning_details") or () if d["type"] in kinds]
    ends = list(itertools.accumulate((d["size"] for d in came), initial=0))
    if came and ends[-1] == len(text or ""):
        pieces = itertools.starmap(slice, itertools.pairwise(ends))
        return [((text or "")[piece], d) for piece, d in zip(pieces, came, strict=True)]
    return [] if text is None else [(text, {})]


class ItemStream(CompletionStream):
    """A reply of items (blocks) that begin, grow and end, each with a key."""

    def __init__(self, *, think_implied: bool = False) -> None:
        super().__init__(think_implied=think_implied)
        self._slots: dict[Any, int] = {}
        self._given: set[Any] = set()  # calls that have arguments

    def _say(self, said: Mapping[str, Any], deltas: list[Delta]) -> None:
        super()._take({"choices": [{"delta": said}]}, deltas)

    def _call(
        self, key: Any, function: Mapping[str, Any], deltas: list[Delta], id: Any = None
    ) -> None:
        slot = self._slots.setdefault(key, len(self._slots))
        if function.get("arguments"):
            self._given.add(key)
        self._say({"tool_calls": [{"index": slot, "id": id, "function": function}]}, deltas)

    def _end_call(self, key: Any, arguments: str, deltas: list[Delta]) -> None:
        """Take the whole arguments where none came before."""
        if key in self._slots and key not in self._given:
            self._call(key, {"arguments": arguments or "{}"}, deltas)

    def _seal(self, kind: str, **came_with: str) -> None:
        """Keep what the piece of thinking that has ended came with: the text is kept as one."""
        end = sum(map(len, self._reasoning or ()))
        size = end - sum(d["size"] for d in self._details)
        self._details.append({"type": kind, "size": size, **came_with})
