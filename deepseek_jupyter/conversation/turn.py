"""The turn: one question with all that answers it. A pure value, stored as written.

`record` is its JSON form, described in docs/record.md; the TypeScript twin is `ITurnRecord` in
``labextension/src/kernel/record.ts``.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from deepseek_jupyter.privacy.redaction import Redactor, restore, restore_shown
from deepseek_jupyter.protocol.messages import Message, ToolCall, assistant, signed, tool, user
from deepseek_jupyter.protocol.usage import Usage
from deepseek_jupyter.sanitizer.text import longest_ticks

from .outline import outline

SCHEMA = 1

BY_SERVER = "by the server"  # the decision on a call that the provider's server ran

# What a person reads of a status, where the answer did not come to its end.
ENDED_EARLY = {"interrupted": "stopped", "truncated": "broke off", "error": "failed"}


def new_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): unique, and sorted by time."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(76)
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(UUID(int=value))


@dataclass(frozen=True, slots=True)
class Step:
    """One round of tool calls on the way to the answer.

    `answer` and `reasoning` are what the model said with its calls; `results` are pairs of a call's
    id and the text that went back; `decisions` are pairs of a call's id and what was decided about
    it (docs/tools.md), `facts` of a call's id and what the record says of its run: ``seconds``,
    ``failed``, and of a table ``rows``, and ``more`` where those are not all. `reasoning_details`
    are the signatures of `reasoning`, without its text; they stay out of the record.
    """

    tool_calls: tuple[ToolCall, ...]
    results: tuple[tuple[str, str], ...] = ()
    answer: str = ""
    reasoning: str | None = None
    decisions: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    reasoning_details: tuple[dict[str, Any], ...] = ()

    def messages(self) -> list[Message]:
        """The assistant message with the calls, and a tool message for each result."""
        if self.by_server:
            return []
        called = assistant(self.answer, reasoning=self.reasoning, tool_calls=self.tool_calls)
        called = replace(called, reasoning_details=self.reasoning_details)
        return [called, *(tool(text, id) for id, text in self.results)]

    @property
    def by_server(self) -> bool:
        """Whether the provider's server ran the calls itself: they are shown, never sent."""
        return bool(self.decisions) and all(said == BY_SERVER for _, said in self.decisions)

    @property
    def record(self) -> dict[str, Any]:
        """The JSON form. A call that was decided on and has not returned has the text null."""
        results, decided, facts = dict(self.results), dict(self.decisions), dict(self.facts)
        ids = [call.id for call in self.tool_calls if call.id in results or call.id in decided]
        return {
            "answer": self.answer,
            "reasoning": self.reasoning or "",
            "tool_calls": [asdict(call) for call in self.tool_calls],
            "results": [
                {
                    "id": id,
                    "text": results.get(id),
                    "decision": decided.get(id, ""),
                    **facts.get(id, {}),
                }
                for id in ids
            ],
        }


@dataclass(frozen=True, slots=True)
class Turn:
    """The fields of the record are described in docs/record.md; these stay out of it:

    `sent` is the user message as it went on the wire; it may hold cards. `from_file` marks a turn
    that was read from a notebook and not asked here (see `restore`). `reasoning_details` are what a
    host wants back unmodified. `images` went with `sent`.

    `answer`, `reasoning` and `steps` are as the model wrote them, with the pseudonyms that went out
    in place of what the redactor kept; `pseudonyms` has their originals, and `seen` puts them back.
    `sending` says what else went with `sent`: ``system``, ``dropped`` turns, and of each attachment
    which columns and rows left, what was masked, and where a document stands. `logprobs` stay out
    of the record for their size; `tokens` are the first of them packed, and in words: ``{says,
    packed}`` (`protocol.logprobs`). `rhythm` says when the answer came, see `protocol.rhythm`.
    """

    id: str
    conversation: str
    prompt: str
    sent: str = ""
    parent: str | None = None
    cell_id: str | None = None
    created: str = ""
    status: str = "waiting"
    provider: str = ""
    model: str = ""
    served_model: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    attachments: tuple[Mapping[str, Any], ...] = ()
    reasoning: str | None = None
    answer: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    cost: Mapping[str, str] | None = None
    timing: Mapping[str, float | None] = field(default_factory=dict)
    finish_reason: str | None = None
    notices: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    error: Mapping[str, str] | None = None
    reasoning_details: tuple[dict[str, Any], ...] = ()
    history: bool = True
    format: str = "md"
    branch: Mapping[str, int] | None = None
    compare: Mapping[str, Any] | None = None
    request_hash: str | None = None
    from_file: bool = False
    images: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    replayed: bool = False
    recorded: str = ""
    policy: tuple[str, ...] = ()
    offer: str = ""
    pseudonyms: Mapping[str, str] = field(default_factory=dict)
    sending: Mapping[str, Any] = field(default_factory=dict)
    audit: Mapping[str, Any] = field(default_factory=dict)
    logprobs: Mapping[str, Any] | None = None
    rhythm: str = ""
    tokens: Mapping[str, str] | None = None

    def messages(self) -> list[Message]:
        """What the turn adds to the history: the question, and the answer as far as it came."""
        said = [user(self.sent or self.prompt, self.images)]
        said += [message for step in self.steps for message in step.messages()]
        if self.answer:
            own = assistant(self.answer, reasoning=self.reasoning)
            said.append(replace(own, reasoning_details=signed(self.reasoning_details)))
        return said

    @property
    def cited(self) -> str:
        """The answer with the places of its quotes, and the lines that stand there below it."""
        pieces, at, below = list[str](), 0, dict[str, str]()
        for citation in self.sending.get("citations", ()):
            end, mark = int(citation["end"]), _mark(citation["mark"])
            apart = " " if self.answer[end : end + 1] in ("(", "[", ":") else ""  # else a link
            pieces += [self.answer[at:end], f" {mark}{apart}"]
            at = end
            if lines := citation["lines"]:
                below.setdefault(mark, _literal(" ".join(lines.split())))
        notes = "\n".join(f"- {mark} {lines}" for mark, lines in below.items())
        return "".join([*pieces, self.answer[at:], "\n\n---\n\n" if notes else "", notes])

    @property
    def cites(self) -> list[list[str]]:
        """The marks of `cited` without brackets, each with the lines that stand there; "" for a
        quote that was not found.
        """
        found = {_plain(c["mark"]): str(c["lines"]) for c in self.sending.get("citations", ())}
        return [[mark, restore(lines, self.pseudonyms)] for mark, lines in found.items()]

    def seen(self) -> Turn:
        """The turn for the user's eyes: the originals in place of their pseudonyms."""
        if not self.pseudonyms:
            return replace(self, answer=self.cited) if self.sending.get("citations") else self

        def back(text: str) -> str:
            return restore_shown(text, self.pseudonyms)

        def calls(found: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
            known = self.pseudonyms
            return tuple(replace(c, arguments=restore(c.arguments, known)) for c in found)

        return replace(
            self,
            answer=back(self.cited),
            reasoning=self.reasoning and back(self.reasoning),
            tool_calls=calls(self.tool_calls),
            steps=tuple(
                replace(
                    step,
                    tool_calls=calls(step.tool_calls),
                    results=tuple((id, back(text)) for id, text in step.results),
                    answer=back(step.answer),
                    reasoning=step.reasoning and back(step.reasoning),
                )
                for step in self.steps
            ),
        )

    def masked(self) -> Turn:
        """The turn for other people's eyes: what the redactor kept is a pseudonym in the prompt
        too, as it was when it was sent; without notices, which name data to the one who asked.
        """
        redactor = Redactor(known=self.pseudonyms)
        kept = {original: name[1:].split("-")[0] for name, original in self.pseudonyms.items()}
        redactor.withhold({original: kind for original, kind in kept.items() if original})
        prompt = redactor.redact(self.prompt)
        return replace(self, prompt=prompt, answer=self.cited, notices=())

    @property
    def record(self) -> dict[str, Any]:
        """The JSON form, for the user's eyes: see `seen`."""
        return self.seen().written

    @property
    def written(self) -> dict[str, Any]:
        """The JSON form as the model wrote it."""
        record: dict[str, Any] = {"schema": SCHEMA}
        record |= {name: getattr(self, name) for name in _WRITTEN}
        record["reasoning"] = self.reasoning or ""
        record["outline"] = outline(record["reasoning"])
        record["tool_calls"] = [asdict(call) for call in self.tool_calls]
        record["steps"] = [step.record for step in self.steps]
        record["usage"] = self.usage.to_json() if self.usage else None
        record["attachments"] = list(map(dict, self.attachments))
        record["notices"], record["details"] = list(self.notices), list(self.details)
        record["policy"] = list(self.policy)
        record["parameters"] = dict(self.parameters)
        record["audit"] = dict(self.audit)
        times = ("first_token", "thinking", "total")
        record["timing"] = {name: self.timing.get(name) for name in times}
        return record


_HIDDEN = {"sent", "images", "from_file", "reasoning_details", "pseudonyms", "sending"}
_HIDDEN |= {"logprobs", "rhythm"}
_WRITTEN = tuple(f.name for f in fields(Turn) if f.name not in _HIDDEN)


def _plain(mark: str) -> str:
    """What a mark of a quote says. Escaped brackets would begin a formula."""
    return mark[1:-1].translate({ord("["): "(", ord("]"): ")"})


def _mark(text: str) -> str:
    """A mark of a quote that Markdown shows as it is."""
    inner = re.sub(r"([\\`*<>$|]|__)", r"\\\1", _plain(text))
    return f"[{inner}]"


def _literal(text: str) -> str:
    """A text as code in Markdown, whatever is in it."""
    longest = longest_ticks(text)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"


def now() -> str:
    """The present moment as records write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
