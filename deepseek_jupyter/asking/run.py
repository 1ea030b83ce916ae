"""`Run`: one question on its way, from the first byte to the reply that is kept."""

from __future__ import annotations

# Without the enums that `signal` makes of each handler: they were 6 % of a question's time.
import _signal as signal  # type: ignore[import-not-found]
import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from deepseek_jupyter.display.frontend import current_cell
from deepseek_jupyter.display.surfaces import Surface
from deepseek_jupyter.display.transcript import Transcript
from deepseek_jupyter.errors import (
    DeepSeekError,
    EmptyAnswerError,
    Interrupted,
    TruncatedError,
)
from deepseek_jupyter.privacy.redaction import Redactor, Restorer
from deepseek_jupyter.protocol.deltas import (
    Completion,
    Detail,
    Event,
    Fault,
    Finish,
    Notice,
    ReasoningDelta,
    Search,
    TextDelta,
    ToolCallDelta,
)
from deepseek_jupyter.protocol.logprobs import divided, in_words, packed
from deepseek_jupyter.protocol.request import Built, ChatRequest
from deepseek_jupyter.protocol.rhythm import Rhythm
from deepseek_jupyter.protocol.tokens import count_body, estimate_tokens
from deepseek_jupyter.protocol.usage import Cost, Usage
from deepseek_jupyter.session.session import Session
from deepseek_jupyter.transport.engine import Stop

from .consent import ConsentRequest
from .fallback import where
from .long_texts import citations
from .prepare import NO_KEY, Prepared
from .prompt_cache import what_broke
from .reply import Reply, record_of
from .tool_rounds import Calls, Send, ToolRounds, named

_CHECKPOINT = 1.0  # seconds; what a killed kernel may lose


class Run:
    """A context manager around the reading of one answer.

    Whatever ends the reading (its end, an error, an interrupt, a cancellation), leaving the context
    shows the last state, makes the `reply` and keeps it. Errors of this package are put into
    ``reply.error`` and swallowed, for the session to raise; an interrupt goes on as `Interrupted`.
    `ended` is given the reply in any case.
    """

    def __init__(
        self,
        session: Session,
        prepared: Prepared,
        on: Surface,
        ended: Callable[[Reply], None],
        *,
        sync: bool = True,
    ) -> None:
        """Without `sync` the caller waits for the disk itself, by `Memory.group_sync`."""
        self.stop = Stop()
        self.reply: Reply | None = None
        self._unsaved = 0.0  # when the first came of what the journal does not have
        self._ended, self._sync = ended, sync
        self.left: tuple[TextDelta | ReasoningDelta, ...] = ()  # shown at the very end
        self._session = session
        self._surface = on
        self._transcript = Transcript(time.monotonic())
        self._places = [prepared, *prepared.fallbacks]
        self._ask_at(prepared)
        self._restored = RestoredEvents(prepared.redactor)
        self._unsaid = prepared.begins.text if prepared.begins else ""

    def _ask_at(self, prepared: Prepared) -> None:
        self._prepared, self._turn = prepared, prepared.turn
        self._exchange(prepared.request, prepared.built)
        asks = getattr(self._surface, "asks", False)
        self._rounds = ToolRounds(self._session, prepared, self._transcript, on_card=asks)
        self._flow = self._rounds.flow()
        next(self._flow)  # the first request, for which the exchange is made already
        self._rounds.hold(prepared.built)

    def _exchange(self, request: ChatRequest, built: Built) -> None:
        from deepseek_jupyter.transport.exchange import Exchange

        self._built = built
        self.exchange = Exchange(request, self._prepared.provider, self._prepared.key, built)

    def fall_back(self, error: DeepSeekError) -> None:
        """Begin again at the next place. Raises `error` without one, or once output was seen."""
        at = [place is self._prepared for place in self._places].index(True) + 1
        if at == len(self._places) or self._rounds.steps or self.exchange.has_output:
            raise error
        notice = f"{where(self._prepared)} did not answer: {error.what.rstrip('.')}"
        prepared = self._places[at]
        self._transcript.waiting = None
        self._ask_at(prepared)
        if self._turn.history:
            self._session.prefix = prepared.prefix
        notice = f"{notice}. {where(prepared)} is asked instead."
        self._transcript.notices += [notice, *filter(self._session.first_time, prepared.notices)]
        self._session.memory.checkpoint(self._turn, "waiting", Completion())
        self._refresh(time.monotonic())

    def __enter__(self) -> Run:
        memory = self._session.memory
        self._session.withholding.hold(self._prepared.held)
        memory.begin_turn(self._turn, self._prepared.branch)
        prefix = self._prepared.prefix
        if self._turn.history:
            if broken := what_broke(self._session.prefix, prefix):
                self._transcript.note(broken)
            self._session.prefix = prefix
        self._transcript.notices += self._turn.sending["shortened"]
        if (begins := self._prepared.begins) and begins.said:
            self._transcript.notices.append(begins.said)
        news = [*filter(self._session.first_time, self._prepared.notices)]
        for notice in news:
            self._transcript.note(notice)
        if NO_KEY in news:
            self._turn = replace(self._turn, offer="key")
        if memory.restored_notice and self._session.first_time(memory.restored_notice):
            notice = memory.restored_notice  # without a command to give, nothing follows from it
            self._transcript.note(notice if "%deepseek" in notice else Detail(notice))
        record = {**record_of(self._turn), "notices": [*self._transcript.notices]}
        self._surface.begin(record, self.stop)
        self._rhythm = Rhythm(time.monotonic())
        self._session.announce("begun", record)
        return self

    def take(self, batch: list[Event] | None) -> list[Event]:
        """Show a batch of events (None is a quiet tick); returns them as they are shown."""
        now = time.monotonic()
        shown = self._arrived(batch, now) if batch else []
        self._refresh(now)
        if self._unsaved and now - self._unsaved >= _CHECKPOINT:
            self._unsaved = 0.0
            so_far = self._begun(self.exchange.completion)
            self._session.memory.checkpoint(self._turn, self._transcript.status, so_far)
        return shown

    def _arrived(self, batch: list[Event], now: float) -> list[Event]:
        kinds = set(map(type, batch))
        if Notice in kinds:  # some sentences are shown once a session
            first = self._session.first_time
            batch = [e for e in batch if not isinstance(e, Notice) or not e.once or first(e.text)]
        batch = self._in_answer(batch)
        self._rhythm.take(batch, now)
        if shown := self._restored.events(batch):
            self._transcript.apply(*shown, now=now)
            self._unsaved = self._unsaved or now
        if Search in kinds:
            self._rounds.search(self.exchange.completion)
        return shown

    def go_on(self) -> bool:
        """Run the calls that a stream ended with. False when the answer is there."""
        need = self._next(self.exchange.completion)
        while isinstance(need, ConsentRequest | Calls):
            with self._reading(need):
                met = need.meet(self.stop)
            need = self._next(met)
        return self._send(need)

    async def ago_on(self) -> bool:
        """As `go_on`, on the caller's loop."""
        need = self._next(self.exchange.completion)
        while isinstance(need, ConsentRequest | Calls):
            with self._reading(need):
                met = await need.ameet(self.stop)
            need = self._next(met)
        return self._send(need)

    @contextmanager
    def _reading(self, need: ConsentRequest | Calls) -> Iterator[None]:
        """The time that the user takes to decide is not the answer's."""
        began = time.monotonic()
        try:
            yield
        finally:
            if isinstance(need, ConsentRequest):
                self._transcript.pause(time.monotonic() - began)

    def _next(self, met: Any) -> Send | ConsentRequest | Calls | None:
        """What the tool rounds need after `met`, which they needed before; None at their end."""
        try:
            while (need := self._flow.send(met)) is None:
                self.take(None)
                met = None
        except StopIteration:
            return None
        return need

    def _send(self, send: Send | None) -> bool:
        if send is None:
            return False
        self._turn = replace(self._turn, steps=self._rounds.steps)
        self._session.memory.checkpoint(self._turn, "waiting", Completion())
        self._exchange(send.request, send.built)
        self._rhythm.end_round(time.monotonic())
        self._transcript.begin_round()
        self._refresh(time.monotonic())
        return True

    def _refresh(self, now: float) -> None:
        self._surface.refresh(self._transcript, self._transcript.take_fresh(), now)

    def _in_answer(self, batch: list[Event]) -> list[Event]:
        """`batch` with the answer's text where it comes as arguments or after a beginning."""
        asked = self._prepared.asked
        if self._unsaid and any(isinstance(event, TextDelta) for event in batch):
            batch, self._unsaid = [TextDelta(self._unsaid), *batch], ""
        if asked is None or not asked.function:
            return batch
        return [
            TextDelta(event.arguments or "") if isinstance(event, ToolCallDelta) else event
            for event in batch
        ]

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        stopped = isinstance(error, KeyboardInterrupt | asyncio.CancelledError | GeneratorExit)
        if error is not None and not stopped and not isinstance(error, DeepSeekError):
            with suppress(Exception):  # the bug is shown next, and must not be hidden by its echo
                self._finish(DeepSeekError(f"{type(error).__name__}: {error}"), stopped=False)
            return False
        problem = error if isinstance(error, DeepSeekError) else None
        self._finish(problem, stopped)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(reply=self.reply) from None
        return problem is not None

    def _finish(self, problem: DeepSeekError | None, stopped: bool) -> None:
        """Make the reply, keep it and show it, to the end: otherwise the output would show for ever
        that the answer is coming. An interrupt meanwhile waits.
        """
        with interrupts_held() as came:
            try:
                self._close(problem, stopped)
            finally:
                self._session.held.pop(self._turn.id, None)
        if came and not stopped:
            raise Interrupted(reply=self.reply)

    def _close(self, problem: DeepSeekError | None, stopped: bool) -> None:
        for tool in (tool for place in self._places for tool in place.tools.values()):
            if tool.close is not None:
                tool.close()
        arrived, is_whole = self.exchange.completion, problem is None and not stopped
        arrived = arrived if is_whole else _estimated(arrived, self._built.body)
        completion = self._begun(self._rounds.settled(arrived))
        if problem is None and not stopped:
            problem = _emptiness(completion)
        status, tokens = _status(problem, stopped), completion.logprobs
        self._cite(completion.answer)
        self.left = tuple(self._restored.rest())
        self._transcript.apply(*self.left, now=time.monotonic())
        self._transcript.end(status, time.monotonic())
        self._transcript.notices += _advice(completion, problem, stopped)
        if self._built.body.get("logprobs") and not tokens and is_whole:
            self._transcript.notices.append("The host sent no probabilities of tokens.")
        if completion.citations:
            self._transcript.notices.append(f"Cited: {'; '.join(map(named, completion.citations))}")
        self._transcript.notices += self._trouble()
        self._turn = replace(
            self._turn,
            status=status,
            served_model=completion.model,
            reasoning=completion.reasoning,
            answer=completion.answer,
            tool_calls=completion.tool_calls,
            steps=self._rounds.steps,
            usage=completion.usage,
            cost=self._cost(completion),
            timing=self._transcript.timing,
            finish_reason=completion.finish_reason if status == "done" else status,
            notices=tuple(self._transcript.notices),
            details=tuple(self._transcript.details),
            error=problem.record if problem else None,
            reasoning_details=completion.reasoning_details,
            pseudonyms=self._pseudonyms(completion),
            audit=self._audit(completion),
            logprobs=completion.logprobs,
            rhythm=self._rhythm.packed(),
            tokens={"says": in_words(tokens), "packed": packed(tokens)} if tokens else None,
        )
        record = record_of(self._turn)
        shape = self._prepared.asked.shape if self._prepared.asked else None
        self.reply = Reply(self._turn, error=problem, record=record, shape=shape)
        if problem is not None:
            problem.reply = self.reply
        try:
            self._ended(self.reply)
            self._session.keep(self.reply, self._prepared.branch)
            if self._sync:
                self._session.memory.sync()
            record["notices"] += self._trouble()
        finally:
            self._surface.end(record)
        self._session.announce("ended", record)
        self.reply.shown_in = current_cell() if self._surface.visible else None

    def _begun(self, completion: Completion) -> Completion:
        """`completion` behind the words that it went on from, where an answer came."""
        came = completion.answer or completion.ended
        begins, logprobs = came and self._prepared.begins, completion.logprobs
        answer = begins.text + completion.answer if begins else completion.answer
        if begins and begins.tokens:
            logprobs = {"content": [*begins.tokens, *(logprobs or {}).get("content", ())]}
        logprobs = divided(logprobs, answer) if logprobs else None
        return replace(completion, answer=answer, logprobs=logprobs)

    def _cite(self, answer: str) -> None:
        """Find what the answer quotes, where that was asked for."""
        turn, prepared = self._turn, self._prepared
        if not turn.sending.get("cite") or not answer:
            return
        path = prepared.conversation.path(turn.parent) if turn.history else []
        found, said = citations(answer, [*path[turn.sending["dropped"] :], turn])
        self._turn = replace(turn, sending={**turn.sending, "citations": found})
        self._transcript.notices += filter(None, [said])

    def _trouble(self) -> list[str]:
        """What is wrong with the journal, where the user has not read it yet."""
        trouble = self._session.memory.trouble
        return [trouble] if trouble and self._session.first_time(trouble) else []

    def _pseudonyms(self, completion: Completion) -> dict[str, str]:
        """Those that went out, and those that came back."""
        steps = self._rounds.steps
        calls = [call for step in steps for call in step.tool_calls]
        texts = [call.arguments for call in (*calls, *completion.tool_calls)]
        texts += [text for step in steps for _, text in step.results]
        used = self._prepared.redactor.used(completion.answer, completion.reasoning, *texts)
        return {**self._turn.pseudonyms, **used}

    def _audit(self, completion: Completion) -> dict[str, Any]:
        """What was asked of thinking, and what the reply said of itself."""
        request_id = self.exchange.redact(self.exchange.request_id)
        said = {"id": completion.id, "request_id": request_id, **completion.facts}
        return {**self._turn.audit, **{name: text for name, text in said.items() if text}}

    def _cost(self, completion: Completion) -> dict[str, str] | None:
        usage = completion.usage
        if usage is None:
            return None
        if usage.cost is not None:
            return Cost(usage.cost).to_json()
        provider, asked = self._prepared.provider, self._prepared.request.model
        price = self._session.price(provider, completion.model, asked)
        return price.cost(usage).to_json() if price else None


@contextmanager
def interrupts_held() -> Iterator[list[int]]:
    """Interrupts of this thread wait meanwhile; the list has those that came."""
    came: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if main else None
    if before is None:
        yield came
        return
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


class RestoredEvents:
    """The events of one answer with originals for pseudonyms, also those that come in pieces."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._revealers = {kind: Restorer(redactor.known) for kind in (ReasoningDelta, TextDelta)}

    def events(self, batch: list[Event]) -> list[Event]:
        """`batch` as it is shown. What may be the beginning of a pseudonym waits for its end."""
        if not self._redactor.known:  # nearly always; it costs nothing then
            return batch
        return [shown for event in batch for shown in self._event(event)]

    def rest(self, but: type | None = None) -> Iterator[ReasoningDelta | TextDelta]:
        """What still waits; the answer has gone on to something else, or ended."""
        for kind, revealer in self._revealers.items():
            if kind is not but and (held := revealer.flush()):
                yield kind(held)

    def _event(self, event: Event) -> Iterator[Event]:
        kind = type(event)
        if isinstance(event, ReasoningDelta | TextDelta):
            yield from self.rest(but=kind)
            if text := self._revealers[type(event)].feed(event.text):
                yield type(event)(text)
            return
        if isinstance(event, Finish | Fault | ToolCallDelta):
            yield from self.rest()
        yield event


def _status(problem: DeepSeekError | None, stopped: bool) -> str:
    if stopped:
        return "interrupted"
    if isinstance(problem, TruncatedError):
        return "truncated"
    return "done" if problem is None else "error"


def _estimated(completion: Completion, body: Mapping[str, Any]) -> Completion:
    """`completion` with estimated tokens where a host that bills them did not get to say them."""
    calls = "".join(call.name + call.arguments for call in completion.tool_calls)
    texts = (completion.reasoning or "", completion.answer, calls)
    if completion.usage is not None or not any(texts):
        return completion
    thinking, *others = map(estimate_tokens, texts)
    read = count_body(body, estimate_tokens)
    return replace(completion, usage=Usage(read, thinking + sum(others), 0, thinking, None, True))


_GAVE_UP = "The server gave up before the end of the answer; run the cell again."
_ENDINGS = {
    "length": "The answer was cut at the token limit; raise --max-tokens or use --continue.",
    "content_filter": "The provider's content filter cut the answer.",
    "insufficient_system_resource": _GAVE_UP,
    "aborted": _GAVE_UP,
}


def _emptiness(completion: Completion) -> EmptyAnswerError | None:
    """The error for an answer without text; reaching the limit while thinking is only a notice."""
    if not completion.empty or (completion.reasoning and completion.finish_reason == "length"):
        return None
    if completion.reasoning:
        return EmptyAnswerError(
            "The model only thought and gave no answer.",
            "Run the cell again, or use --no-think; the thinking is kept (ds.last.reasoning).",
        )
    if completion.answer and completion.finish_reason == "length":
        return EmptyAnswerError(
            "The model sent only whitespace up to the token limit.",
            "Show the JSON that is wanted in the prompt, or ask without -f json.",
        )
    return EmptyAnswerError("The model returned no answer.")


def _advice(completion: Completion, problem: DeepSeekError | None, stopped: bool) -> Iterator[str]:
    """What the user should know about how the answer ended."""
    if problem is not None or stopped:
        return
    if completion.empty and completion.reasoning:
        yield (
            "The model only thought and gave no answer; raise --max-tokens, lower --effort, "
            "or use --no-think."
        )
    elif cut := _ENDINGS.get(completion.finish_reason or ""):
        yield cut
    if completion.leaked_tool_call:
        yield "The answer contains tool-call markup that the host did not parse; nothing was run."
