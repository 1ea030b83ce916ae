"""`Withholding`: what the session's data policies withhold, and each conversation's redactor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.privacy.redaction import Redactor
    from deepseek_jupyter.privacy.withheld import WithheldValues


Withheld = tuple[str, Mapping[str, str]]  # the policy, and the texts it keeps here


class Withholding:
    """What a policy withholds is withheld from every conversation of the session."""

    def __init__(self) -> None:
        self._redactors: dict[str, Redactor] = {}
        self._withheld: dict[str, Withheld] = {}
        self._protected: WithheldValues | None = None

    def redactor_of(self, conversation: Conversation, detectors: frozenset[str]) -> Redactor:
        """A conversation's redactor, with the pseudonyms that its turns have used."""
        from deepseek_jupyter.privacy.redaction import Redactor
        from deepseek_jupyter.privacy.withheld import WithheldValues

        self._protected = self._protected or WithheldValues()
        redactor = self._redactors.get(conversation.id)
        if redactor is None:
            redactor = self._redactors[conversation.id] = Redactor(protected=self._protected)
            for turn in conversation.masked():
                redactor.remember(turn.pseudonyms)
        redactor.detectors = detectors
        return redactor

    @property
    def held(self) -> Mapping[str, Withheld]:
        """What is withheld now, by attachment; `hold` it to come back to it."""
        return dict(self._withheld)

    def add(self, withheld: Mapping[str, Withheld]) -> None:
        """Withhold this too; the redactor got the texts themselves when it wrote the card."""
        self._withheld.update(withheld)

    def lift(self, policies: Mapping[str, str]) -> None:
        """Let go of what these attachments withheld, where their policy is another now.

        The last policy that a name was attached under holds.
        """
        held = self._withheld
        old = [n for n, policy in policies.items() if held.get(n, (policy,))[0] != policy]
        self.hold({name: kept for name, kept in held.items() if name not in old})

    def hold(self, withheld: Mapping[str, Withheld]) -> None:
        """Withhold exactly this."""
        if dict(withheld) != self._withheld and self._protected is not None:
            self._protected.clear()
            for _, values in withheld.values():
                self._protected.add(values)
        self._withheld = dict(withheld)
