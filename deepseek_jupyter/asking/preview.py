"""What a question would send, or a turn has sent: the messages, what leaves, what was masked.

A dry run goes the same way as a question, up to the moment at which the request would be posted;
`payload` is the request's body, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from deepseek_jupyter.conversation.conversation import messages_of
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.render import money
from deepseek_jupyter.display.report import Drawing, Report, for_reader
from deepseek_jupyter.errors import ParameterError, counted
from deepseek_jupyter.privacy.redaction import PSEUDONYM, Redactor
from deepseek_jupyter.protocol.messages import Message, legal, system
from deepseek_jupyter.protocol.request import join_url, wire_messages
from deepseek_jupyter.protocol.snippets import FORMS, snippet
from deepseek_jupyter.protocol.usage import Price, Usage
from deepseek_jupyter.protocol.wire import WIRES
from deepseek_jupyter.session.session import Session
from deepseek_jupyter.transport.providers import KEYLESS, Provider
from deepseek_jupyter.words import said

from .budget import search_notice, worst_cost
from .fallback import prepare_all, where
from .prepare import Prepared, host, place, prepare
from .prompt_cache import in_cache
from .question import Question

DRAWN_MIME = "application/vnd.deepseek.dry-run+json"

# The questions that dry runs drew last, by the dry run's id: what they attach stays alive.
_drawn: OrderedDict[str, Question] = OrderedDict()
_MOST_DRAWN = 16

_WHY = {
    "email": "an e-mail address",
    "phone": "a phone number",
    "card": "a payment card's number",
    "iban": "a bank account's number",
    "secret": "a key or password; it is not put back into the answer",
    "person": "a column of people's names",
    "id": "a column of personal numbers",
    "column": "the name of a column that the data policy withholds",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything that leaves."""

    title: str
    summary: str  # in one line: how many tokens, what they cost, which values leave
    body: Mapping[str, Any]  # in the words of chat completions
    payload: bytes  # what is posted; empty for a turn that was sent before
    reports: Sequence[Report]
    url: str = ""
    key: str = ""  # the variable of the key for `url`
    wire: str = "chat"
    id: str = ""  # what `drawn` takes; "" where there is nothing to ask

    def as_code(self, form: str) -> Drawing:
        """The request as code: ``curl``, ``python`` with httpx, or ``openai``."""
        if form not in FORMS:
            raise ParameterError(f"There is no form {form!r}.", f"Use {', '.join(FORMS)}.")
        wire = WIRES[self.wire]
        if "model" not in self.body or (self.wire != "chat" and not self.payload):
            raise ParameterError("The request of this turn was not kept.", "Ask it again.")
        if self.wire != "chat" and form == "openai":
            raise ParameterError("openai is for chat completions.", "Use curl or python.")
        body = json.loads(self.payload) if self.payload else self.body
        return Drawing(snippet(form, self.url, self.key, body, wire.key, wire.headers))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages as they are in the body."""
        return list(self.body["messages"])

    def __str__(self) -> str:
        return self._text(lambda text: text, str)

    def _text(self, words: Callable[[str], str], report: Callable[[Report], str]) -> str:
        first = f"{words(self.summary)}\n{words(self.title)}"
        drawn = [str(Drawing(f"── {name} ──\n{text}")) for name, text in self._sent()]
        return "\n\n".join([first, *map(report, self.reports), *drawn])

    def __repr__(self) -> str:
        return f"<Preview: {self.title}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(for_reader(str(self), self._text(said, lambda report: str(report.said()))))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {DRAWN_MIME: {"id": self.id}} if self.id else {}

    def _repr_html_(self) -> str:
        first = Report(self.summary, remark=self.title).html()
        folds = [report.html(fold=True) for report in self.reports]
        folds += [
            Report(name, remark=text, quoted=-1).html(fold=True) for name, text in self._sent()
        ]
        return "".join([first, *folds])

    def _sent(self) -> list[tuple[str, str]]:
        """The messages, tools and the answer's schema, as they are sent, each with its name."""
        said = [(m["role"], _content(m)) for m in self.messages]
        forms = [name for name in ("tools", "response_format") if self.body.get(name)]
        return said + [(name, json.dumps(self.body[name], indent=1)) for name in forms]


def preview(session: Session, question: Question) -> Preview:
    """What `question` would send now. Nothing is sent, kept or changed by it."""
    prepared = prepare_all(session, place(session, replace(question, dry_run=True)))
    body = prepared.built.body
    price = session.price(prepared.provider, prepared.request.model)
    title = f"Nothing was sent. It would go to {prepared.provider.title}, {prepared.request.model}."
    rules = [Report(prepared.teaching.notice)] if prepared.teaching else []
    reports = [*rules, *_shortened(prepared.turn)]
    reports.append(_tokens(prepared.turn, price))
    reports += _data(prepared.turn)
    reports += _masked(prepared.request.messages)
    if question.web:
        reports.append(Report("Web search", remark=search_notice(price)))
    reports += _fallbacks(session, prepared)
    if notice := session.memory.restored_notice:
        reports.append(Report("The notebook's conversation", remark=notice))
    address = _address(prepared.provider, beta=prepared.built.beta)
    summary = f"{_gauge(session, prepared, price)}{_leaving(prepared.turn)}"
    payload = prepared.built.payload
    id = hashlib.sha256(payload).hexdigest()[:8]
    _drawn[id] = replace(question, dry_run=False, drawn=(host(prepared.provider), payload))
    _drawn.move_to_end(id)
    if len(_drawn) > _MOST_DRAWN:
        _drawn.popitem(last=False)
    return Preview(title, summary, body, payload, reports, *address, id=id)


def gauge(session: Session, question: Question) -> str:
    """How full the context would be with `question`, what that costs, what of it is cached; on a
    second line what a web search means.
    """
    prepared = prepare(session, place(session, replace(question, dry_run=True)))
    price = session.price(prepared.provider, prepared.request.model)
    found = _gauge(session, prepared, price)
    return f"{found}\n{search_notice(price)}" if question.web else found


def drawn(id: str = "") -> Question:
    """The question of the dry run `id` (the newest without one): it sends what was shown."""
    question = _drawn.get(id or next(reversed(_drawn), ""))
    if question is None:
        raise ParameterError(
            "This kernel did not make that drawing, or has made others since.", "Draw it again."
        )
    return question


def _address(provider: Provider, *, beta: bool) -> tuple[str, str, str]:
    """Where a request is posted, the variable of the key, and the wire."""
    base = (provider.beta_url if beta else "") or provider.wire_url or "http://127.0.0.1:PORT/v1"
    keyed = provider.key_variables if provider.name not in KEYLESS else ()
    return join_url(base, WIRES[provider.wire].path), next(iter(keyed), ""), provider.wire


def _gauge(session: Session, prepared: Prepared, price: Price | None) -> str:
    """How full the context is, what that costs, and what of it may be in the cache."""
    total, cached = _total(prepared.turn), _cached(session, prepared)
    context = prepared.provider.facts(prepared.request.model).context
    words = [f"{total:,} of {context:,} tokens" if context else f"{total:,} tokens"]
    if price is not None:
        words.append(f"about {money(_cost(total, price, cached), price.currency)}")
    return ", ".join([*words, f"{cached:,} cached"])


def _cached(session: Session, prepared: Prepared) -> int:
    """How many of the tokens that leave are likely to be in the provider's cache."""
    return min(_total(prepared.turn), in_cache(session.prefix, prepared.prefix))


def _total(turn: Turn) -> int:
    return sum(int(size) for _, size in turn.sending.get("parts", ()))


def sent(session: Session, turn: Turn) -> Preview:
    """What went out for a turn that was asked here, as the journal has it."""
    path = session.conversation.path(turn.parent) if turn.history else []
    kept = path[turn.sending.get("dropped", 0) :]
    history = [m for t in kept for m in _as_sent(session, turn, t)]
    prompt = turn.sending.get("system", "")
    own = turn.messages()[: -1 if turn.answer else None]
    messages = [*([system(prompt)] if prompt else []), *history, *own]
    title = f"Sent for turn {turn.id[-6:]} to {turn.provider}, {turn.model}."
    profile = session.endpoints.keyless(turn.provider)[0]
    dialect = profile.dialect
    body = {**turn.sending.get("body", {})}
    body["messages"] = wire_messages(legal(messages), turn.model, dialect)
    reports = [*_shortened(turn), _tokens(turn), *_data(turn), *_masked(messages)]
    address = _address(profile, beta=bool(turn.sending.get("beta")))
    return Preview(title, f"{_total(turn):,} tokens{_leaving(turn)}", body, b"", reports, *address)


def _as_sent(session: Session, turn: Turn, earlier: Turn) -> list[Message]:
    """What `earlier` said in the request of `turn`: masked as it was then."""
    if not earlier.sent:
        return messages_of(earlier, session.redactor.redact)
    if earlier.id in turn.sending.get("held_back", ()):
        earlier = replace(earlier, sent=earlier.prompt, images=())
    redactor = Redactor((), turn.pseudonyms)
    for name, original in turn.pseudonyms.items():
        redactor.withhold({original: name.strip("<>").rpartition("-")[0]} if original else {})
    return messages_of(earlier, redactor.redact)


def _shortened(turn: Turn) -> list[Report]:
    sentences = turn.sending.get("shortened", ())
    return [Report("Not all of it leaves", remark="\n".join(sentences))] if sentences else []


def _tokens(turn: Turn, price: Price | None = None) -> Report:
    """Tokens by part, and what they cost found in the cache and not found."""
    total = _total(turn)
    rows = [(str(name), int(size)) for name, size in turn.sending.get("parts", ())]
    heads = ("part", "tokens") if price is None else ("part", "tokens", "not in cache", "in cache")
    rows.append(("in all", total))
    table = [(name, f"{size:,}", *_price(size, total, price)) for name, size in rows]
    remark = "" if price is None else "Prices are estimates; the answer costs extra."
    return Report("Tokens", table, heads, remark)


def _fallbacks(session: Session, prepared: Prepared) -> list[Report]:
    """Where the question may go on to, what it may cost there, and which places it may not."""
    rows = []
    for other in prepared.fallbacks:
        price = session.price(other.provider, other.request.model)
        most = f"{worst_cost(other.built, price):.4f} {price.currency}" if price else "not known"
        rows.append((where(other), most))
    passed_over = [said for said in prepared.notices if said.startswith("The fallback ")]
    if not rows and not passed_over:
        return []
    return [Report("If it is turned away", rows, ("then", "costs up to"), " ".join(passed_over))]


def _price(count: int, total: int, price: Price | None) -> tuple[str, ...]:
    """What `count` tokens cost, with as many digits as `total` needs."""
    if price is None:
        return ()
    sign = money(Decimal(), price.currency).rstrip("0")
    hits = ((0, 0), (count, total))
    shares = [(_cost(count, price, one), _cost(total, price, most)) for one, most in hits]
    return tuple(f"{sign}{cost:.{max(2, 2 - most.adjusted())}f}" for cost, most in shares)


def _cost(count: int, price: Price, cached: int = 0) -> Decimal:
    return price.cost(Usage(prompt_tokens=count, cache_hit_tokens=cached)).amount


def _leaving(turn: Turn) -> str:
    """Which columns leave or stay, as the end of a sentence; "" without any."""
    said = []
    for details in turn.sending.get("attachments", ()):
        columns = details["columns"]
        leaving = [c["name"] for c in columns if "values" in c["leaves"]]
        count = details["rows"] * len(leaving)
        which = counted(count, "value") if count else "frequent values"
        said += [f"{which} of {_names(leaving)} leave"] if leaving else []
        kept = [c["name"] for c in columns if c["leaves"] == "nothing"]
        said += [f"{_names(kept)} {'stays' if len(kept) == 1 else 'stay'}"] if kept else []
        said += ["no values leave"] if columns and not leaving and not kept else []
    return f"; {', '.join(said)}." if said else ""


def _names(columns: Sequence[str]) -> str:
    """`a`, `b` and 3 more."""
    more = len(columns) - 3
    named = ", ".join(f"`{name}`" for name in columns[: 3 if more > 0 else None])
    return f"{named} and {more} more" if more > 0 else named


def _data(turn: Turn) -> list[Report]:
    """What of each attachment leaves, column by column."""
    reports = []
    for record, details in zip(turn.attachments, turn.sending.get("attachments", ()), strict=False):
        if record.get("again"):
            reports.append(Report(f"{record['name']}: unchanged, its card is in the history"))
            continue
        rows = [(c["name"], c["level"], c["leaves"]) for c in details["columns"]]
        count = details["rows"]
        remark = f"Values of {counted(count, 'row')} leave." if rows else ""
        title = f"{record['name']}: {record['kind']}, policy {record['policy']}"
        reports.append(
            Report(title, rows, ("column", "level", "leaves") if rows else (), remark, 1)
        )
    return reports


def _masked(messages: Sequence[Message]) -> list[Report]:
    """Which pseudonyms the messages have, how often, and why."""
    texts = (message.content for message in messages)
    found = Counter((m[0], m[1]) for text in texts for m in PSEUDONYM.finditer(text))
    other = "a value that the data policy withholds"
    rows = [(name, f"{n:,}", _WHY.get(kind, other)) for (name, kind), n in sorted(found.items())]
    heads = ("pseudonym", "times", "replaces")
    return [Report("Masked", rows, heads)] if rows else [Report("Nothing was masked.")]


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    thinking = message.get("reasoning_content")
    before = [f"[thinking, sent again]\n{thinking}"] if thinking else []
    parts = [content] if isinstance(content, str) else [_part(part) for part in content or ()]
    parts += [f"calls {call['function']}" for call in message.get("tool_calls", ())]
    return "\n".join([*before, *parts])


def _part(part: Mapping[str, Any]) -> str:
    if part.get("type") == "text":
        return str(part["text"])
    url = str(part.get("image_url", {}).get("url", ""))
    return url if len(url) < 200 else f"{url[:40]}… ({len(url):,} characters of an image)"
