"""`Withholding`: what the data policies of this session keep here, and each conversation's gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.privacy.redaction import Gate
    from deepseek_jupyter.privacy.withheld import Protected


Withheld = tuple[str, Mapping[str, str]]  # the policy, and the texts it keeps here


class Withholding:
    """What a policy withholds is withheld from every conversation of the session."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}
        self._withheld: dict[str, Withheld] = {}
        self._protected: Protected | None = None

    def gate_of(self, conversation: Conversation, detectors: frozenset[str]) -> Gate:
        """A conversation's gate, with the pseudonyms that its turns have used."""
        from deepseek_jupyter.privacy.redaction import Gate
        from deepseek_jupyter.privacy.withheld import Protected

        self._protected = self._protected or Protected()
        gate = self._gates.get(conversation.id)
        if gate is None:
            gate = self._gates[conversation.id] = Gate(protected=self._protected)
            for turn in conversation.masked():
                gate.remember(turn.pseudonyms)
        gate.detectors = detectors
        return gate

    @property
    def held(self) -> Mapping[str, Withheld]:
        """What is withheld now, by attachment; `hold` it to come back to it."""
        return dict(self._withheld)

    def add(self, withheld: Mapping[str, Withheld]) -> None:
        """Withhold this too; the gate got the texts themselves when it wrote the card."""
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
