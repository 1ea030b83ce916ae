"""`Rounds`: what follows each completion of one question.

A completion asks for calls, or gives an answer that has to fit a shape, or is the end. The calls
run with the user's consent and their results go back in the next request; an answer that does not
fit is asked for once more. Everything that was called, decided and returned is in `steps`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.conversation.turn import Step
from deepseek_jupyter.errors import SchemaMismatchError
from deepseek_jupyter.protocol.deltas import Completion
from deepseek_jupyter.protocol.messages import tool, user
from deepseek_jupyter.protocol.request import ChatRequest
from deepseek_jupyter.protocol.usage import Usage
from deepseek_jupyter.protocol.wire import WIRES

from .budget import check_context, check_spending
from .round import Round

if TYPE_CHECKING:
    from deepseek_jupyter.display.transcript import Transcript
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.tools.loop import Planned

    from .prepare import Prepared

__all__ = ["Rounds"]

_LIMIT = "not run: the limit of {} rounds of calls is reached. Answer with what you have."


class Rounds:
    """The rounds of one question. `refresh` shows the transcript, `stopped` says whether the user
    wants it to end, `on_card` whether the surface has buttons for consent.

    The life of one: `take` a completion; if it is not the `end`, run the `round` of its calls where
    there is one, send `request`, and so on.
    """

    def __init__(
        self,
        session: Session,
        prepared: Prepared,
        transcript: Transcript,
        refresh: Callable[[], object],
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
        self.round: Round | None = None  # the calls to run before `request`
        self._repaired = False
        self._last = False

    # What a completion means

    def take(self, completion: Completion) -> None:
        """Settle what `completion` asks for. Raises `SchemaMismatchError` after a failed repair."""
        prepared = self._prepared
        if prepared.tools and completion.tool_calls:
            from deepseek_jupyter.tools.loop import plan, runnable

            if runnable(completion) and not self._last:
                self._begin(
                    completion, plan(completion.tool_calls, prepared.tools, prepared.gate.reveal)
                )
                return
            self._transcript.notices.append(
                "The model still asked for calls after the last round; they were not run."
                if self._last
                else "The answer was cut inside its calls; none of them was run."
            )
        if prepared.asked is not None:
            self._take_answer(completion)
            return
        self.end = True
        if prepared.tools and not completion.tool_calls and not completion.leaked_tool_call:
            from deepseek_jupyter.tools.loop import written_call

            if name := written_call(completion.answer, prepared.tools):
                self._transcript.notices.append(
                    f"The model wrote a call of {name} as text; it was not run."
                )

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
        return (*self.steps, self.round.step) if self.round else tuple(self.steps)

    def request(self) -> ChatRequest:
        """The next request. Raises what the limits of context and budget raise."""
        if self.round is not None:
            self._request = self._after_calls(self.round)
        self._check(self._request)
        self._taken, self._rejected = False, ""
        return self._request

    # Answers of a shape

    def _take_answer(self, completion: Completion) -> None:
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

    def _begin(self, completion: Completion, planned: list[Planned]) -> None:
        limit = self._session.config.tool_steps
        self._last = len(self.steps) >= limit
        self.round = Round(
            self._session,
            self._prepared,
            completion,
            planned,
            show=self._show,
            note=self._transcript.notices.append,
            stopped=self._stopped,
            on_card=self._on_card,
            refused=_LIMIT.format(limit) if self._last else "",
        )
        self._account(completion)

    def _after_calls(self, done: Round) -> ChatRequest:
        self.steps.append(done.step)
        self.round = None
        self._show(None)
        parameters = dict(self._request.parameters)
        if parameters.get("tool_choice") not in (None, "auto", "none"):
            parameters["tool_choice"] = "auto"  # once called, it need not be called for ever
        if self._last:
            parameters = self._without_calls(parameters)
            limit = self._session.config.tool_steps
            self._transcript.notices.append(f"The model was stopped after {limit} rounds of calls.")
        messages = (*self._request.messages, *done.messages())
        return replace(self._request, messages=messages, parameters=parameters)

    def _without_calls(self, parameters: dict[str, Any]) -> dict[str, Any]:
        dialect = self._prepared.provider.dialect
        if "tool_choice" in dialect.rows and dialect.tool_choice_none:
            return {**parameters, "tool_choice": "none"}
        return {name: value for name, value in parameters.items() if name != "tools"}

    def _check(self, request: ChatRequest) -> None:
        """The limits once more: each round pays for all that was said before."""
        prepared = self._prepared
        built = WIRES[prepared.provider.wire].build(request, prepared.provider.dialect)
        check_context(built, prepared.provider.context_tokens)
        check_spending(
            self._session,
            built,
            prepared.provider,
            prepared.teaching,
            prepared.budget,
            self._usage,
        )

    def _account(self, completion: Completion) -> None:
        self._usage = _sum(self._usage, completion.usage)
        self._taken = True

    def _show(self, asking: dict[str, str] | None) -> None:
        self._transcript.show_steps([step.record for step in self.all_steps()], asking)
        self._refresh()


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    return one + other if one and other else one or other
