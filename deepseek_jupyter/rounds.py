"""`Rounds`: what follows each completion of one question.

A completion asks for calls, or gives an answer that has to fit a shape, or is the end. The calls
run with the user's consent and their results go back in the next request; an answer that does not
fit is asked for once more. Everything that was called, decided and returned is in `steps`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .accounts import notebook_cost
from .conversation.turn import Step
from .display.consent import Asking, shown
from .errors import SchemaMismatchError
from .limits import check_budget, check_context, check_notebook_budget
from .protocol.completion import Completion
from .protocol.messages import Message, ToolCall, tool, user
from .protocol.request import ChatRequest
from .protocol.usage import Usage
from .toolset import guards, keep

if TYPE_CHECKING:
    from .display.transcript import Transcript
    from .prepare import Prepared
    from .session import Session
    from .tools.calling import Outcome
    from .tools.loop import Planned

__all__ = ["Rounds"]

_NOT_RUN = "not run: "
_LIMIT = "the limit of {} rounds of calls is reached. Answer with what you have."
_TICK = 0.1  # seconds


class Rounds:
    """The rounds of one question. `refresh` shows the transcript, `stopped` says whether the user
    wants it to end, `on_card` whether the surface has buttons for consent.

    The life of one: `take` a completion; if it is not the `end`, `run` (or `arun`) its calls, send
    `request`, and so on.
    """

    def __init__(
        self,
        session: Session,
        prepared: Prepared,
        transcript: Transcript,
        refresh: Callable[[], None],
        stopped: Callable[[], bool],
        *,
        on_card: bool,
    ) -> None:
        self.steps: list[Step] = []
        self.end = False
        self._session = session
        self._prepared = prepared
        self._transcript = transcript
        self._refresh = refresh
        self._stopped = stopped
        self._on_card = on_card
        self._request = prepared.request
        self._usage: Usage | None = None
        self._taken = False  # the present completion stands in `steps`, or is to be repaired
        self._rejected = ""
        self._answer: str | None = None
        self._planned: list[Planned] = []
        self._said = Completion()
        self._results: dict[str, str] = {}
        self._decisions: dict[str, str] = {}
        self._repaired = False
        self._last = False

    # What a completion means

    def take(self, completion: Completion) -> None:
        """Settle what `completion` asks for. Raises `SchemaMismatchError` after a failed repair."""
        prepared = self._prepared
        if prepared.tools and completion.tool_calls:
            from .tools.loop import plan, runnable

            if runnable(completion) and not self._last:
                self._said = completion
                self._planned = plan(completion.tool_calls, prepared.tools, self._guards[1])
                self._account(completion)
                return
            self._transcript.notices.append(
                "The model still asked for calls after the last round; they were not run."
                if self._last
                else "The answer was cut inside its calls; none of them was run."
            )
        if prepared.asked is not None:
            self._take_answer(completion)
        else:
            self.end = True

    def settled(self, completion: Completion) -> Completion:
        """`completion` as the turn keeps it: the sum of all usage, the answer as its JSON."""
        if self._taken:
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

    def all_steps(self) -> tuple[Step, ...]:
        """The finished rounds, and one that was broken off, as far as it came."""
        return (*self.steps, self._step()) if self._planned else tuple(self.steps)

    # Running

    @property
    def planned(self) -> bool:
        """Whether there are calls to run before `request`."""
        return bool(self._planned)

    def run(self) -> None:
        """Run the calls on this thread, side by side on the engine where that is safe."""
        from .tools.calling import call_all, call_here, side_by_side
        from .transport.engine import engine

        allowed = [p for p in self._planned if self._decide(p)]
        seconds = self._session.config.tool_timeout
        beside = []
        for planned in allowed:
            if side_by_side(planned):
                beside.append(planned)
            else:
                self._finish(planned, call_here(planned, seconds))
        if beside:
            for planned, outcome in zip(
                beside, engine().run(call_all(beside, seconds)), strict=True
            ):
                self._finish(planned, outcome)

    async def arun(self) -> None:
        """The same for a caller with a loop: async functions run on it."""
        from .tools.calling import call_all, call_here, side_by_side

        allowed = [p for p in self._planned if await self._adecide(p)]
        seconds = self._session.config.tool_timeout
        beside = [p for p in allowed if side_by_side(p)]
        for planned in allowed:
            if planned not in beside:
                self._finish(planned, call_here(planned, seconds))
                await asyncio.sleep(0)
        for planned, outcome in zip(beside, await call_all(beside, seconds), strict=True):
            self._finish(planned, outcome)

    def request(self) -> ChatRequest:
        """The next request. Raises what the limits of context and budget raise."""
        if self._planned:
            self._request = self._after_calls()
        self._check(self._request)
        self._taken, self._rejected = False, ""
        return self._request

    # Answers of a shape

    def _take_answer(self, completion: Completion) -> None:
        from .tools.asking import pretty, repair_request

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
            self._account(completion)
            self._rejected = self._text(completion)
            self._transcript.notices.append(f"{error.what} The model was asked once more.")
            self._request = self._repair(completion, repair_request(error))
        else:
            self._answer = pretty(plain)
            self.end = True

    def _text(self, completion: Completion) -> str:
        """What the model gave as its answer, as it gave it."""
        asked = self._prepared.asked
        own = [c for c in completion.tool_calls if asked and c.name == asked.function]
        return own[-1].arguments if own else completion.answer

    def _repair(self, completion: Completion, words: str) -> ChatRequest:
        from .tools.asking import ask_for

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

    # One call

    def _decide(self, planned: Planned) -> bool:
        """Whether the call runs; waits for the user where it has to."""
        asking = self._begin(planned)
        if asking is None:
            return planned.call.id not in self._results
        try:
            while (answer := asking.poll(_TICK)) is None:
                if self._stopped():
                    raise KeyboardInterrupt
        finally:
            asking.close()
        return self._decided(planned, answer)

    async def _adecide(self, planned: Planned) -> bool:
        asking = self._begin(planned)
        if asking is None:
            return planned.call.id not in self._results
        try:
            while (answer := asking.poll()) is None:
                if self._stopped():
                    raise asyncio.CancelledError
                await asyncio.sleep(_TICK / 2)
        finally:
            asking.close()
        return self._decided(planned, answer)

    def _begin(self, planned: Planned) -> Asking | None:
        """What stands before any question to the user; None: no question is needed."""
        from .tools.consent import first_word
        from .tools.loop import DENIED, as_text

        call, session = planned.call, self._session
        limit = session.config.tool_steps
        if planned.problem or len(self.steps) >= limit:
            self._last = self._last or len(self.steps) >= limit
            words = planned.problem or _NOT_RUN + _LIMIT.format(limit)
            self._tell(call, words, "not run")
            return None
        assert planned.tool is not None
        word = first_word(
            planned.tool,
            asked=self._prepared.approve,
            setting=session.config.approve,
            remembered=session.allowed.allows(self._prepared.turn.conversation, call.name),
        )
        if word == "denied":
            self._tell(call, DENIED, word)
            return None
        text = shown(as_text(planned))
        if word is not None:
            self._decisions[call.id] = word
            self._show()
            return None
        self._decisions[call.id] = "asking"
        self._show(asking={"call": call.id, "text": text})
        return Asking(self._prepared.turn.id, call.id, call.name, text, on_card=self._on_card)

    def _decided(self, planned: Planned, answer: str) -> bool:
        from .tools.loop import DENIED

        call = planned.call
        if answer == "always":
            self._session.allowed.allow(self._prepared.turn.conversation, call.name)
        if answer in ("yes", "always"):
            always = " for the conversation" if answer == "always" else ""
            self._decisions[call.id] = f"approved{always}"
            self._show()
            return True
        self._tell(call, DENIED, "denied" if answer == "no" else "nobody to ask")
        return False

    def _finish(self, planned: Planned, outcome: Outcome) -> None:
        """Put the outcome into words, which pass the gate."""
        from .tools.results import told

        assert planned.tool is not None
        call, config = planned.call, self._session.config
        if outcome.error is not None:
            text = f"Error: {outcome.problem}"
        elif planned.tool.text is not None:
            text = planned.tool.text(outcome.value)
        else:
            caps = {"rows": config.tool_rows, "tokens": config.tool_tokens}
            found = told(outcome.value, **caps)
            if not found.whole and (name := keep(outcome.value)):
                found = told(outcome.value, **caps, name=name)
            text = found.text
        self._tell(call, text, self._decisions.get(call.id, ""))

    def _tell(self, call: ToolCall, text: str, decision: str) -> None:
        self._results[call.id] = self._guards[0](text)
        self._decisions[call.id] = decision
        self._show()

    # Between the rounds

    def _after_calls(self) -> ChatRequest:
        step = self._step()
        self.steps.append(step)
        calls = tuple(p.call for p in self._planned)
        said = replace(self._said.message(), tool_calls=calls)
        results = [tool(text, id) for id, text in step.results]
        self._planned, self._results, self._decisions = [], {}, {}
        self._show()
        parameters = dict(self._request.parameters)
        if parameters.get("tool_choice") not in (None, "auto", "none"):
            parameters["tool_choice"] = "auto"  # once called, it need not be called for ever
        if self._last:
            parameters = self._without_calls(parameters)
            limit = self._session.config.tool_steps
            self._transcript.notices.append(f"The model was stopped after {limit} rounds of calls.")
        messages: tuple[Message, ...] = (*self._request.messages, said, *results)
        return replace(self._request, messages=messages, parameters=parameters)

    def _without_calls(self, parameters: dict[str, Any]) -> dict[str, Any]:
        if "tool_choice" in self._prepared.provider.dialect.rows:
            return {**parameters, "tool_choice": "none"}
        return {name: value for name, value in parameters.items() if name != "tools"}

    def _check(self, request: ChatRequest) -> None:
        """The limits once more: each round pays for all that was said before."""
        session, provider = self._session, self._prepared.provider
        check_context(request, provider.context_tokens)
        price = session.price(provider, request.model)
        if price is None:
            return
        spent = price.cost(self._usage).amount if self._usage else 0
        if budget := self._prepared.budget:
            # What is left may be nothing, and 0 would mean: no limit.
            check_budget(request, price, max(budget - float(spent), 1e-12))
        if cap := session.config.notebook_budget:
            before = notebook_cost(session, price.currency)
            check_notebook_budget(request, price, cap, before + spent)

    def _account(self, completion: Completion) -> None:
        self._usage = _sum(self._usage, completion.usage)
        self._taken = True

    @property
    def _guards(self) -> tuple[Callable[[str], str], Callable[[str], str]]:
        return guards(self._session)

    # What is shown

    def _step(self) -> Step:
        calls = tuple(p.call for p in self._planned)
        return Step(
            calls,
            tuple((c.id, self._results[c.id]) for c in calls if c.id in self._results),
            self._said.answer,
            self._said.reasoning,
            tuple((c.id, self._decisions[c.id]) for c in calls if c.id in self._decisions),
        )

    def _show(self, asking: dict[str, str] | None = None) -> None:
        self._transcript.show_steps([step.record for step in self.all_steps()], asking)
        self._refresh()


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    return one + other if one and other else one or other
