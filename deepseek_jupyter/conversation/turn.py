"""The turn: one question with all that answers it. A pure value, stored as written.

`Turn.record` is its JSON form, described in docs/record.md; the TypeScript twin is `ITurnRecord` in
``labextension/src/kernel/record.ts``. `read_record` reads one back, for the journal's rows and for
notebooks of strangers alike. A record may have been forged: every type and size is checked, what is
malformed is left out, and nothing is raised. What identifies a turn and what it says must be sound,
or there is no turn; every other field falls back to its default.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from deepseek_jupyter.privacy.redaction import Redactor, restore, restore_shown
from deepseek_jupyter.protocol.messages import Message, ToolCall, assistant, signed, tool, user
from deepseek_jupyter.protocol.usage import BUCKETS, Usage
from deepseek_jupyter.sanitizer.text import longest_ticks

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


_TURN_OF_THOUGHT = re.compile(
    r"\s*(?:[#*>]|\d+[.)] |(?:but |so |and )?(?:wait|hmm|actually|alternatively|however|now|next|so"
    r"|therefore|let me|let's|first|second|then|finally|ok|okay|step)\b"
    r"|等等|不对|但|不过|首先|其次|然后|接下来|所以|因此|最后|另外|让我|好)",
    re.IGNORECASE,
)
_SHORT, _LONG = 60, 500  # characters of a step that such a word ends, and any paragraph
_FEWEST = 3  # steps of an outline


def outline(thinking: str) -> list[int]:
    """The steps of a chain of thought, found by its paragraphs: the numbers of the lines, from 0,
    with which they begin; none where there are few.
    """
    starts, size, apart, fenced = list[int](), 0, True, False
    for number, line in enumerate(thinking.split("\n")):
        if not line.strip():
            apart = True
            continue
        turns = size >= _LONG or (size >= _SHORT and _TURN_OF_THOUGHT.match(line))
        if not starts or (apart and turns and not fenced):
            starts.append(number)
            size = 0
        fenced ^= line.lstrip().startswith("```")
        size, apart = size + len(line), False
    return starts if len(starts) >= _FEWEST else []


def steps(thinking: str) -> list[str]:
    """The steps as texts; all in one where `outline` finds none."""
    lines = thinking.split("\n")
    starts = outline(thinking) or [0]
    ends = [*starts[1:], len(lines)]
    found = ("\n".join(lines[a:b]).strip() for a, b in zip(starts, ends, strict=True))
    return list(filter(None, found))


T = TypeVar("T")

STATUSES = frozenset(
    {"waiting", "thinking", "answering", "done", "interrupted", "truncated", "error"}
)

# What was asked of thinking, and what the reply said of itself.
AUDITED = frozenset(
    {"think", "effort", "id", "request_id", "fingerprint", "created", "native_finish_reason"}
)

# Characters. The largest context in use is a million tokens, about 4 million characters.
LONGEST_TEXT = 8_000_000
_LONGEST_NAME = 500
_LONGEST_OBJECT = 256_000  # of JSON
_MOST_ITEMS = 1_000

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_AMOUNT = re.compile(r"\d{1,12}(?:\.\d{1,18})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LARGEST = 2**53


def read_record(record: object) -> Turn | None:
    """The turn that `record` says, or None where it says none. `sent` and the like stay empty."""
    if not isinstance(record, Mapping) or not 1 <= _count(record.get("schema")) <= SCHEMA:
        return None
    prompt, answer = _text(record.get("prompt")), _text(record.get("answer"))
    id, conversation = sound_id(record.get("id")), sound_id(record.get("conversation"))
    parent = sound_id(record.get("parent"))
    if prompt is None or answer is None or id is None or conversation is None:
        return None
    if parent == id or (parent is None and record.get("parent") is not None):
        return None
    return Turn(
        id=id,
        conversation=conversation,
        prompt=prompt,
        parent=parent,
        cell_id=_name(record.get("cell_id")) or None,
        created=_matching(_MOMENT, record.get("created")) or "",
        status=status if (status := _name(record.get("status"))) in STATUSES else "done",
        provider=_name(record.get("provider")) or "",
        model=_name(record.get("model")) or "",
        served_model=_name(record.get("served_model")),
        parameters=_object(record.get("parameters")) or {},
        attachments=_each(_object, record.get("attachments")),
        reasoning=_text(record.get("reasoning")) or None,
        answer=answer,
        tool_calls=_each(_call, record.get("tool_calls")),
        usage=_usage(record.get("usage")),
        cost=_cost(record.get("cost")),
        timing=_seconds(record.get("timing")),
        finish_reason=_name(record.get("finish_reason")),
        notices=_each(_sentence, record.get("notices")),
        details=_each(_sentence, record.get("details")),
        error=_error(record.get("error")),
        history=record.get("history") is not False,
        format=_name(record.get("format")) or "md",
        branch=_branch(record.get("branch")),
        compare=_compare(record.get("compare")),
        request_hash=sound_id(record.get("request_hash")),
        steps=_each(_step, record.get("steps")),
        replayed=record.get("replayed") is True,
        recorded=_matching(_MOMENT, record.get("recorded")) or "",
        policy=_each(_name, record.get("policy")),
        offer=_name(record.get("offer")) or "",
        audit=_audit(record.get("audit")),
        tokens=_tokens(record.get("tokens")),
    )


def dump(value: object) -> str:
    """`value` as JSON that can be stored and read back, lone surrogates (escaped) included."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), default=str)
    return text


def sound_id(value: object) -> str | None:
    """`value` where it can be an id of ours or a front end's, else None."""
    return _matching(_ID, value)


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _text(value: object, longest: int = LONGEST_TEXT) -> str | None:
    return value if isinstance(value, str) and len(value) <= longest else None


_name = partial(_text, longest=_LONGEST_NAME)
_sentence = partial(_text, longest=10_000)


def _list(value: object) -> list[Any]:
    return value[:_MOST_ITEMS] if isinstance(value, list) else []


def _each(read: Callable[[object], T | None], value: object) -> tuple[T, ...]:
    """The entries of a list that can be read."""
    return tuple(found for found in map(read, _list(value)) if found)


def _object(value: object) -> dict[str, Any] | None:
    """A JSON object of bearable size, as plain values."""
    if not isinstance(value, dict):
        return None
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return json.loads(text) if len(text) <= _LONGEST_OBJECT else None


def mapping(value: object) -> Mapping[str, Any]:
    """`value`, or an empty one where it is no mapping."""
    return value if isinstance(value, Mapping) else {}


def _call(value: object) -> ToolCall | None:
    given = mapping(value)
    id, name = _name(given.get("id")), _name(given.get("name"))
    arguments = _text(given.get("arguments"))
    return ToolCall(id, name, arguments) if id and name and arguments is not None else None


def _step(value: object) -> Step | None:
    given = mapping(value)
    calls = _each(_call, given.get("tool_calls"))
    results, decisions, facts = [], [], []
    for entry in map(mapping, _list(given.get("results"))):
        id, text = _name(entry.get("id")), _text(entry.get("text"))
        if id and text is not None:
            results.append((id, text))
        if id and (decision := _name(entry.get("decision"))):
            decisions.append((id, decision))
        if id and (found := _facts(entry)):
            facts.append((id, found))
    said, reasoning = _text(given.get("answer")) or "", _text(given.get("reasoning")) or None
    if not calls:
        return None
    return Step(calls, tuple(results), said, reasoning, tuple(decisions), tuple(facts))


def read_details(value: object) -> tuple[dict[str, Any], ...]:
    """What thinking came with (`Turn.reasoning_details`), as the journal keeps it."""
    return _each(_detail, value)


def _detail(value: object) -> dict[str, Any] | None:
    found = _object(value) or {}
    texts = [text for name, text in found.items() if name != "size"]
    size = found.get("size")
    sound = type(size) is int and size >= 0 and all(isinstance(text, str) for text in texts)
    return found if isinstance(found.get("type"), str) and (sound or not signed([found])) else None


def _facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _seconds(entry, ("seconds",))
    if type(entry.get("rows")) is int:
        found["rows"] = _count(entry["rows"])
    return found | {name: True for name in ("failed", "more") if entry.get(name) is True}


def _count(value: object) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < _LARGEST else 0  # type: ignore[operator, return-value]


def _usage(value: object) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    counts: dict[str, Any] = {name: _count(value.get(name)) for name in BUCKETS}
    return Usage(**counts, estimated=value.get("estimated") is True)


def _cost(value: object) -> dict[str, str] | None:
    given = mapping(value)
    amount = _matching(_AMOUNT, given.get("amount"))
    currency = _matching(_CURRENCY, given.get("currency"))
    if not amount or not currency:
        return None
    return {"amount": format(Decimal(amount), "f"), "currency": currency}


def _seconds(
    value: object, names: Sequence[str] = ("first_token", "thinking", "total")
) -> dict[str, float | None]:
    given, found = mapping(value), dict[str, float | None]()
    for name in names:
        if name in given:
            seconds = given[name]
            number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
            found[name] = seconds if number and 0 <= seconds < 1e9 else None
    return found


def _error(value: object) -> dict[str, str] | None:
    if not isinstance(value, Mapping):
        return None
    said = {name: _sentence(value.get(name)) or "" for name in ("type", "message", "hint")}
    details = _sentence(value.get("details"))
    return {**said, "details": details} if details else said


def _audit(value: object) -> dict[str, Any]:
    return {
        name: said
        for name, said in mapping(value).items()
        if name in AUDITED and (isinstance(said, bool) or _name(said))
    }


def _compare(value: object) -> dict[str, Any] | None:
    given = mapping(value)
    id, variant = sound_id(given.get("id")), _name(given.get("variant"))
    turns = _each(sound_id, given.get("turns"))
    sound = id and variant and turns
    return {"id": id, "variant": variant, "turns": list(turns)} if sound else None


def _tokens(value: object) -> dict[str, str] | None:
    given = mapping(value)
    packed = _text(given.get("packed"), _LONGEST_OBJECT)
    return {"says": _sentence(given.get("says")) or "", "packed": packed} if packed else None


def _branch(value: object) -> dict[str, int] | None:
    given = mapping(value)
    index, count = _count(given.get("index")), _count(given.get("count"))
    return {"index": index, "count": count} if 1 <= index <= count else None
