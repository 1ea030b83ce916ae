"""One notebook under fire: asks, stops, kills, restarts; notes what it saw of every answer."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support.kernels import Kernel, Ran
from tests.support.scripted import Request, Server

from .disk import Disk
from .scripts import FAULTS, Script, script

__all__ = ["Asked", "Book", "Tally"]

_LOAD = """\
%load_ext deepseek_jupyter
import deepseek_jupyter as ds, time
%config DeepSeek.idle_timeout = 1.5
%config DeepSeek.attempts = 3
"""
_JUMP = "if '_clock' not in globals(): _clock = time.time\ntime.time = lambda: _clock() + ({})"
# The journal takes a checkpoint every second; a loaded machine is late by as much again.
_CHECKPOINT = 3.0
_PATIENCE = 180.0  # seconds for a cell; how quick one is is measured elsewhere
_TRIES = 10  # turns, each of which tries the disk
_STOPPED = 1.0  # what was sent this long before a stop has been read


@dataclass
class Asked:
    """A question, how it was ended, and what was seen of its answer."""

    script: Script
    how: str  # asked, stopped, killed
    at: float = 0.0  # when it was stopped or killed
    shown: str | None = None

    @property
    def owed(self) -> str:
        """The least that must be there of the answer."""
        if self.how == "stopped":
            return self.script.arrived(self.at - _STOPPED)
        if self.how == "killed":
            return self.script.arrived(self.at - _CHECKPOINT)
        return self.script.arrived(time.monotonic())


@dataclass
class Tally:
    """What happened, counted; `wrong` is what should not have."""

    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    growth: list[tuple[int, float]] = field(default_factory=list)  # asks of a kernel, MB it grew
    sockets: int = 0  # the most that stayed open
    threads: int = 0  # the most that a kernel had more than after its first questions

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


class Book:
    """A notebook whose kernel is used, stopped and killed at random until `until`."""

    def __init__(
        self,
        name: str,
        seed: int,
        server: Server,
        disk: Disk,
        base: Mapping[str, str],
        folder: Path,
    ) -> None:
        self.name, self.server, self.disk, self.folder = name, server, disk, folder
        self.dice = random.Random(f"{seed} {name}")
        self.tally = Tally()
        self.asked: dict[str, Asked] = {}
        self.scripts: dict[str, Script] = {}
        self._environment = {**base, "JPY_SESSION_NAME": str(folder / f"{name}.ipynb")}
        self._number = self._asks = self._lives = 0
        self._remembered: str | None = None  # the last question that the next must bring along
        self._rested: tuple[float, int] | None = None

    def live(self, until: float) -> None:
        """Go on until then. What breaks is noted, and ends it."""
        try:
            self._start()
            while time.monotonic() < until:
                self._step()
            self._rest()
            self._kernel.shut_down()
        except Exception as error:
            self.tally.wrong.append(f"{self.name}: {type(error).__name__}: {str(error)[:300]}")

    def reply(self, request: Request) -> Any:
        """The server's answer to a question of this notebook; None for another's."""
        said = str(request.json["messages"][-1]["content"])
        key = said.split()[0] if said.strip() else ""
        found = self.scripts.get(key)
        if found is None:
            return None
        before = " ".join(str(m["content"]) for m in request.json["messages"][:-1])
        if self._remembered is not None and self._remembered not in before:
            self.tally.wrong.append(f"{key} was asked without {self._remembered} before it")
        return found.reply()

    def _start(self) -> None:
        self._lives += 1
        self._asks, self._rested = 0, None
        self._kernel = Kernel(self._environment, self.folder / f"{self.name}-{self._lives}")
        try:
            self._kernel.__enter__()
        except RuntimeError:  # another program has taken one of its ports meanwhile
            self._kernel.__enter__()
        ran = self._kernel.run(_LOAD, timeout=_PATIENCE)
        if not ran.ok:
            raise RuntimeError("\n".join(ran.error))
        self.tally.count("kernels")

    def _step(self) -> None:
        if self._asks % 10 == 9:
            self._rest()
        chance = self.dice.random()
        if chance < 0.70:
            self._ask(self.dice.choice(list(FAULTS)))
        elif chance < 0.82:
            self._ask("none", stop=True)
        elif chance < 0.87:
            self._kill()
        elif chance < 0.90:
            self._restart()
        elif chance < 0.93:
            self._on_full_disk()
        elif chance < 0.96:
            jump = self.dice.choice([-86_400, -5, 3_600, 86_400 * 400])
            self._kernel.run(_JUMP.format(jump))
            self.tally.count("clock jumps")
        elif chance < 0.97:
            self._kernel.run("%deepseek reset")
            self._remembered = None
            self.tally.count("new conversations")

    def _new(self, fault: str, slow: bool = False) -> Asked:
        self._number += 1
        self._asks += 1
        key = f"{self.name}{self._number}"
        made = Asked(script(key, fault, self.dice, slow), "asked")
        self.scripts[key] = made.script
        self.asked[key] = made
        self.tally.count("asks")
        if fault != "none":
            self.tally.count(f"fault: {fault}")
        return made

    def _ask(self, fault: str, stop: bool = False) -> None:
        asked = self._new(fault, slow=stop)
        cell = self._kernel.send(f"%%ds\n{asked.script.key} Go on.", cell_id=asked.script.key)
        if stop:
            self._after_some_words(asked)
            asked.how, asked.at = "stopped", self._kernel.interrupt()
            self.tally.count("stops")
        ran = self._kernel.finish(cell, timeout=_PATIENCE)
        asked.shown = self._seen(ran)
        self._compare(asked, "shown", asked.shown)
        if asked.shown:
            self._remembered = asked.script.key

    def _after_some_words(self, asked: Asked) -> None:
        asked.script.asked.wait(60)
        time.sleep(self.dice.uniform(0.2, 3.0))

    def _seen(self, ran: Ran) -> str:
        """The answer as the cell's record has it, "" where the cell only failed."""
        answers = [turn["answer"] for turn in ran.turns]
        if any("Traceback" in line for line in ran.error):
            self.tally.wrong.append(f"{self.name}: a traceback: {ran.error[-1][:200]}")
        return str(answers[-1]) if answers else ""

    def _kill(self) -> None:
        with self.disk.well():
            self._until_on_disk()  # what is in memory is gone with the kernel, as the user is told
            asked = self._new("none", slow=True)
            self._kernel.send(f"%%ds\n{asked.script.key} Go on.", cell_id=asked.script.key)
            self._after_some_words(asked)
            asked.how, asked.at = "killed", time.monotonic()
            os.kill(self._kernel.pid, signal.SIGKILL)
            self._kernel.__exit__()
            self.tally.count("kills")
            self._remembered = None if not asked.owed else asked.script.key
            self._start()

    def _until_on_disk(self) -> None:
        """There is room, so each turn tries it."""
        journal = "ds.get_session().conversation.journal"
        for _ in range(_TRIES):
            if not self._kernel.value(f"{journal}.in_memory"):
                return
            self._ask("none")
        raise RuntimeError(f"still in memory: {self._kernel.value(f'{journal}.trouble')}")

    def _restart(self) -> None:
        with self.disk.well():
            self._rest()
            self._kernel.shut_down()
            self.tally.count("restarts")
            self._start()

    def _on_full_disk(self) -> None:
        with self.disk.full() as really:
            if really:
                self.tally.count("full disks")
                for _ in range(self.dice.randint(1, 3)):
                    self._ask("none")
        self._ask("none")  # with it all the others come to the disk

    def _rest(self) -> None:
        """Between questions: what is still open, and what the kernel has grown by."""
        process = psutil.Process(self._kernel.pid)
        port = int(self.server.url.rsplit(":", 1)[1])
        self._kernel.run("import gc; gc.collect()", timeout=_PATIENCE)
        open_ = [c for c in process.net_connections("tcp") if c.raddr and c.raddr.port == port]
        stale = [c for c in open_ if c.status == psutil.CONN_CLOSE_WAIT]
        self.tally.sockets = max(self.tally.sockets, len(open_))
        if len(stale) > 8 or len(open_) > 16:
            self.tally.wrong.append(f"{self.name}: {len(open_)} sockets open, {len(stale)} stale")
        memory, threads = process.memory_info().rss / 1e6, process.num_threads()
        if self._rested is None:
            if self._asks >= 5:  # until then parts are loaded for the first time
                self._rested, self._asks = (memory, threads), 0
            return
        self.tally.threads = max(self.tally.threads, threads - self._rested[1])
        self.tally.growth.append((self._asks, memory - self._rested[0]))
        if threads - self._rested[1] > 8:
            self.tally.wrong.append(f"{self.name}: {threads} threads, {self._rested[1]} before")
        if memory - self._rested[0] > 60 + 0.3 * self._asks:
            grown = memory - self._rested[0]
            self.tally.wrong.append(f"{self.name}: {grown:.0f} MB in {self._asks} questions")

    def _compare(self, asked: Asked, where: str, text: str) -> None:
        compare(asked, where, text, self.tally)


def compare(asked: Asked, where: str, text: str, tally: Tally) -> None:
    """Hold a text of an answer against what the server sent of it."""
    sent = asked.script.whole
    if not sent.startswith(text):
        tally.wrong.append(f"{asked.script.key} {where}: not what was sent: {text[:80]!r}")
    missing = len(asked.owed.split()) - len(text.split())
    if missing > 0:
        told = f"{asked.script.key} ({asked.script.fault}, {asked.how})"
        tally.wrong.append(f"{told} {where}: {missing} tokens lost")
        tally.counts["lost tokens"] = tally.counts.get("lost tokens", 0) + missing
    whole = asked.how == "asked" and asked.script.ends == "done"
    if whole and text.split() != sent.split():
        tally.wrong.append(f"{asked.script.key} {where}: {len(text)} of {len(sent)} characters")
    if text and text != sent:
        tally.count("partials") if where == "shown" else None


def run_together(books: list[Book], until: float) -> None:
    """All of them at once, each on its thread."""
    threads = [threading.Thread(target=book.live, args=(until,)) for book in books]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
