"""The scripted server of the tests, as replies need it here, and as a process of its own.

with Serving("mixed", 20_000) as server:        # another process; any request is answered
    httpx.post(server.url + "/chat/completions", ...)
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from texts import KINDS, tokens  # noqa: E402

from tests.support import wires, wording  # noqa: E402
from tests.support.scripted import Reply, Server, Step, pause, raw, send, stall  # noqa: E402
from tests.support.wording import chunk, event  # noqa: E402

__all__ = [
    "ROOT",
    "Reply",
    "Server",
    "Serving",
    "chunk",
    "event",
    "events",
    "fast",
    "paced",
    "pause",
    "stall",
]

_FIRST = event(chunk({"role": "assistant", "content": ""}))
_LAST = event(chunk({"content": ""}, finish="stop", usage=wording.USAGE)) + wording.DONE
_BATCH = 1000  # events to one write


def events(kind: str, number: int, thinking: float = 0.0) -> list[bytes]:
    """`number` deltas; the first part of them, `thinking` of one, is thinking."""
    thought = int(number * thinking)
    pieces = list(tokens(kind, number))
    made = [event(chunk({"content": None, "reasoning_content": p})) for p in pieces[:thought]]
    return made + [event(chunk({"content": p})) for p in pieces[thought:]]


def text_of(kind: str, number: int) -> str:
    """A text that other wires than chat cut into `number` deltas."""
    text = "".join(tokens(kind, number))
    return (text * (1 + wires.PIECE * number // len(text)))[: wires.PIECE * number]


def fast(deltas: list[bytes], *, each_its_chunk: bool = False) -> Reply:
    """As fast as the socket takes them.

    `each_its_chunk`: an HTTP chunk to every event, as servers send them that flush each token;
    the client's HTTP parser then hands them over one by one.
    """
    cuts = [deltas[at : at + _BATCH] for at in range(0, len(deltas), _BATCH)]
    if each_its_chunk:
        steps = [raw(b"".join(b"%x\r\n%s\r\n" % (len(e), e) for e in cut)) for cut in cuts]
    else:
        steps = [send(*cut) for cut in cuts]
    return Reply(send(_FIRST), steps, send(_LAST))


def paced(deltas: Iterable[bytes], rate: float, sent: list[float] | None = None) -> Reply:
    """`rate` a second; `sent` gets the time at which each left."""

    def steadily(connection: object) -> None:
        began = time.monotonic()
        for number, data in enumerate(deltas):
            connection.wait(began + number / rate - time.monotonic())  # type: ignore[attr-defined]
            if sent is not None:
                sent.append(time.monotonic())
            connection.send(data)  # type: ignore[attr-defined]

    step: Step = steadily
    return Reply(send(_FIRST), step, send(_LAST))


class Serving:
    """One reply to every request, from a process of its own that ends with this one."""

    def __init__(
        self,
        kind: str,
        number: int,
        *,
        thinking: float = 0.0,
        each_its_chunk: bool = False,
        wire: str = "chat",
    ) -> None:
        self._command = [sys.executable, __file__, kind, str(number), "--thinking", str(thinking)]
        self._command += ["--wire", wire]
        self._command += ["--each-its-chunk"] if each_its_chunk else []

    def __enter__(self) -> Serving:
        self._child = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().strip()
        if not self.url:
            self.__exit__()
            raise RuntimeError("the scripted server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._child.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("number", type=int)
    parser.add_argument("--thinking", type=float, default=0.0)
    parser.add_argument("--each-its-chunk", action="store_true")
    parser.add_argument("--wire", default="chat", choices=wires.EVENTS)
    options = parser.parse_args()
    reply = fast(
        events(options.kind, options.number, options.thinking),
        each_its_chunk=options.each_its_chunk,
    )
    if options.wire != "chat":
        reply = wires.reply(options.wire, text_of(options.kind, options.number))
    with Server(validate=False, fallback=reply) as server:
        print(server.base_url(), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
