"""The message of a question: its cells, what it attaches, and the prompt, through the gate.

Everything that leaves is put together here, once, and is resent afterwards as it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from deepseek_jupyter.context.cells import Chosen
from deepseek_jupyter.context.images import for_model
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.protocol.tokens import count_tokens, estimate_tokens

from .attaching import Gathered, gather
from .notebook_cells import chosen_cells

if TYPE_CHECKING:
    from deepseek_jupyter.context.gate import Gate
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.session.session import Session

    from .question import Question

__all__ = ["Parts", "compose"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a message is made of."""

    question: Question
    gate: Gate
    cells: Chosen
    gathered: Gathered

    def for_model(self, model: str, *, sees: bool) -> Parts:
        """The same as `model` can take it: see `context.images.for_model`."""
        taken = tuple(for_model(a, model, sees=sees) for a in self.gathered.attachments)
        return replace(self, gathered=replace(self.gathered, attachments=taken))

    def written(self, turn: Turn, path: Iterable[Turn] = ()) -> Turn:
        """`turn` with its message behind the turns of `path`, which it does not repeat."""
        before = list(path)
        gathered = self.gathered.behind(before)
        cells = self.cells.text("\n".join(turn.sent for turn in before))
        parts = [("cells", cells), *gathered.texts, ("prompt", self.question.message)]
        # Who tries a question wants figures; who asks one wants the answer.
        size = count_tokens if self.question.dry_run else estimate_tokens
        sizes = [[name, size(text)] for name, text in parts if text]
        details = [
            {
                "name": a.name,
                "rows": a.rows,
                "columns": [asdict(column) for column in a.columns],
                "masked": dict(a.masked),
            }
            for a in gathered.attachments
        ]
        return replace(
            turn,
            sent=self.gate.text("\n\n".join(text for _, text in parts if text)),
            images=gathered.images,
            attachments=gathered.records,
            sending={**turn.sending, "attachments": details, "parts": sizes},
        )


def compose(session: Session, question: Question, conversation: Conversation) -> Parts:
    """The parts of a resolved question's message. Raises `ParameterError`, `PolicyError`."""
    gate = session.gate_of(conversation)
    choice = session.config.cells if question.cells is None else str(question.cells)
    gathered = gather(session, question, gate)
    cells = chosen_cells(choice, question.cell_id, gate.text)
    return Parts(question, gate, cells, gathered)
