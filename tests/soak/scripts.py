"""What the soak's server does to one question, and what of the answer has really been sent.

An answer is numbered words, so that every token can be told apart: ``A7:0 A7:1 A7:2 …``.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support import wording
from tests.support.scripted import Reply, Step, close, error, keepalives, pause, reset, send, stall
from tests.support.wording import chunk, event

__all__ = ["FAULTS", "Script", "script"]

# Name to the way the answer ends for the user; see `Script.ends`.
FAULTS = {
    "none": "done",
    "slow": "done",
    "thinking": "done",
    "one byte at a time": "done",
    "gzip": "done",
    "keep-alives": "done",
    "comments between": "done",
    "nonsense between": "done",
    "no [DONE]": "done",
    "no finish_reason": "done",
    "busy, then well": "done",
    "closed in mid-answer": "broken",
    "reset in mid-answer": "broken",
    "silence in mid-answer": "broken",
    "an error in the stream": "broken",
    "reset before any word": "refused",
    "refused (401)": "refused",
    "refused (400)": "refused",
    "a web page instead": "refused",
    "nothing at all": "refused",
}
_SHORT_SILENCE = 30.0  # longer than the kernel's idle timeout


@dataclass
class Script:
    """One question's fate. `ends`: done, broken (a part arrives) or refused (nothing does)."""

    key: str
    fault: str
    words: int
    sent: list[tuple[float, str]] = field(default_factory=list)  # when, and which word
    asked: threading.Event = field(default_factory=threading.Event)
    replies: list[Reply] = field(default_factory=list)

    @property
    def ends(self) -> str:
        return FAULTS[self.fault]

    @property
    def whole(self) -> str:
        """The answer if nothing goes wrong."""
        return "".join(self._word(n) for n in range(self.words))

    def arrived(self, before: float) -> str:
        """What had been sent at that time, on `time.monotonic`."""
        return "".join(word for at, word in list(self.sent) if at <= before)

    def reply(self) -> Reply:
        """For the next request of this question; the last one for all further."""
        self.asked.set()
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def _word(self, n: int) -> str:
        return f"{self.key}:{n} "

    def say(self, numbers: range, gap: float = 0.0) -> list[Step]:
        """Steps that send those words and note when."""

        def one(n: int) -> Step:
            data = event(chunk({"content": self._word(n)}))

            def step(connection: object) -> None:
                if gap:
                    connection.wait(gap)  # type: ignore[attr-defined]
                connection.send(data)  # type: ignore[attr-defined]
                self.sent.append((time.monotonic(), self._word(n)))

            return step

        return [one(n) for n in numbers]


_FIRST = send(event(chunk({"role": "assistant", "content": ""})))
_FINISH = event(chunk({"content": ""}, finish="stop", usage=wording.USAGE))
_LET_READ = 0.3  # a reset may take back what lies unread in the client's socket


def script(key: str, fault: str, dice: random.Random, slow: bool = False) -> Script:
    """The fate of a question. `slow`: long enough to be stopped or killed in between."""
    made = Script(key, fault, dice.randint(120, 400) if slow else dice.randint(5, 250))
    made.replies = list(_replies(made, dice, 0.02 if slow else 0.0))
    return made


def _replies(s: Script, dice: random.Random, gap: float) -> Iterator[Reply]:
    everything = s.say(range(s.words), gap or (0.01 if s.fault == "slow" else 0.0))
    half = everything[: dice.randint(1, s.words)]
    end = [send(_FINISH + wording.DONE)]
    match s.fault:
        case "thinking":
            thought = send(event(chunk({"content": None, "reasoning_content": "Hm. " * 50})))
            yield Reply(_FIRST, thought, everything, end)
        case "one byte at a time":
            yield Reply(_FIRST, everything, end, piece=1)
        case "gzip":
            yield Reply(_FIRST, everything, end, gzip=True)
        case "keep-alives":
            yield Reply(keepalives(5, 0.05), _FIRST, everything, end)
        case "comments between":
            yield Reply(_FIRST, half, keepalives(3), everything[len(half) :], end)
        case "nonsense between":
            nonsense = send(b"data: {not json\n\nproxy says hello\n\n")
            yield Reply(_FIRST, half, nonsense, everything[len(half) :], end)
        case "no [DONE]":
            yield Reply(_FIRST, everything, send(_FINISH))
        case "no finish_reason":
            yield Reply(_FIRST, everything, send(wording.DONE))
        case "busy, then well":
            yield error(503, "busy", headers={"retry-after": "0"})
            yield error(429, "slow down", headers={"retry-after": "0"})
            yield Reply(_FIRST, everything, end)
        case "closed in mid-answer":
            yield Reply(_FIRST, half, close())
        case "reset in mid-answer":
            yield Reply(_FIRST, half, pause(_LET_READ), reset())
        case "silence in mid-answer":
            yield Reply(_FIRST, half, pause(_SHORT_SILENCE), stall())
        case "an error in the stream":
            yield Reply(_FIRST, half, send(event(wording.error_body("engine died"))))
        case "reset before any word":
            yield Reply(reset())
        case "refused (401)":
            yield error(401, "Authentication Fails")
        case "refused (400)":
            yield error(400, "Invalid request")
        case "a web page instead":
            yield error(502, wording.HTML)
        case "nothing at all":
            yield Reply(send(event(chunk({}, finish="stop")) + wording.DONE))
        case _:
            yield Reply(_FIRST, everything, end)
