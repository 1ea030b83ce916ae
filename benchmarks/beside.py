"""What the families beside other packages share: kernels of each, one server, rows side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from kernel import Kernel
from peers import BARE, OURS, Peer, environment_of, python_of
from rows import Row, ratios
from serving import Reply, Server

from tests.support.scripted import Request, whole

__all__ = ["RUNS", "Kernels", "Values", "either", "kernel_of", "kernels_of", "side_by_side"]

RUNS = int(os.environ.get("BENCH_RUNS", "5"))

Values = dict[str, list[float]]
Answering = Callable[[Request], Reply]


class Kernels(dict[str, Kernel]):
    """Kernels by peer, and the server that they ask."""

    server: Server


@contextmanager
def kernels_of(peers: Sequence[Peer], fallback: Answering) -> Iterator[Kernels]:
    """A kernel of each, loaded and ready to ask one server."""
    with ExitStack() as stack:
        server = stack.enter_context(Server(validate=False, fallback=fallback))
        found = Kernels()
        found.server = server
        for peer in peers:
            kernel = stack.enter_context(kernel_of(peer, server))
            kernel.run(peer.load.format(url=server.base_url()))
            kernel.run(peer.ready.format(url=server.base_url()))
            found[peer.name] = kernel
        yield found


def kernel_of(peer: Peer, server: Server) -> Kernel:
    """One of its environment, with nothing loaded."""
    url = server.base_url()
    return Kernel(url, load=False, python=python_of(peer), more=environment_of(peer, url))


def either(stream: Reply | Callable[[], Reply], text: str) -> Answering:
    """A stream for those who ask for one, the same text at once for the others."""

    def reply(request: Request) -> Reply:
        if not request.json.get("stream"):
            return whole(text)
        return stream() if callable(stream) else stream

    return reply


def side_by_side(
    what: str,
    values: Values,
    unit: str,
    peers: Sequence[Peer],
    chart: str = "",
    streamed: bool = False,
) -> list[Row]:
    """A row for each, and one for each peer over ours, run by run.

    `streamed`: what is measured is an answer that streams, so those that do not are marked.
    """
    found = [
        Row(
            f"{what}: {peer.title}",
            values[peer.name],
            unit,
            note="" if peer.streams or not streamed else "does not stream",
            chart=chart,
        )
        for peer in peers
        if values[peer.name]
    ]
    ours = values[OURS.name]
    for peer in peers:
        theirs = values[peer.name]
        if peer is OURS or len(theirs) != len(ours) or min(ours) <= 0:
            continue
        claim = f"{what}: {peer.title} over ours"
        times = ratios(theirs, ours)
        found.append(Row(claim, times, "x", versus=True, reason=_why_ahead(what, peer)))
    return found


def _why_ahead(what: str, peer: Peer) -> str:
    """Why it may be ahead of us, where that is known."""
    if peer is BARE:
        return "shows nothing and keeps nothing"
    if what.startswith("stop until"):
        return "both within milliseconds"
    if not peer.streams:
        return "does not stream: one plain reply, shown at the end"
    if peer.name == "llm" and "published" in what:
        return "plain text, not rendered"
    if peer.name == "chatlas" and what.startswith("first words"):
        return "no card around its first words; by the end its page is seconds behind"
    return ""
