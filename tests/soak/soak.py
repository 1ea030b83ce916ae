"""`make soak`: random faults on running notebooks, for an hour; exit 1 where anything was lost.

    SOAK_SECONDS=90 make soak          # a short one
    SOAK_SEED=7 make soak              # the same dice again

Two notebooks with a kernel each ask one scripted server at the same time; answers are cut, refused,
garbled and delayed, kernels are stopped, killed and restarted, clocks jump, the disk is full. Every
word of every answer is numbered. After each cell its record, and at the end the journal, is held
against what the server sent. The network guard of the tests is on: nothing leaves the machine.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from deepseek_jupyter.conversation.conversation import Conversation  # noqa: E402
from deepseek_jupyter.conversation.journal import Journal  # noqa: E402
from tests.soak.book import Book, compare, run_together  # noqa: E402
from tests.soak.disk import Disk  # noqa: E402
from tests.support.guard import network_guard  # noqa: E402
from tests.support.kernels import kernel_environment, without_keys  # noqa: E402
from tests.support.scripted import Reply, Request, Server, error  # noqa: E402

KEY = "sk-THE0KEY0OF0THE0SOAK"


def environment(state: Path, log: Path, server: Server) -> dict[str, str]:
    """For the kernels: this checkout, nobody's keys, and the guard."""
    guard = Path(network_guard.__file__).parent
    own = {
        "PYTHONPATH": os.pathsep.join([str(guard), str(ROOT)]),
        "DEEPSEEK_JUPYTER_HOME": str(state),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        network_guard.GUARD_LOG: str(log),
    }
    return kernel_environment({**without_keys(os.environ), **own}, server.base_url(), KEY)


def soak(seconds: float, seed: int) -> list[Book]:
    """Let it run; the books know what happened."""
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        disk = Disk(folder / "disk")
        try:
            return _soak(seconds, seed, folder, disk)
        finally:
            disk.unmount()


def _soak(seconds: float, seed: int, folder: Path, disk: Disk) -> list[Book]:
    books: list[Book] = []

    def reply(request: Request) -> Reply:
        found = (book.reply(request) for book in books)
        return next((r for r in found if r is not None), error(400, "not a question of the soak"))

    log = folder / "network-guard.log"
    with Server(fallback=reply) as server:
        base = environment(disk.place / "state", log, server)
        books += [Book(name, seed, server, disk, base, folder) for name in "AB"]
        run_together(books, time.monotonic() + seconds)
        complaints = server.complaints
    _audit(books, disk.place / "state" / "journal.sqlite3")
    books[0].tally.wrong += [f"refused by DeepSeek's validator: {c[:300]}" for c in complaints[:5]]
    if log.exists():
        books[0].tally.wrong += log.read_text("utf-8").splitlines()[:5]
    return books


def _audit(books: list[Book], path: Path) -> None:
    """The journal, when all is over: every question once, with all that was owed of its answer."""
    journal = Journal.open(path)
    kept: dict[str, list[str]] = {}
    for row in journal.conversations():
        for turn in Conversation.load(journal, row.id).turns():
            kept.setdefault(turn.prompt.split()[0], []).append(turn.answer)
    for book in books:
        if journal.trouble:
            book.tally.wrong.append(f"the journal: {journal.trouble}")
        for key, asked in book.asked.items():
            answers = kept.get(key, [])
            if len(answers) > 1:
                book.tally.wrong.append(f"{key} is {len(answers)} times in the journal")
            if answers or asked.owed:
                compare(asked, "in the journal", answers[0] if answers else "", book.tally)
    journal.close()


def summary(books: list[Book], seconds: float, seed: int) -> str:
    """The tally of all notebooks, in columns."""
    counts: dict[str, int] = {"lost tokens": 0}
    for book in books:
        for what, number in book.tally.counts.items():
            counts[what] = counts.get(what, 0) + number
    growth = [(mb, asks) for book in books for asks, mb in book.tally.growth]
    worst, asks = max(growth, default=(0.0, 0))
    lines = [f"{seconds:.0f} s, SOAK_SEED={seed}", ""]
    lines += [f"  {number:>7}  {what}" for what, number in sorted(counts.items())]
    lines += [
        f"  {max(book.tally.sockets for book in books):>7}  sockets open at rest, at most",
        f"  {max(book.tally.threads for book in books):>7}  threads more than at the start",
        f"  {worst:>7.1f}  MB that a kernel grew, at most (in {asks} questions)",
    ]
    return "\n".join(lines)


def main() -> int:
    """Run it, say what happened; 1 where something was lost or leaked."""
    seconds = float(os.environ.get("SOAK_SECONDS", "3600"))
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(10**6))
    print(f"SOAK_SEED={seed}, {seconds:.0f} s", flush=True)
    books = soak(seconds, seed)
    print(summary(books, seconds, seed))
    wrong = [line for book in books for line in book.tally.wrong]
    for line in wrong[:40]:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
