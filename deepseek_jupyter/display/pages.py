"""The pages that have our extension, reached over the two comms of docs/record.md.

A page opens both when it meets the extension; here they are kept, deltas are sent to every page,
and requests from a page are carried out. The TypeScript twin is ``labextension/src/comms.ts``.

Requests arrive on whatever thread the kernel serves the control comm on (a subshell's, on
ipykernel 7), so nothing here prints or displays, and the state has a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Pages", "RunningTurn", "pages"]

DATA = "deepseek.data"
CONTROL = "deepseek.control"
_MOST_PAGES = 4


class RunningTurn(Protocol):
    """A turn that is being shown."""

    def stop(self) -> None:
        """Stop it, from any thread, without waiting."""

    def snapshot(self) -> Mapping[str, Any] | None:
        """The ``snapshot`` message for a page that missed a delta; None where none are sent."""


class Pages:
    """The open comms, and the turns that a page may ask about."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._data: dict[str, Any] = {}
        self._turns: dict[str, RunningTurn] = {}

    def register(self, manager: Any) -> None:
        """Accept both comms at this comm manager."""
        manager.register_target(DATA, self._opened)
        manager.register_target(CONTROL, self._control_opened)

    def unregister(self, manager: Any) -> None:
        """Accept them no more."""
        manager.unregister_target(DATA, self._opened)
        manager.unregister_target(CONTROL, self._control_opened)

    @property
    def connected(self) -> bool:
        """Whether any page listens."""
        return bool(self._data)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send to every page."""
        with self._lock:
            listening = list(self._data.values())
        for comm in listening:
            comm.send(dict(message))

    def begin(self, turn_id: str, turn: RunningTurn) -> None:
        """A turn may be asked about from now on."""
        with self._lock:
            self._turns[turn_id] = turn

    def end(self, turn_id: str) -> None:
        """It is over."""
        with self._lock:
            self._turns.pop(turn_id, None)

    def _opened(self, comm: Any, message: Any) -> None:
        with self._lock:
            self._data[comm.comm_id] = comm
            while len(self._data) > _MOST_PAGES:  # a reloaded page never closed its old comm
                del self._data[next(iter(self._data))]
        comm.on_close(lambda _: self._closed(comm.comm_id))

    def _closed(self, comm_id: str) -> None:
        with self._lock:
            self._data.pop(comm_id, None)

    def _control_opened(self, comm: Any, message: Any) -> None:
        comm.on_msg(lambda asked: self._asked(asked["content"]["data"]))

    def _asked(self, request: Mapping[str, Any]) -> None:
        with self._lock:
            turn = self._turns.get(str(request.get("id")))
        if turn is None:
            return
        if request.get("type") == "stop":
            turn.stop()
        elif request.get("type") == "resync" and (snapshot := turn.snapshot()):
            self.send(snapshot)


pages = Pages()
