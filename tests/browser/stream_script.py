"""The kernel's side of `docs/record.md`, small and for tests only: no model, no network.

A notebook of the browser tests imports this and calls `play`.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from comm import get_comm_manager
from IPython.display import display

MIME = "application/vnd.deepseek.turn+json"


class Channel:
    """The comms with every page, and the turns that run."""

    def __init__(self) -> None:
        self.data: list[Any] = []
        self.turns: dict[str, Turn] = {}

    def register(self) -> None:
        manager = get_comm_manager()
        manager.register_target("deepseek.data", self._on_data)
        manager.register_target("deepseek.control", self._on_control)

    def send(self, message: dict[str, Any]) -> None:
        for comm in self.data:
            comm.send(message)

    def _on_data(self, comm: Any, _: Any) -> None:
        self.data.append(comm)
        for turn in self.turns.values():
            if turn.runs:
                turn.catch_up(comm.send)

    def _on_control(self, comm: Any, _: Any) -> None:
        comm.on_msg(lambda message: self._asked(message["content"]["data"]))

    def _asked(self, request: dict[str, Any]) -> None:
        turn = self.turns.get(request["id"])
        if turn is None:
            return
        if request["type"] == "stop":
            turn.stopped.set()
        elif request["type"] == "resync":
            turn.catch_up(self.send)


channel = Channel()


class Turn:
    """One turn: its record, its display and its deltas."""

    def __init__(self, **fields: Any) -> None:
        self.id = str(uuid.uuid4())
        self.seq = 0
        self.runs = True
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.record: dict[str, Any] = {
            "schema": 1,
            "id": self.id,
            "status": "waiting",
            "provider": "local",
            "model": "deepseek-chat",
            "served_model": "deepseek-v4-flash",
            "prompt": "",
            "attachments": [],
            "reasoning": "",
            "answer": "",
            "tool_calls": [],
            "timing": {"first_token": None, "thinking": None, "total": None},
            "notices": [],
            "error": None,
            "footer": "",
            **fields,
        }
        channel.turns[self.id] = self
        self._handle = display(self._bundle(), raw=True, display_id=True)

    def say(self, **texts: str) -> None:
        with self.lock:
            for name, text in texts.items():
                self.record[name] += text
            channel.send({"type": "delta", "id": self.id, "seq": self.seq, **texts})
            self.seq += 1

    def phase(self, status: str) -> None:
        with self.lock:
            self.record["status"] = status
            channel.send({"type": "status", "id": self.id, "status": status})

    def catch_up(self, tell: Callable[[dict[str, Any]], None]) -> None:
        with self.lock:
            message = {"type": "snapshot", "id": self.id, "seq": self.seq}
            tell({**message, "record": dict(self.record)})

    def publish(self, **fields: Any) -> None:
        self.runs = "status" not in fields
        self.record.update(fields)
        self._handle.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, Any]:
        plain = self.record["answer"] or "…"
        return {MIME: dict(self.record), "text/html": "<p>plain</p>", "text/plain": plain}


def pieces(text: str, count: int) -> list[str]:
    """A text in so many pieces of like size."""
    ends = [round(len(text) * index / count) for index in range(count + 1)]
    return [text[start:end] for start, end in itertools.pairwise(ends)]


def play(
    answer: str,
    reasoning: str = "",
    *,
    deltas: int = 600,
    rate: float = 100,
    every: int = 0,
    final: bool = True,
    skip: int | None = None,
    **fields: Any,
) -> float:
    """Stream an answer; the time at which the last of it was sent.

    With `every`, the display is updated once for so many deltas. With `skip`, that delta is lost.
    Without `final`, the kernel falls silent in the middle of the turn.
    """
    turn = Turn()
    thought = pieces(reasoning, min(deltas // 6, len(reasoning))) if reasoning else []
    script = [("reasoning", piece) for piece in thought]
    if answer:
        script += [("answer", piece) for piece in pieces(answer, deltas - len(thought))]
    start = time.monotonic()
    began = time.monotonic()
    status = "done"
    try:
        for number, (name, piece) in enumerate(script):
            phase = {"reasoning": "thinking", "answer": "answering"}[name]
            if turn.record["status"] != phase:
                turn.phase(phase)
            if number == skip:
                turn.record[name] += piece
                turn.seq += 1
            else:
                turn.say(**{name: piece})
            if every and number % every == 0:
                turn.publish()
            if name == "reasoning":
                began = time.monotonic()
            time.sleep(max(0.0, start + (number + 1) / rate - time.monotonic()))
            if turn.stopped.is_set():
                status = "interrupted"
                break
    except KeyboardInterrupt:
        status = "interrupted"
    if final:
        thinking = round(began - start, 1) if reasoning else None
        turn.publish(
            status=status,
            timing={"first_token": 0.1, "thinking": thinking, "total": time.monotonic() - start},
            **{"footer": "", **fields},
        )
    return time.time()
