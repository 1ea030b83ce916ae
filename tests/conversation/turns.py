"""Turns for tests, and a child process that writes some to a journal.

As a script: ``turns.py JOURNAL CONVERSATION COUNT PAUSE``. Says on its standard output what it has
done, each line after the journal has returned: ``begun ID``, ``checkpoint ID LENGTH``,
``finished ID``, ``trouble …``.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.conversation.turn import Step, Turn, new_id, now
from deepseek_jupyter.protocol.messages import ToolCall
from deepseek_jupyter.protocol.usage import Usage

UNTIMED = {"first_token": None, "thinking": None, "total": None}
PIECE = "Every piece of the answer counts. "


def a_turn(prompt: str = "Hello?", **fields: Any) -> Turn:
    """A finished turn."""
    given = {
        "id": new_id(),
        "conversation": "c",
        "created": now(),
        "status": "done",
        "finish_reason": "stop",
        "provider": "deepseek",
        "model": "deepseek-chat",
        "answer": f"An answer to: {prompt}",
        "sent": prompt,
        "timing": UNTIMED,
    }
    return Turn(prompt=prompt, **{**given, **fields})


def kept_turns(journal: Journal, conversation: str = "c") -> list[Turn]:
    """The turns that `journal` has of a conversation, in the order in which they were asked."""
    return Conversation.load(journal, conversation).turns()


def a_full_turn() -> Turn:
    """One with something in every field."""
    return a_turn(
        "Was ist 线性回归? \ud800",
        parent="someone",
        cell_id="vscode-notebook-cell:/a%20b.ipynb#W0sZmlsZQ==",
        sent="Was ist 线性回归?\n\n| a card |",
        served_model="deepseek-chat-0324",
        parameters={"temperature": 0.5, "stop": ["x"]},
        attachments=({"name": "df", "kind": "frame", "hash": "ab", "policy": "full", "tokens": 9},),
        reasoning="",
        usage=Usage(100, 50, 64, 20),
        cost={"amount": "0.000123", "currency": "USD"},
        timing={"first_token": 0.1, "thinking": None, "total": 2.5},
        notices=("One.", "Two."),
        error={"type": "TruncatedError", "message": "It broke off.", "hint": "Go on."},
        reasoning_details=({"type": "reasoning.text", "text": "x"},),
        steps=(
            Step((ToolCall("c1", "f", "{}"),), (("c1", "1"),), "", "Hm.", (("c1", "yes"),)),
            Step(
                (ToolCall("c2", "f", "{}"),),
                (("c2", "2"),),
                reasoning="So.",
                reasoning_details=({"type": "thinking", "size": 3, "signature": "s"},),
            ),
        ),
        branch={"index": 2, "count": 3},
        request_hash="deadbeef",
    )


def write(path: Path, conversation: str, count: int, pause: float) -> None:
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.conversation.journal import Journal

    journal = Journal.open(path)
    kept = Conversation.load(journal, conversation, notebook="n")
    say("ready")
    for _ in range(count):
        turn = a_turn(
            "Tell me all.", conversation=conversation, parent=kept.tip, answer="", status="waiting"
        )
        kept.begin_turn(turn)
        say("begun", turn.id)
        for _ in range(8):
            turn = replace(turn, answer=turn.answer + PIECE, status="answering")
            journal.write_running(turn)
            say("checkpoint", turn.id, len(turn.answer))
            time.sleep(pause)
        kept.add(replace(turn, status="done"))
        say("finished", turn.id)
    if journal.trouble:
        say("trouble", journal.trouble)


def say(*words: object) -> None:
    print(*words, flush=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))


def ask(conversation: Conversation, prompt: str, cell: str | None = None, **fields):
    """What a session does with a question."""
    parent = conversation.parent_for(cell, prompt if cell is None else None)
    turn = a_turn(prompt, conversation=conversation.id, parent=parent, cell_id=cell, **fields)
    conversation.begin_turn(turn)
    conversation.add(turn)
    return turn


def prompts(conversation: Conversation) -> list[str]:
    return [turn.prompt for turn in conversation]
