"""The pages that have our extension, reached over the two comms of docs/record.md, and panels.

A page opens both when it meets the extension; here they are kept, deltas are sent to every page,
and requests from a page are carried out. The twin is ``labextension/src/kernel/comms.ts``.
A panel is a widget in a page without the extension: by the comm of its own model it gets these
messages and may make these requests. Only pages show, write and read cells (`CellWriter`).

Requests arrive on whatever thread the kernel serves the control comm on (a subshell's, on
ipykernel 7), so nothing here prints or displays, and the state has a lock. Answers go out on the
data comm: ipykernel 7.4 serves a comm on the shell that last published on it, so one answer given
on the control comm while the main shell still serves it would leave it deaf behind every cell.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol
from uuid import uuid4

from deepseek_jupyter import words
from deepseek_jupyter.errors import DeepSeekError

DATA = "deepseek.data"
CONTROL = "deepseek.control"
_MOST_PAGES = 4
_LATE = 2.0  # seconds for a comm that is being opened
_GRACE = 30.0  # seconds for a page that is loaded again
_SETTLED = 32  # turns whose last word is kept for a page that missed it
_SERVER = 3  # seconds in which a server that executes cells has written their outputs
_PATIENCE = 3.0  # seconds; a page without subshells answers only when the running cell has ended

Tell = Callable[[Mapping[str, Any]], None]

# nobody: there is no page or prompt that could answer; gone: the last page that could was closed.
ConsentAnswer = Literal["yes", "no", "always", "nobody", "gone"]

_CONSENT: dict[str, ConsentAnswer] = {"approve": "yes", "deny": "no", "always": "always"}


class RunningTurn(Protocol):
    """A turn that is being shown."""

    def stop(self) -> None:
        """Stop it, from any thread, without waiting."""

    def skip(self) -> None:
        """Show the rest of a kept answer at once, from any thread."""

    def catch_up(self, tell: Tell) -> None:
        """Tell all so far as a ``snapshot``, before any later message; nothing without deltas."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a page asks. `body` comes from outside: check every field of it. `tell` sends a message
    to the page that asked, before the answer or after it, from any thread.
    """

    body: Mapping[str, Any]
    tell: Tell


@dataclass(frozen=True, slots=True)
class Change:
    """`source` for a cell that says `expect`; `provenance` for its metadata, None for none."""

    cell_id: str
    expect: str
    source: str
    provenance: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class EditAnswer:
    """`asked` means that the page has not said yet. `why` is a refusal's reason.

    `provenance` is what each changed cell had before.
    """

    outcome: Literal["applied", "refused", "asked"]
    why: str = ""
    provenance: tuple[Mapping[str, str] | None, ...] = ()


Handler = Callable[[Request], Mapping[str, Any] | None]


class Pages:
    """The open comms, the turns that a page may ask about, and who answers its requests.

    A page says when it is closed or loaded again. A question that waits for a page's answer is
    shown by the next page, too; it is given up where none has come `grace` seconds after the last
    one left. A page whose computer sleeps, or whose network is gone, has not left.
    """

    def __init__(self, grace: float = _GRACE) -> None:
        self.grace = grace
        self._left: float | None = None  # when the last page did
        self._lock = threading.RLock()
        self._arrived = threading.Condition(self._lock)
        self._handlers: dict[str, tuple[Handler, bool]] = {}
        self._data: dict[str, Any] = {}
        self._tabs: dict[str, str] = {}  # the browser tab that each is in
        self._turns: dict[str, RunningTurn] = {}
        self._threaded: set[str] = set()  # control comms that are served off the main thread
        self._panels: dict[str, Tell] = {}
        self._expected: dict[tuple[str, str], Future[ConsentAnswer]] = {}
        self._lasting: dict[str, dict[str, Any]] = {}  # by type: sent to later pages too
        self._settled: dict[str, Mapping[str, Any]] = {}
        self._unheard: list[str] = []  # of these, what no page has said that it heard
        # Whether updates of an output reach the notebook: not on servers that execute cells
        # themselves. A page says so; until one has, they are assumed to.
        self.updates = True

    def register(self, manager: Any) -> None:
        """Accept both comms at this comm manager."""
        manager.register_target(DATA, self._opened)
        manager.register_target(CONTROL, self._control_opened)

    def unregister(self, manager: Any) -> None:
        manager.unregister_target(DATA, self._opened)
        manager.unregister_target(CONTROL, self._control_opened)
        self._panels.clear()

    def handle(self, type: str, function: Handler, *, slow: bool = False) -> None:
        """Let `function` answer requests of this type, from now on.

        A request is ``{type, request, page, …}`` (docs/record.md). What `function` returns is the
        answer's `result`; a `DeepSeekError` or another exception becomes its `error`. It is called
        on the thread that serves the control comm and holds up the next request, a stop too; with
        `slow` on a thread of its own. Neither is the thread of the cells: no display.
        """
        self._handlers[type] = (function, slow)

    @property
    def connected(self) -> bool:
        """Whether any page with our extension is connected."""
        return bool(self._data)

    @property
    def heard(self) -> bool:
        """Whether a page is connected, or a panel in a page without our extension."""
        return bool(self._data or self._panels)

    @property
    def can_answer(self) -> bool:
        """Whether a page can be heard while a cell runs: its control comm has a thread of its own.

        That is so on kernels with subshells; elsewhere a click would wait for the cell's end.
        """
        return bool(self._data) and bool(self._threaded)

    def expect(self, turn_id: str, call: str) -> None:
        """A page may say whether this call may run."""
        with self._lock:
            self._expected[turn_id, call] = Future()

    def answer(self, turn_id: str, call: str, seconds: float) -> ConsentAnswer | None:
        """What a page said to it, waited for up to `seconds`; None: nothing yet."""
        with self._lock:
            expected = self._expected.get((turn_id, call))
        if expected is None:
            return "nobody"
        with suppress(TimeoutError):
            return expected.result(seconds)
        with self._lock:
            left = None if self._panels else self._left
        return "gone" if left is not None and time.monotonic() - left >= self.grace else None

    def expect_no_more(self, turn_id: str, call: str) -> None:
        """An answer from now on comes too late."""
        with self._lock:
            self._expected.pop((turn_id, call), None)

    def send(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            listening = [*(comm.send for comm in self._data.values()), *self._panels.values()]
        for tell in listening:
            tell(dict(message))

    def set_foreign(self, ids: Sequence[str]) -> None:
        """The turns with these ids came with the file: pages show them greyed, also later ones."""
        self._last({"type": "foreign", "ids": list(ids)}, bool(ids))

    def set_seams(self, seams: Mapping[str, Sequence[Any]]) -> None:
        """After which turns others are out of sight: how many, and the last of them."""
        self._last({"type": "seams", "seams": dict(seams)}, bool(seams))

    def _last(self, message: dict[str, Any], news: bool) -> None:
        with self._lock:
            before = self._lasting.get(message["type"])
            self._lasting[message["type"]] = message
        if message != before and (news or before):
            self.send(message)

    def join(self, panel: str, tell: Tell) -> None:
        """A panel listens from now on; of too many, those that joined first are dropped."""
        with self._lock:
            self._panels.pop(panel, None)
            self._panels[panel] = tell
            while len(self._panels) > _MOST_PAGES:
                del self._panels[next(iter(self._panels))]

    def leave(self, panel: str) -> None:
        with self._lock:
            self._panels.pop(panel, None)

    def send_newest(self, message: Mapping[str, Any]) -> None:
        """Send to the page that connected last, if there is one."""
        with self._lock:
            comm = next(reversed(self._data.values()), None)
        if comm is not None:
            comm.send(dict(message))

    def begin(self, turn_id: str, turn: RunningTurn) -> None:
        """A turn may be asked about from now on."""
        with self._lock:
            self._turns[turn_id] = turn

    def end(self, turn_id: str) -> None:
        with self._lock:
            self._turns.pop(turn_id, None)

    def settle(self, record: Mapping[str, Any], bundle: Mapping[str, Any]) -> None:
        """Send a turn's final record in a way that also reaches pages that are loaded again.

        A page writes it to the notebook if its output does not have it yet; see `rank`.
        """
        id = str(record["id"])
        message = {"type": "final", "id": id, "cell": record["cell_id"], "bundle": dict(bundle)}
        with self._lock:
            self._settled[id] = message
            if len(self._settled) > _SETTLED:
                del self._settled[next(iter(self._settled))]
            self._unheard = [*self._unheard, id][-_SETTLED:]
            comms = list(self._data.values())
        for comm in comms:
            comm.send({**message, "rank": self.rank(comm.comm_id)})

    def rank(self, page: object) -> int:
        """For how many seconds others may write a record before this page does: a second for each
        newer page, some for a server that writes outputs itself.
        """
        with self._lock:
            newest_first = list(reversed(self._data))
        place = newest_first.index(page) if page in newest_first else len(newest_first)
        return place if self.updates else place + _SERVER

    def _opened(self, comm: Any, message: Any) -> None:
        said = message.get("content", {}).get("data", {}) if isinstance(message, Mapping) else {}
        with self._lock:
            self.updates = said.get("updates") is not False
            tab = self._tabs[comm.comm_id] = str(said.get("tab") or comm.comm_id)
            alone = all(self._tabs[other] == tab for other in self._data)
            self._data[comm.comm_id] = comm
            self._left = None
            self._arrived.notify_all()
            while len(self._data) > _MOST_PAGES:  # a reloaded page never closed its old comm
                del self._data[next(iter(self._data))]
            self._tabs = {page: self._tabs[page] for page in self._data}
            running = list(self._turns.values())
            settled = [self._settled[id] for id in self._unheard if id in self._settled]
            lasting = [m for m in self._lasting.values() if m.get("ids") or m.get("seams")]
        for message in lasting:
            comm.send(message)
        comm.on_close(lambda _: self._closed(comm.comm_id))
        for last in settled:
            comm.send({**last, "rank": 0, "alone": alone})
        for turn in running:  # outside the lock: a turn has a lock of its own
            turn.catch_up(lambda snapshot: comm.send({**snapshot, "alone": alone}))

    def _closed(self, comm_id: str) -> None:
        with self._lock:
            known = self._data.pop(comm_id, None)
            if known is not None and not self._data:
                self._left = time.monotonic()

    def _control_opened(self, comm: Any, message: Any) -> None:
        with self._lock:
            if threading.current_thread() is not threading.main_thread():
                self._threaded.add(comm.comm_id)
        comm.on_msg(lambda asked: self.asked(asked["content"]["data"], control=comm.comm_id))
        comm.on_close(lambda _: self._threaded.discard(comm.comm_id))

    def asked(self, request: Any, tell: Tell | None = None, control: str = "") -> None:
        """Do what a page asks on its `control` comm; answer to `tell`, else to the page named."""
        if not isinstance(request, Mapping):
            return
        if request.get("type") == "leave":  # here: the data comm cannot be heard while a cell runs
            self._threaded.discard(control)
            self._closed(str(request.get("page")))
            return
        if isinstance(request.get("request"), str):
            self._take(request, tell or self._teller(request.get("page")))
            return
        if request.get("type") == "hello":
            words.tell(str(request.get("language")))
        with self._lock:
            if request.get("type") == "heard":
                self._unheard = [id for id in self._unheard if id != request.get("id")]
            turn = self._turns.get(str(request.get("id")))
            expected = self._expected.get((str(request.get("id")), str(request.get("call"))))
            answer = _CONSENT.get(str(request.get("type")))
            if expected is not None and answer and not expected.done():
                expected.set_result(answer)
        if turn is None:
            return
        if request.get("type") == "stop":
            turn.stop()
        elif request.get("type") == "skip":
            turn.skip()
        elif request.get("type") == "resync":
            turn.catch_up(self.send)

    def last_word(self, id: str) -> tuple[bool, Mapping[str, Any] | None]:
        """Whether a turn runs, and the bundle of one that ended not long ago."""
        with self._lock:
            return id in self._turns, self._settled.get(id, {}).get("bundle")

    def _teller(self, page: Any) -> Tell:
        def tell(message: Mapping[str, Any]) -> None:
            with self._arrived:  # each comm is opened on a thread of its own: it may yet come
                if isinstance(page, str):
                    self._arrived.wait_for(lambda: page in self._data, _LATE)
                comm = self._data.get(str(page))
            comm.send(dict(message)) if comm is not None else self.send(message)

        return tell

    def _take(self, body: Mapping[str, Any], tell: Tell) -> None:
        function, slow = self._handlers.get(str(body.get("type")), (_unknown, False))

        def work() -> None:
            tell(_answer(function, Request(body, tell)))

        if slow:
            threading.Thread(target=work, name="deepseek_jupyter.request", daemon=True).start()
        else:
            work()


def _answer(function: Handler, request: Request) -> dict[str, Any]:
    answer = {"type": "answer", "to": request.body["request"]}
    try:
        return {**answer, "ok": True, "result": function(request)}
    except Exception as error:  # a bug, too, must not leave the page waiting
        name = type(error).__name__
        said = {"type": name, "message": f"{name}: {error}", "hint": ""}
        said = error.record if isinstance(error, DeepSeekError) else said
        return {**answer, "ok": False, "error": said}


def _unknown(request: Request) -> None:
    raise DeepSeekError(f"The kernel does not know the request {request.body.get('type')!r}.")


class CellWriter:
    """Writes to the notebook's cells, which only a page can do; it asks the newest one.

    An answer that comes after the wait is over goes to `late`. The TypeScript twin is
    ``labextension/src/lab/document.ts``.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._waiting: dict[str, Future[EditAnswer]] = {}
        pages.handle("edited", self._answered)

    @property
    def available(self) -> bool:
        return self._pages.connected

    def edit(
        self, changes: Sequence[Change], *, run: bool, late: Callable[[EditAnswer], None]
    ) -> EditAnswer:
        """Change cells, all or none of them, as far as each still says what is expected."""
        message = {"type": "edit", "edits": [asdict(change) for change in changes], "run": run}
        return self._ask(message, late)

    def insert(
        self, after: str, sources: Sequence[str], provenance: Mapping[str, str], *, run: bool
    ) -> EditAnswer:
        """Put new cells below the cell `after`, in order.

        Those that an earlier run of that cell put there go, unless they were changed since.
        """
        message = {"type": "insert", "after": after, "sources": list(sources), "run": run}
        return self._ask({**message, "provenance": dict(provenance)})

    def _ask(
        self, message: Mapping[str, Any], late: Callable[[EditAnswer], None] | None = None
    ) -> EditAnswer:
        name = uuid4().hex
        waiting = self._waiting[name] = Future()
        self._pages.send_newest({**message, "id": name})
        with suppress(TimeoutError):
            return waiting.result(_PATIENCE)
        if late is not None:
            waiting.add_done_callback(lambda done: late(done.result()))
        return EditAnswer("asked")

    def _answered(self, request: Request) -> None:
        waiting = self._waiting.pop(str(request.body.get("id")), None)
        if waiting is not None:
            waiting.set_result(_edit_answer(request.body))


def _edit_answer(body: Mapping[str, Any]) -> EditAnswer:
    if body.get("outcome") != "applied":
        return EditAnswer("refused", str(body.get("why") or "The page did not write it."))
    given = body.get("provenance")
    before = given if isinstance(given, list) else []
    return EditAnswer("applied", "", tuple(p if isinstance(p, dict) else None for p in before))


pages = Pages()
