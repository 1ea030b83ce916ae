"""`Session`: everything this kernel holds, and the one place where the parts meet.

The way of a question: `prepare` settles everything and refuses what is wrong before anything is
sent; a `Run` carries it through the wire and onto a surface; its `Reply` and turn are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.asking.prepare import Placed, place, prepare
from deepseek_jupyter.asking.prompt_cache import Prefix
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.asking.replay import deltas_of, replayed
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.asking.run import Run
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.restore import notebook_path
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.display.live import Surface, surface
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.usage import Price, price_of
from deepseek_jupyter.tools.consent import Memory as Allowed

from . import standing
from .completing import Completing
from .endpoint import Endpoints
from .memory import Memory
from .tokenizer import use_exact_tokens
from .withholding import Withholding

if TYPE_CHECKING:
    from deepseek_jupyter.asking.preview import Preview
    from deepseek_jupyter.privacy.policy_file import PolicyFiles
    from deepseek_jupyter.privacy.redaction import Gate
    from deepseek_jupyter.protocol.deltas import Delta, Event
    from deepseek_jupyter.transport.providers import Provider

    from .config import DeepSeek

__all__ = ["Question", "Session"]

_TICK = 0.1  # seconds
Watcher = Callable[[str, Mapping[str, Any]], None]


class Session:
    """One per kernel; `deepseek_jupyter.get_session()` is the running one."""

    def __init__(self, config: DeepSeek) -> None:
        self.config = config
        self.memory = Memory(
            persistent=config.journal,
            namespace=user_namespace(),
            keep_days=config.keep_days,
            megabytes=config.journal_megabytes,
        )
        self.last: Reply | None = None
        self.spent: list[Turn] = []  # of this kernel; replayed ones cost nothing
        self.prefix: Prefix | None = None
        self.endpoints = Endpoints(config)
        use_exact_tokens(config.exact_tokens)
        self.allowed = Allowed()
        self.completing = Completing(self)
        self.watchers: list[Watcher] = []
        self._told: set[str] = set()
        self.withholding = Withholding()

    @property
    def conversation(self) -> Conversation:
        """The notebook's conversation."""
        return self.memory.conversation

    @property
    def gate(self) -> Gate:
        """What every text of the notebook's conversation passes on its way out."""
        return self.gate_of(self.conversation)

    def gate_of(self, conversation: Conversation) -> Gate:
        """The gate of a conversation; a policy file may ask for detectors of its own."""
        asked = [name for rules in self.policy_files().data for name in rules.detectors]
        detectors = frozenset({*self.config.detectors, *asked})
        return self.withholding.gate_of(conversation, detectors)

    def policy_files(self) -> PolicyFiles:
        """The policy files that hold for this notebook, read anew. Raises `PolicyError`."""
        import os

        from deepseek_jupyter.privacy.policy_file import load

        return load(notebook_path(os.environ, user_namespace()), os.environ)

    # Asking

    def ask(self, question: Question, on: Surface | None = None) -> Reply:
        """Ask and wait. Raises one of the package's errors, or `Interrupted`, with `reply` set."""
        on = on or surface(None)
        placed = self._placed(question)
        if kept := replayed(self, placed, on):
            return self._shown_again(kept)
        run = Run(self, prepare(self, placed), on)
        with run:
            while True:
                with closing(self._batches(run)) as batches:
                    for batch in batches:
                        run.take(batch)
                if not run.go_on():
                    break
        return self._kept(run, question)

    async def aask(self, question: Question, on: Surface | None = None) -> Reply:
        """The same for code with a loop of its own; cancelling it stops the answer."""
        on = on or surface(None)
        placed = await asyncio.to_thread(self._placed, question)
        if kept := replayed(self, placed, on):
            return self._shown_again(kept)
        run = Run(self, await asyncio.to_thread(prepare, self, placed), on)
        with run:
            while True:
                async with _ticking(run), aclosing(self._abatches(run)) as batches:
                    async for batch in batches:
                        run.take(batch)
                if not await run.ago_on():
                    break
        return self._kept(run, question)

    def stream(
        self, question: Question, ended: Callable[[Reply], None] = lambda _: None
    ) -> Iterator[Delta]:
        """The deltas as they come, shown nowhere; `ended` is given the reply, whole or not."""
        placed = self._placed(question)
        if kept := replayed(self, placed, surface(False)):
            ended(self._shown_again(kept))
            yield from deltas_of(kept)
            return
        run = Run(self, prepare(self, placed), surface(False), ended)
        with run:
            while True:
                with closing(self._batches(run)) as batches:
                    for batch in batches:
                        yield from run.deltas(batch)
                if not run.go_on():
                    break
        yield from run.left
        self._kept(run, question)

    async def astream(
        self, question: Question, ended: Callable[[Reply], None] = lambda _: None
    ) -> AsyncGenerator[Delta]:
        """The same for ``async for``."""
        placed = await asyncio.to_thread(self._placed, question)
        if kept := replayed(self, placed, surface(False)):
            ended(self._shown_again(kept))
            for delta in deltas_of(kept):
                yield delta
            return
        run = Run(self, await asyncio.to_thread(prepare, self, placed), surface(False), ended)
        with run:
            while True:
                async with _ticking(run), aclosing(self._abatches(run)) as batches:
                    async for batch in batches:
                        for delta in run.deltas(batch):
                            yield delta
                if not await run.ago_on():
                    break
        for delta in run.left:
            yield delta
        self._kept(run, question)

    def _batches(self, run: Run) -> Generator[list[Event] | None]:
        from deepseek_jupyter.transport.engine import engine

        client = self.endpoints.client
        return engine().drain(lambda: client.stream(run.exchange), run.stop)

    def _abatches(self, run: Run) -> AsyncGenerator[list[Event]]:
        from deepseek_jupyter.transport.engine import engine

        client = self.endpoints.client
        return engine().adrain(lambda: client.stream(run.exchange), run.stop)

    def _kept(self, run: Run, question: Question) -> Reply:
        assert run.reply is not None
        on_error = question.on_error or self.config.on_error
        if run.reply.error is not None and on_error != "return":
            raise run.reply.error
        return run.reply

    def _placed(self, question: Question) -> Placed:
        if question.dry_run:
            raise ParameterError(
                "A dry run sends nothing, so there is no answer to wait for.",
                "ds.ask(…, dry_run=True) shows what would be sent.",
            )
        return place(self, question)

    def preview(self, question: Question) -> Preview:
        """What `question` would send. Raises what asking it would raise before sending."""
        from deepseek_jupyter.asking.preview import preview

        return preview(self, question)

    # Results

    def keep(self, reply: Reply, branch: str | None = None) -> None:
        """Remember a finished turn, on the active branch or another."""
        self.last = reply
        self.spent.append(reply.turn)
        self.memory.finish_turn(reply.turn, branch)
        standing.tell(self)

    def _shown_again(self, kept: Reply) -> Reply:
        self.last = kept
        return kept

    def announce(self, event: str, record: Mapping[str, Any]) -> None:
        """Tell the `watchers` that a turn has ``begun`` or ``ended``, on the asker's thread."""
        for watcher in self.watchers:
            watcher(event, record)

    def first_time(self, sentence: str) -> bool:
        """True the first time a sentence is told in this session."""
        if sentence in self._told:
            return False
        self._told.add(sentence)
        return True

    def price(self, provider: Provider, *models: str | None) -> Price | None:
        """The price of the first of `models` that anyone knows."""
        from datetime import UTC, datetime

        from deepseek_jupyter.transport.providers import price_override

        for model in filter(None, models):
            price = price_override(self.config.prices, model) or price_of(
                provider.prices, model, datetime.now(UTC)
            )
            if price:
                return price
        return None


@asynccontextmanager
async def _ticking(run: Run) -> AsyncIterator[None]:
    """A quiet tick now and then, for the clock on the screen.

    And for Stop: ipykernel (7.4) cancels an awaiting cell from a signal handler that does not wake
    the loop, so that without other events the cell would go on until the server says something.
    """

    async def tick() -> None:
        while True:
            await asyncio.sleep(_TICK)
            run.take(None)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
