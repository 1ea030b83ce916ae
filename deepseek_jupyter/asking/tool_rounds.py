"""`ToolRounds`: what follows each completion of one question.

A completion asks for calls, or gives an answer that has to fit a shape, or is the end. The calls
run with the user's consent and their results go back in the next request; an answer that does not
fit is asked for once more. `flow` says all of this once, as a generator that yields what it needs
next; `Run.go_on` and `Run.ago_on` provide it, on the caller's thread and on the caller's loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.attachment import guarded
from deepseek_jupyter.conversation.turn import BY_SERVER, Step
from deepseek_jupyter.display.pages import ConsentAnswer
from deepseek_jupyter.display.transcript import Transcript
from deepseek_jupyter.errors import SchemaMismatchError, shortened
from deepseek_jupyter.protocol.deltas import Completion, WebPage
from deepseek_jupyter.protocol.messages import Message, ToolCall, signed, tool, user
from deepseek_jupyter.protocol.request import Built, ChatRequest
from deepseek_jupyter.protocol.responses import WEB_SEARCH
from deepseek_jupyter.protocol.usage import Usage
from deepseek_jupyter.protocol.wire import WIRES
from deepseek_jupyter.sanitizer.listing import visible
from deepseek_jupyter.session.session import Session
from deepseek_jupyter.transport.engine import Stop, engine

from .budget import check_context, check_spending
from .consent import DECISIONS, REFUSALS, ConsentRequest, known_decision
from .prepare import Prepared
from .toolset import keep

if TYPE_CHECKING:
    from deepseek_jupyter.tools.loop import CallOutcome, Planned

_LIMIT = "not run: the limit of {} rounds of calls is reached. Answer with what you have."
_AGAIN = "not run: this call was made before, and its result is above. Answer with what you have."

_HOLDS_ROWS = "This result contains rows of your data. May it be sent, as it is here?\n\n"
_KEPT = "kept here: the result holds rows of {}, and the user did not agree to sending them."


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls to run, for at most `seconds` each: all at once with `together`, else one by one."""

    planned: Sequence[Planned]
    seconds: float
    together: bool

    def meet(self, stop: Stop) -> list[CallOutcome]:
        """Their outcomes; without `together` they run on this thread."""
        from deepseek_jupyter.tools.loop import call_all, call_here

        if self.together:
            return engine().run(call_all(self.planned, self.seconds))
        return [call_here(planned, self.seconds) for planned in self.planned]

    async def ameet(self, stop: Stop) -> list[CallOutcome]:
        """Their outcomes; async functions run on the caller's loop."""
        from deepseek_jupyter.tools.loop import call_all, call_here

        if self.together:
            return await call_all(self.planned, self.seconds)
        await asyncio.sleep(0)  # between two calls the loop has its turn
        return [call_here(planned, self.seconds) for planned in self.planned]


@dataclass(frozen=True, slots=True)
class Send:
    """A request to send, and the body built of it that was checked."""

    request: ChatRequest
    built: Built


# What `flow` yields: a request to send (it is sent the completion), consent to ask for (the
# answer), calls to run (their outcomes); None: show the transcript, which has changed.
Need = Send | ConsentRequest | Calls | None
Flow = Generator[Need, Any, None]


@dataclass(slots=True)
class _Round:
    """The calls of one completion, with what has become of each so far."""

    completion: Completion
    planned: Sequence[Planned]
    results: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, str] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def step(self) -> Step:
        calls = tuple(p.call for p in self.planned)
        return Step(
            calls,
            tuple((c.id, self.results[c.id]) for c in calls if c.id in self.results),
            self.completion.answer,
            self.completion.reasoning,
            tuple((c.id, self.decisions[c.id]) for c in calls if c.id in self.decisions),
            tuple((c.id, self.facts[c.id]) for c in calls if c.id in self.facts),
            signed(self.completion.reasoning_details),
        )

    @property
    def steps(self) -> list[Step]:
        """The searches on the way to the calls, and the calls."""
        return [*searches(self.completion), self.step]

    def messages(self) -> list[Message]:
        """What the round adds to the request: the calls and their results."""
        step = self.step
        said = replace(self.completion.message(), tool_calls=step.tool_calls)
        return [said, *(tool(text, id) for id, text in step.results)]


class ToolRounds:
    """The rounds of one question. `on_card`: the surface has buttons for consent."""

    def __init__(
        self, session: Session, prepared: Prepared, transcript: Transcript, *, on_card: bool
    ) -> None:
        self._session = session
        self._prepared = prepared
        self._transcript = transcript
        self._on_card = on_card
        self._request = prepared.request
        self._rounds: list[_Round] = []
        self._read: set[tuple[str, str]] = set()  # calls that ran and can only read
        self._again = 0  # rounds that only repeated such calls
        self._records: list[list[dict[str, Any]]] = []  # of the rounds, as they were shown last
        self._searched: list[Step] = []  # on the way to the answer
        self._usage: Usage | None = None  # of the completions that are dealt with
        # Of the present completion, once it is dealt with, the text that is in no step.
        self._rejected: str | None = None
        self._repaired = False
        self._answer: str | None = None  # as JSON that fits the shape

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was called, decided and returned; of a round that was cut off, what there was."""
        return (*(step for done in self._rounds for step in done.steps), *self._searched)

    def search(self, completion: Completion) -> None:
        """Show the searches of an answer that is still coming."""
        self._searched = searches(completion)
        self._publish()

    def flow(self) -> Flow:
        """All rounds, from the first request to the answer.

        Raises `SchemaMismatchError` after a failed repair, and what the limits of context and
        budget raise: each round pays for all that was said before.
        """
        built = self._prepared.built
        while True:
            self._rejected = None
            completion: Completion = yield Send(self._request, built)
            request = yield from self._after(completion)
            if request is None:
                return
            built, self._request = self._checked(request), request

    def settled(self, completion: Completion) -> Completion:
        """`completion` as the turn keeps it: the sum of all usage, the answer as its JSON."""
        self._searched = [] if self._rejected is not None else searches(completion)
        if self._rejected is not None:
            completion = Completion(self._rejected, model=completion.model, ended=completion.ended)
        elif (asked := self._prepared.asked) is not None:
            text = self._text(completion) if self._answer is None else self._answer
            open_calls = tuple(c for c in completion.tool_calls if c.name != asked.function)
            reason = completion.finish_reason
            if reason == "tool_calls" and not open_calls:
                reason = "stop"  # the call was the answer's vehicle
            completion = replace(
                completion, answer=text, tool_calls=open_calls, finish_reason=reason
            )
        return replace(completion, usage=_sum(self._usage, completion.usage))

    def _after(self, completion: Completion) -> Generator[Need, Any, ChatRequest | None]:
        """The request that follows `completion`; None where it is the answer."""
        prepared, note = self._prepared, self._transcript.notices.append
        if prepared.tools and completion.tool_calls:
            from deepseek_jupyter.tools.loop import runnable

            if runnable(completion) and not self._over_limit:
                return (yield from self._round(completion))
            note(
                "The model still asked for calls after the last round; they were not run."
                if self._over_limit
                else "The answer was cut inside its calls; none of them was run."
            )
        if prepared.asked is not None:
            return self._read_answer(completion)
        if prepared.tools and not completion.tool_calls and not completion.leaked_tool_call:
            from deepseek_jupyter.tools.loop import written_call

            if name := written_call(completion.answer, prepared.tools):
                note(f"The model wrote a call of {name} as text; it was not run.")
        return None

    # Calls

    @property
    def _over_limit(self) -> bool:
        """Whether the newest round is one too many: none of its calls runs."""
        return self._again > 1 or bool(len(self._rounds) > self._session.config.tool_steps)

    def _repeats(self, planned: Planned) -> bool:
        """Whether a call that can only read what the user has handed over ran before."""
        return (planned.call.name, planned.call.arguments) in self._read

    def _round(self, completion: Completion) -> Generator[Need, Any, ChatRequest]:
        """Decide on the calls of `completion`, then run those that may."""
        from deepseek_jupyter.tools.loop import plan, side_by_side

        prepared = self._prepared
        planned = plan(completion.tool_calls, prepared.tools, prepared.redactor.restore)
        current = _Round(completion, planned)
        self._rounds.append(current)
        self._account(completion)
        self._again += all(map(self._repeats, planned))
        apart: list[Planned] = []
        together: list[Planned] = []
        for one in planned:
            if (yield from self._may_run(current, one)):
                (together if side_by_side(one) else apart).append(one)
        for one in apart:
            yield from self._run(current, [one], together=False)
        if together:
            yield from self._run(current, together, together=True)
        yield from self._show()
        return self._request_after(current)

    def _run(self, current: _Round, planned: Sequence[Planned], *, together: bool) -> Flow:
        seconds = self._session.config.tool_timeout
        outcomes: list[CallOutcome] = yield Calls(planned, seconds, together)
        for one, outcome in zip(planned, outcomes, strict=True):
            assert one.tool is not None
            current.facts[one.call.id] = outcome.facts(one.tool)
            if one.tool.consent == "never needed":
                self._read.add((one.call.name, one.call.arguments))
            yield from self._leave(current, one, *self._words(one, outcome))

    def _leave(self, current: _Round, planned: Planned, text: str, cut: str) -> Flow:
        """Show what came of a call, as it will leave. Rows that a tool keeps wait for a yes."""
        call, tool = planned.call, planned.tool
        decision = current.decisions[call.id]
        if tool is not None and tool.kept is not None:
            masked = self._prepared.redactor.redacted(text)
            counts = ", ".join(f"{count} × {kind}" for kind, count in masked.counts.items())
            text = masked.text + (f"\n(masked: {counts})" if counts else "")
            if (kept := tool.kept(text)) and not (yield from self._may_leave(current, call, text)):
                text, decision, cut = _KEPT.format(kept), "result kept here", ""
                current.facts.pop(call.id)
        if cut:
            said = f"Of what {call.name} returned the model reads {cut}."
            self._transcript.notices.append(said)
        yield from self._conclude(current, call, text, decision)

    def _may_leave(self, current: _Round, call: ToolCall, text: str) -> Generator[Need, Any, bool]:
        conversation = self._prepared.turn.conversation
        key = (conversation, f"result of {call.name}")
        if key in self._session.allowed:
            return True
        answer = yield from self._consent(current, call, _HOLDS_ROWS + text, key, result=True)
        return answer in ("yes", "always")

    def _may_run(self, current: _Round, planned: Planned) -> Generator[Need, Any, bool]:
        from deepseek_jupyter.tools.loop import DENIED

        call, session = planned.call, self._session
        problem = planned.problem or (_AGAIN if self._repeats(planned) else "")
        if not problem and self._over_limit:
            problem = _LIMIT.format(session.config.tool_steps)
        if problem:
            yield from self._conclude(current, call, problem, "not run")
            return False
        assert planned.tool is not None
        key = (self._prepared.turn.conversation, call.name)
        decision = known_decision(
            planned.tool.consent,
            asked=self._prepared.approve,
            setting=session.config.approve,
            remembered=key in session.allowed,
        )
        if decision is None:
            answer = yield from self._consent(current, call, planned.preview, key)
            decision = DECISIONS[answer]
        if decision in REFUSALS:
            yield from self._conclude(current, call, DENIED, decision)
            return False
        current.decisions[call.id] = decision
        yield from self._show()
        return True

    def _consent(
        self, current: _Round, call: ToolCall, text: str, key: tuple[str, str], result: bool = False
    ) -> Generator[Need, Any, ConsentAnswer]:
        """The user's decision; `key` is what an "always" allows."""
        text, turn = visible(text), self._prepared.turn.id
        current.decisions[call.id] = "asking"
        kind = {"kind": "result"} if result else {}
        yield from self._show({"call": call.id, "text": text, **kind})
        answer: ConsentAnswer = yield ConsentRequest(
            turn, call.id, call.name, text, self._on_card, result
        )
        if answer == "always":
            self._session.allowed.add(key)
        elif answer == "gone":
            denied = f"{call.name} was denied: the page that asked was closed."
            self._transcript.notices.append(denied)
        return answer

    def _words(self, planned: Planned, outcome: CallOutcome) -> tuple[str, str]:
        """What the model reads of an outcome, and how much of it that is."""
        from deepseek_jupyter.tools.loop import result_text

        assert planned.tool is not None
        config = self._session.config
        if outcome.error is not None:
            redact = self._prepared.redactor.redact
            return guarded(f"Error: {outcome.problem}", redact, config.tool_tokens)
        if (tool := planned.tool).text is not None:
            return tool.text(outcome.value), tool.cut(outcome.value) if tool.cut else ""
        caps = {"rows": config.tool_rows, "tokens": config.tool_tokens}
        found = result_text(outcome.value, **caps)
        if found.cut and (name := keep(outcome.value)):
            found = result_text(outcome.value, **caps, name=name)
        return found.text, found.cut

    def _conclude(self, current: _Round, call: ToolCall, text: str, decision: str) -> Flow:
        """Give the model `text` for the call; it passes the redactor like all that leaves."""
        current.results[call.id] = self._prepared.redactor.redact(text)
        current.decisions[call.id] = decision
        yield from self._show()

    def _show(self, asking: dict[str, str] | None = None) -> Flow:
        newest = len(self._rounds) - 1  # those before it do not change any more
        self._records[newest:] = [[step.record for step in self._rounds[newest].steps]]
        self._publish(asking)
        yield None

    def _publish(self, asking: dict[str, str] | None = None) -> None:
        shown = [record for records in self._records for record in records]
        shown += [step.record for step in self._searched]
        self._transcript.show_steps(shown, asking)

    def _request_after(self, done: _Round) -> ChatRequest:
        parameters = dict(self._request.parameters)
        if parameters.get("tool_choice") not in (None, "auto", "none"):
            parameters["tool_choice"] = "auto"  # once called, it need not be called for ever
        if self._over_limit:
            dialect = self._prepared.provider.dialect
            if "tool_choice" in dialect.rows and dialect.tool_choice_none:
                parameters["tool_choice"] = "none"
            else:
                parameters.pop("tools", None)
            limit = min(len(self._rounds), self._session.config.tool_steps)
            self._transcript.notices.append(f"The model was stopped after {limit} rounds of calls.")
        messages = (*self._request.messages, *done.messages())
        return replace(self._request, messages=messages, parameters=parameters)

    # Answers of a shape

    def _read_answer(self, completion: Completion) -> ChatRequest | None:
        """None where the answer fits its shape, else the request to repair it."""
        from deepseek_jupyter.tools.schemas import pretty, repair_request

        asked = self._prepared.asked
        assert asked is not None
        if completion.finish_reason == "length":
            raise SchemaMismatchError(
                "The answer was cut at the token limit, inside its JSON.",
                "Raise --max-tokens, or use --no-think.",
            )
        try:
            plain, _ = asked.read(completion.answer, completion.tool_calls)
        except SchemaMismatchError as error:
            if self._repaired:
                raise
            self._repaired = True
            self._account(completion, self._text(completion))
            self._transcript.details.append(f"{error.what} The model was asked once more.")
            return self._repair(completion, repair_request(error))
        self._answer = pretty(plain)
        return None

    def _text(self, completion: Completion) -> str:
        """What the model gave as its answer, as it gave it."""
        asked = self._prepared.asked
        own = [c for c in completion.tool_calls if asked and c.name == asked.function]
        return own[-1].arguments if own else completion.answer

    def _repair(self, completion: Completion, words: str) -> ChatRequest:
        from deepseek_jupyter.tools.schemas import ask_for

        asked, request = self._prepared.asked, self._request
        assert asked is not None
        said = completion.message()
        if completion.tool_calls:
            replies = [tool(words, call.id) for call in completion.tool_calls]
        else:
            replies = [user(words)]
        parameters = dict(request.parameters)
        if self._prepared.tools:  # they have done their part: now the form is enforced
            enforced = ask_for(asked.shape, self._prepared.provider.dialect.schema)
            self._prepared = replace(self._prepared, asked=enforced, tools={})
            parameters = {k: v for k, v in parameters.items() if k not in ("tools", "tool_choice")}
            parameters |= enforced.parameters
        messages = (*request.messages, said, *replies)
        return replace(request, messages=messages, parameters=parameters)

    # Between the rounds

    def _checked(self, request: ChatRequest) -> Built:
        """The body of `request`, within the limits of context and budget."""
        prepared = self._prepared
        built = WIRES[prepared.provider.wire].build(request, prepared.provider.dialect)
        built = check_context(built, prepared.provider)
        self.hold(built)
        return built

    def hold(self, built: Built) -> None:
        """Set aside what the answer to `built` may cost, from all budgets, until the turn's end."""
        one = self._prepared
        limits = (one.provider, one.teaching, one.budget, self._usage, one.turn.id)
        check_spending(self._session, built, *limits)

    def _account(self, completion: Completion, rejected: str = "") -> None:
        """`completion` is dealt with: it is in a step, or `rejected`."""
        self._usage, self._searched = _sum(self._usage, completion.usage), []
        self._rejected = rejected


def searches(completion: Completion) -> list[Step]:
    """The server's searches as one step: query or page, then the titles and hosts it found."""
    calls, results = [], []
    for search in completion.searches:
        said = {"query": search.query, "page": search.url}
        text = json.dumps({n: v for n, v in said.items() if v}, ensure_ascii=False)
        calls.append(ToolCall(search.id, WEB_SEARCH["type"], text))
        if search.status == "completed":
            results.append((search.id, "\n".join(map(named, search.pages)) or "done"))
    decided = tuple((call.id, BY_SERVER) for call in calls)
    return [Step(tuple(calls), tuple(results), decisions=decided)] if calls else []


def named(page: WebPage) -> str:
    """A page by its title and host; no link, because a model chose it."""
    host = page.url.partition("://")[2].partition("/")[0].rpartition("@")[2] or page.url
    return shortened(f"{page.title} ({host})" if page.title else page.url, 300)


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    return one + other if one and other else one or other
