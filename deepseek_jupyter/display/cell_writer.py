"""Writing to the notebook's cells, which only a page can do: what is asked of it, and its answer.

The messages are in docs/record.md; the TypeScript twin is ``labextension/src/lab/edits.ts``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from uuid import uuid4

from .pages import Pages, Request

__all__ = ["Answer", "CellWriter", "Change", "Outcome"]

Outcome = Literal["applied", "refused", "asked"]
_PATIENCE = 3.0  # seconds; a page without subshells answers only when the running cell has ended


@dataclass(frozen=True, slots=True)
class Change:
    """`source` for a cell that says `expect`; `provenance` for its metadata, None for none."""

    cell_id: str
    expect: str
    source: str
    provenance: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`asked` means that the page has not said yet. `why` is a refusal's reason.

    `provenance` is what each changed cell had before.
    """

    outcome: Outcome
    why: str = ""
    provenance: tuple[Mapping[str, str] | None, ...] = ()


@dataclass(slots=True)
class _Waiting:
    done: threading.Event = field(default_factory=threading.Event)
    answer: Answer = Answer("asked")
    given_up: bool = False
    late: Callable[[Answer], None] | None = None


class CellWriter:
    """Asks the newest page; what it answers after the wait is over is told to `late`."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}
        pages.handle("edited", self._answered)

    @property
    def available(self) -> bool:
        """Whether there is a page to ask."""
        return self._pages.connected

    def edit(
        self,
        changes: Sequence[Change],
        *,
        run: bool = False,
        late: Callable[[Answer], None] | None = None,
        patience: float = _PATIENCE,
    ) -> Answer:
        """Change cells, all or none of them, as far as each still says what is expected."""
        message = {"type": "edit", "edits": [asdict(change) for change in changes], "run": run}
        return self._ask(message, late, patience)

    def insert(
        self,
        after: str,
        sources: Sequence[str],
        provenance: Mapping[str, str],
        *,
        run: bool = False,
        patience: float = _PATIENCE,
    ) -> Answer:
        """Put new cells below the cell `after`, in order.

        Those that an earlier run of that cell put there go, unless someone has changed them.
        """
        message = {"type": "insert", "after": after, "sources": list(sources), "run": run}
        return self._ask({**message, "provenance": dict(provenance)}, None, patience)

    def _ask(
        self, message: Mapping[str, Any], late: Callable[[Answer], None] | None, patience: float
    ) -> Answer:
        name = uuid4().hex
        waiting = _Waiting(late=late)
        with self._lock:
            self._waiting[name] = waiting
        self._pages.send_newest({**message, "id": name})
        waiting.done.wait(patience)
        with self._lock:
            waiting.given_up = not waiting.done.is_set()
            if not waiting.given_up:
                del self._waiting[name]
            return waiting.answer

    def _answered(self, request: Request) -> None:
        body = request.body
        with self._lock:
            waiting = self._waiting.get(str(body.get("id")))
            if waiting is None or waiting.done.is_set():
                return
            waiting.answer = _read(body)
            waiting.done.set()
            if waiting.given_up:
                del self._waiting[str(body["id"])]
        if waiting.given_up and waiting.late is not None:
            waiting.late(waiting.answer)


def _read(body: Mapping[str, Any]) -> Answer:
    if body.get("outcome") != "applied":
        return Answer("refused", str(body.get("why") or "The page did not write it."))
    given = body.get("provenance")
    before = given if isinstance(given, list) else []
    return Answer("applied", "", tuple(p if isinstance(p, dict) else None for p in before))
