"""`Withholding`: what the session's data policies withhold, and each conversation's redactor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.withheld import Released, WithheldValues


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What an attachment withholds, and what its `card` (name, hash, policy) prints."""

    card: tuple[str, str, str]
    withheld: tuple[WithheldValues, ...]
    released: Released


class Withholding:
    """What a policy withholds is withheld from every conversation of the session.

    The last policy that a name was attached under holds, once that question has left.
    """

    def __init__(self) -> None:
        self._redactors: dict[str, Redactor] = {}
        self._held: dict[str, Held] = {}
        self._passed: tuple[Any, dict[str, str]] = (None, {})

    def redactor_of(self, conversation: Conversation, detectors: frozenset[str]) -> Redactor:
        """A conversation's redactor, with the pseudonyms that its turns have used."""
        redactor = self._redactors.get(conversation.id)
        if redactor is None:
            redactor = self._redactors[conversation.id] = Redactor()
            for turn in conversation.masked():
                redactor.remember(turn.pseudonyms)
        redactor.detectors = detectors
        redactor.withheld = self.without({})
        return redactor

    def for_history(self, conversation: Conversation, redactor: Redactor) -> Callable[[str], str]:
        """`redactor.redact`, remembered for each text until a policy changes."""
        released = (redactor.released.names, redactor.released.texts)
        state = (conversation.id, redactor.detectors, redactor.withheld, released)
        if self._passed[0] != state:
            self._passed = (state, {})
        passed = self._passed[1]

        def mask(text: str) -> str:
            if text not in passed:
                passed[text] = redactor.redact(text)
            return passed[text]

        return mask

    @property
    def policies(self) -> Mapping[str, str]:
        """The policy under which each name was attached last."""
        return {name: held.card[2] for name, held in self._held.items()}

    def without(self, policies: Mapping[str, str]) -> tuple[WithheldValues, ...]:
        """What is withheld, but for attachments whose policy is another one in `policies`."""
        kept = (h for n, h in self._held.items() if policies.get(n, h.card[2]) == h.card[2])
        return tuple(index for held in kept for index in held.withheld)

    def released(self, cards: Iterable[tuple[str, str, str]]) -> list[Released]:
        """What those of `cards` print that were attached last under their names."""
        known = {held.card: held.released for held in self._held.values()}
        return [known[card] for card in cards if card in known]

    def hold(self, held: Iterable[Held]) -> None:
        """Withhold these, in place of what their names withheld under other policies."""
        for one in held:
            before = self._held.get(one.card[0])
            if before is not None and before.card[2] == one.card[2]:
                one = replace(one, withheld=_together(before.withheld, one.withheld))
            self._held[one.card[0]] = one

    def add(self, held: Iterable[Held]) -> None:
        """Withhold what these do, where their names withhold nothing yet."""
        self.hold(one for one in held if one.card[0] not in self._held)


def _together(
    before: Iterable[WithheldValues], now: Iterable[WithheldValues]
) -> tuple[WithheldValues, ...]:
    """What an attachment withholds that was attached before: its earlier values too."""
    found = {index.soft: index for index in before}
    for index in now:
        found[index.soft] = index | found[index.soft] if index.soft in found else index
    return tuple(found.values())
