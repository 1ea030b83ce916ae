"""`Round`: the calls of one completion, decided on, run, and put into words for the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from deepseek_jupyter.conversation.turn import Step
from deepseek_jupyter.display.consent import Asking, shown
from deepseek_jupyter.protocol.deltas import Completion
from deepseek_jupyter.protocol.messages import Message, ToolCall, tool

from .builtin import keep

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.tools.calling import Outcome
    from deepseek_jupyter.tools.loop import Planned

    from .prepare import Prepared

__all__ = ["Round"]

_TICK = 0.1  # seconds

# Shows the calls as they stand; with a call that waits for the user's word: {call, text}.
Show = Callable[[dict[str, str] | None], None]


class Round:
    """One round. `show` is called whenever something has changed, `stopped` says whether the user
    wants it to end, `on_card` whether the surface has buttons for consent; `note` tells the user
    something. With `refused` none of the calls runs, and the model is told that.
    """

    def __init__(
        self,
        session: Session,
        prepared: Prepared,
        said: Completion,
        planned: Sequence[Planned],
        *,
        show: Show,
        note: Callable[[str], object],
        stopped: Callable[[], bool],
        on_card: bool,
        refused: str = "",
    ) -> None:
        self.planned = list(planned)
        self.results: dict[str, str] = {}
        self.decisions: dict[str, str] = {}
        self._session = session
        self._prepared = prepared
        self._said = said
        self._show = show
        self._note = note
        self._stopped = stopped
        self._on_card = on_card
        self._refused = refused

    def run(self) -> None:
        """Run the calls on this thread, side by side on the engine where that is safe."""
        from deepseek_jupyter.tools.calling import call_all, call_here, side_by_side
        from deepseek_jupyter.transport.engine import engine

        allowed = [p for p in self.planned if self._decide(p)]
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
        from deepseek_jupyter.tools.calling import call_all, call_here, side_by_side

        allowed = [p for p in self.planned if await self._adecide(p)]
        seconds = self._session.config.tool_timeout
        beside = [p for p in allowed if side_by_side(p)]
        for planned in allowed:
            if planned not in beside:
                self._finish(planned, call_here(planned, seconds))
                await asyncio.sleep(0)
        for planned, outcome in zip(beside, await call_all(beside, seconds), strict=True):
            self._finish(planned, outcome)

    @property
    def step(self) -> Step:
        """The round as far as it has come."""
        calls = tuple(p.call for p in self.planned)
        return Step(
            calls,
            tuple((c.id, self.results[c.id]) for c in calls if c.id in self.results),
            self._said.answer,
            self._said.reasoning,
            tuple((c.id, self.decisions[c.id]) for c in calls if c.id in self.decisions),
        )

    def messages(self) -> list[Message]:
        """What the round adds to the request: the calls and their results."""
        step = self.step
        said = replace(self._said.message(), tool_calls=step.tool_calls)
        return [said, *(tool(text, id) for id, text in step.results)]

    # One call

    def _decide(self, planned: Planned) -> bool:
        """Whether the call runs; waits for the user where it has to."""
        asking = self._begin(planned)
        if asking is None:
            return planned.call.id not in self.results
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
            return planned.call.id not in self.results
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
        from deepseek_jupyter.tools.consent import first_word
        from deepseek_jupyter.tools.loop import DENIED, as_text

        call, session = planned.call, self._session
        if words := planned.problem or self._refused:
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
            self.decisions[call.id] = word
            self._show(None)
            return None
        self.decisions[call.id] = "asking"
        self._show({"call": call.id, "text": text})
        return Asking(self._prepared.turn.id, call.id, call.name, text, on_card=self._on_card)

    def _decided(self, planned: Planned, answer: str) -> bool:
        from deepseek_jupyter.tools.loop import DENIED

        call = planned.call
        if answer == "always":
            self._session.allowed.allow(self._prepared.turn.conversation, call.name)
        if answer in ("yes", "always"):
            always = " for the conversation" if answer == "always" else ""
            self.decisions[call.id] = f"approved{always}"
            self._show(None)
            return True
        if answer == "gone":
            self._note(f"{call.name} was denied: the page that asked was closed.")
        self._tell(call, DENIED, "denied" if answer == "no" else "nobody to ask")
        return False

    def _finish(self, planned: Planned, outcome: Outcome) -> None:
        """Put the outcome into words, which pass the gate."""
        from deepseek_jupyter.tools.results import told

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
        self._tell(call, text, self.decisions.get(call.id, ""))

    def _tell(self, call: ToolCall, text: str, decision: str) -> None:
        self.results[call.id] = self._prepared.gate.text(text)
        self.decisions[call.id] = decision
        self._show(None)
