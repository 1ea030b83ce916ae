"""`Runner`: requests in, answers out. It knows nothing of frames.

* Two requests with one key are asked once. What the journal keeps is not asked again.
* The first request is sent alone, so that the provider's cache has what all have in common.
* Workers take from one bounded queue, as many as the `AdaptiveLimit` allows: a million requests
  take the memory of a few hundred.
* Before a request leaves its worst case is reserved. One whose fate is not known (the connection
  broke, or it was stopped) stays charged as reserved.
* A worker goes on once its answer is in the journal, so that a killed process has lost no more than
  what was in flight.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from deepseek_jupyter import errors
from deepseek_jupyter.conversation.answers import KeptAnswer
from deepseek_jupyter.errors import DeepSeekError
from deepseek_jupyter.protocol.usage import Price, Usage

from .limits import START, AdaptiveLimit, Cap

if TYPE_CHECKING:
    from deepseek_jupyter.asking.prepare import Prepared
    from deepseek_jupyter.protocol.deltas import Completion
    from deepseek_jupyter.protocol.request import Built, ChatRequest
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.transport.exchange import Exchange

_AHEAD = 128  # requests that are ready and wait for a worker
_AT_ONCE = 32  # requests that are made ready at a time
_GATHERED = 0.004  # seconds in which answers are gathered to be written together
_MOST_REFUSALS = 30  # of one request by the server's limit
_LAST_ERRORS = 3
_FEWEST = 20  # requests, before their share of errors says something

# How many requests an account may have at once (api-docs.deepseek.com/quick_start/rate_limit).
_CEILINGS = {"flash": 2_500, "pro": 500}
_CEILING = 64

# What holds for every other request too.
_FATAL = (
    errors.AuthenticationError,
    errors.InsufficientBalanceError,
    errors.PermissionDeniedError,
    errors.EndpointError,
    errors.ModelNotFoundError,
    errors.ConfigurationError,
)


@dataclass(slots=True)
class JobRequest:
    """A request of a job; `key` is equal for equal ones. `error`: it cannot be sent."""

    place: int
    key: str
    request: ChatRequest | None = None
    built: Built | None = None
    known: Mapping[str, str] = field(default_factory=dict)
    worst: Decimal = Decimal()
    refusals: int = 0
    error: DeepSeekError | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the request at `place`: an answer and its value, or an error."""

    place: int
    answer: KeptAnswer | None = None
    value: Any = None
    error: str = ""


@dataclass(slots=True)
class Tally:
    """What a job has done so far; written on the engine's thread, read anywhere."""

    done: int = 0
    asked: int = 0
    kept: int = 0
    failed: int = 0
    tries: int = 0  # requests sent, answered or not
    refused: int = 0
    in_flight: int = 0
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0  # of all answers, each from its sending
    last_errors: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_ERRORS))


Read = Callable[[JobRequest, KeptAnswer], Any]

_limits: WeakKeyDictionary[Any, dict[str, AdaptiveLimit]] = WeakKeyDictionary()
_in_memory: WeakKeyDictionary[Any, dict[str, KeptAnswer]] = WeakKeyDictionary()


class Runner:
    """One job. `results` is for `Engine.drain`; after it `stopped` says why it ended early."""

    def __init__(
        self,
        session: Session,
        prepared: Prepared,
        requests: Iterator[JobRequest],
        read: Read,
        *,
        cap: Cap,
        concurrency: int | None = None,
        replay: str = "auto",
        max_errors: float = 0.05,
        whole: bool = False,
    ) -> None:
        """`read` makes a value of an answer, or raises `InvalidResponseError`; with `whole` every
        result has its answer, not only its value.
        """
        from deepseek_jupyter.transport.client import Client, Timeouts
        from deepseek_jupyter.transport.failures import RetryPolicy

        config = session.config
        waits = (config.connect_timeout, config.first_timeout, config.idle_timeout)
        self._client = Client(Timeouts(*waits), RetryPolicy(1), 1_000_000)
        self._retry = RetryPolicy(config.attempts)
        self._session, self._prepared, self._read = session, prepared, read
        self._requests, self._replay, self._max_errors = requests, replay, max_errors
        self._whole = whole
        self.cap, self.tally, self.stopped = cap, Tally(), ""
        self.out: deque[int] = deque(maxlen=1_000)  # tokens of the last answers
        self.price = session.price(prepared.provider, prepared.request.model)
        self.error: DeepSeekError | None = None
        self.limit = limit_of(session, prepared, concurrency)
        self._dialect = prepared.provider.dialect
        self._results: asyncio.Queue[list[Result] | None] = asyncio.Queue()
        self._ready: asyncio.Queue[JobRequest | None] = asyncio.Queue(_AHEAD)
        self._again: deque[JobRequest] = deque()  # refused by the server's limit
        self._same: dict[str, list[JobRequest]] = {}  # by key, behind one that is on its way
        self._known: dict[str, Result] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._fresh: list[KeptAnswer] = []
        self._written: asyncio.Task[None] | None = None
        self._prices: dict[tuple[str, int], Price | None] = {}
        conversation = session.conversation
        self._journal, self._notebook = conversation.journal, conversation.notebook or ""
        self._memory = _in_memory.setdefault(session, {})

    async def results(self) -> AsyncGenerator[list[Result]]:
        """The results as they come, in any order."""
        main = asyncio.create_task(self._run())
        main.add_done_callback(lambda _: self._results.put_nowait(None))
        try:
            while (batch := await self._results.get()) is not None:
                yield batch
            await main
        finally:
            main.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await main
            await self._client.close()

    async def _run(self) -> None:
        feeding = asyncio.create_task(self._feed())
        try:
            self._grow(1)  # alone: what all have in common is in the provider's cache afterwards
            while self._workers or self._unfinished(feeding):
                if not self._workers:
                    self._grow(1)
                done, _ = await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
                self._workers -= done
                for worker in done:
                    worker.result()
            if feeding.done():
                feeding.result()
        finally:
            feeding.cancel()
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(feeding, *self._workers, return_exceptions=True)
            if self._written is not None:
                await self._written
            self._write(self._fresh, full=True)

    def _unfinished(self, feeding: asyncio.Task[None]) -> bool:
        """Whether there are requests without a worker: the limit may have sent all of them home."""
        waiting = self._again or not feeding.done() or self._ready.qsize() > 1
        return bool(waiting) and not self.stopped

    # Requests that are ready

    async def _feed(self) -> None:
        """Make requests ready, a few ahead; None at the end."""
        while requests := await asyncio.to_thread(lambda: list(islice(self._requests, _AT_ONCE))):
            fresh = {r.key: None for r in requests if r.error is None and r.key not in self._known}
            kept = await asyncio.to_thread(self.kept, list(fresh))
            for request in requests:
                if request.error is not None:
                    self._fail(request, request.error)
                elif request.key in self._same:
                    self._same[request.key].append(request)
                elif (known := self._known.get(request.key)) is not None:
                    self._give(request, known, kept=True)
                elif not self._serve(request, kept.get(request.key)):
                    self._same[request.key] = []
                    await self._ready.put(request)
            await asyncio.sleep(0)
        await self._ready.put(None)

    def kept(self, keys: list[str]) -> Mapping[str, KeptAnswer]:
        """What is kept of requests with these keys."""
        if self._replay == "never":
            return {}
        kept = {key: self._memory[key] for key in keys if key in self._memory}
        return {**(self._journal.answers(keys) if self._journal else {}), **kept}

    def _serve(self, request: JobRequest, kept: KeptAnswer | None) -> bool:
        """Answer a request from what is kept; whether that was possible, or asking is not."""
        if kept is not None:
            with suppress(errors.InvalidResponseError):  # the type has changed since
                self._remember(request, kept, self._read(request, kept), kept=True)
                return True
        if self._replay == "always":
            self._fail(request, errors.ReplayError("This row has no kept answer."))
            return True
        return False

    # Workers

    def _grow(self, most: int) -> None:
        """Begin workers, up to `most` of this job, as far as the limit has room."""
        while len(self._workers) < most and (
            self.limit.inside < self.limit.now or not self._workers
        ):
            self.limit.inside += 1
            worker = asyncio.create_task(self._work())
            worker.add_done_callback(lambda _: self._leave())
            self._workers.add(worker)

    def _leave(self) -> None:
        self.limit.inside -= 1

    async def _work(self) -> None:
        while self.limit.inside <= self.limit.now or len(self._workers) == 1:
            request = self._again.popleft() if self._again else await self._ready.get()
            if request is None or self.stopped:
                self._end()  # for the other workers
                return
            if await self._reserved(request):
                await self._ask(request)
            if not self.stopped and (self._again or not self._ready.empty()):
                self._grow(1_000_000)

    def _end(self) -> None:
        """Let a worker that waits for a request look again; one that goes tells the next."""
        with suppress(asyncio.QueueFull):
            self._ready.put_nowait(None)

    async def _reserved(self, request: JobRequest) -> bool:
        """Reserve the worst case of a request; what others get back is waited for."""
        while not self.stopped:
            if self.cap.reserve(request.worst):
                return True
            if not self.cap.reserved:
                self._stop_at_cap()
                return False
            self._settled.clear()
            await self._settled.wait()
        return False

    def _stop_at_cap(self) -> None:
        """Nothing is in flight, and the next request might still pass the cap."""
        if self.cap.tokens is not None and self.cap.used >= self.cap.tokens:
            self._stop("The tokens that a policy file allows are used up.")
        else:
            self._stop(f"The next request might pass the cap of {self.cap.most:f}.")

    async def _ask(self, request: JobRequest) -> None:
        """Send a request until it is answered or given up; its worst case is reserved."""
        attempt = 0
        while True:
            attempt += 1
            error = await self._try(request)
            if error is None:
                return
            if isinstance(error, errors.RateLimitError):
                attempt -= 1
                request.refusals += 1
                if request.refusals <= _MOST_REFUSALS:
                    await asyncio.sleep(
                        random.uniform(0.5, 1) * min(2.0, 0.05 * 2**request.refusals)
                    )
                    if self.limit.inside > self.limit.now and len(self._workers) > 1:
                        self._again.append(request)
                        return
                    if await self._reserved(request):
                        continue
                    return
            asked = getattr(error, "retry_after", None)
            delay = self._retry.delay(error, attempt, random.random(), asked)
            if delay is None or isinstance(error, errors.RateLimitError):
                self._fail(request, error)
                return
            await asyncio.sleep(delay)
            if not await self._reserved(request):
                return

    async def _try(self, request: JobRequest) -> DeepSeekError | None:
        """Send a request once, and keep what came of it; the error that is in the way."""
        from deepseek_jupyter.transport.exchange import Exchange
        from deepseek_jupyter.transport.failures import concurrency_limit

        prepared, tally, began = self._prepared, self.tally, time.monotonic()
        assert request.request is not None
        provider, built = prepared.provider, request.built
        if self._dialect is not provider.dialect:
            provider, built = replace(provider, dialect=self._dialect), None
        exchange = Exchange(request.request, provider, prepared.key, built)
        tally.in_flight += 1
        tally.tries += 1
        problem: DeepSeekError | None = None
        try:
            async for _ in self._client.stream(exchange):
                pass
        except DeepSeekError as error:
            problem = error
        except BaseException:  # stopped: nobody knows what the server made of it
            self._charge(request, exchange, whole=False)
            raise
        finally:
            tally.in_flight -= 1
        if isinstance(problem, errors.RateLimitError):
            tally.refused += 1
            self.limit.refuse(time.monotonic(), concurrency_limit(problem.what))
        if problem is not None:
            free = isinstance(problem, errors.APIError) or _never_sent(problem)
            if free and not exchange.completion.usage:
                self._settle(request, Decimal(), 0)
            else:
                self._charge(request, exchange, whole=False)
            if isinstance(problem, _FATAL):
                self.error = problem
                self._stop(problem.what)
            return problem
        self.limit.relax()
        self._dialect = exchange.dialect  # the host may have taught another one
        tally.seconds += time.monotonic() - began
        await self._take(request, exchange)
        return None

    async def _take(self, request: JobRequest, exchange: Exchange) -> None:
        """Keep an answer that came, and give it; one of no use is paid for all the same."""
        completion = exchange.completion
        draft = KeptAnswer(request.key, _text_of(completion), completion.reasoning or "")
        value, problem = None, _problem_of(completion, draft)
        if problem is None:
            try:
                value = self._read(request, draft)
            except errors.InvalidResponseError as error:
                problem = error
        answer = self._charge(request, exchange, whole=problem is None)
        await self._write_soon()
        if problem is not None:
            self._fail(request, problem)
        else:
            self._remember(request, answer, value)

    # What comes of them

    def _remember(
        self, request: JobRequest, answer: KeptAnswer, value: Any, *, kept: bool = False
    ) -> None:
        """Give an answer, and remember as much of it as an equal request needs."""
        self._give(request, Result(request.place, answer, value), kept=kept)
        short = answer if self._whole or request.known else None
        self._known[request.key] = Result(request.place, short, value)

    def _give(self, request: JobRequest, result: Result, *, kept: bool = False) -> None:
        """Give the result of a request to it and to all that are equal to it."""
        places = [request, *self._same.pop(request.key, ())]
        self.tally.done += len(places)
        self.tally.kept += len(places) if kept else len(places) - 1
        self.tally.asked += not kept
        given = []
        for one in places:
            value = result.value
            if one.known and result.answer is not None and one.place != result.place:
                value = self._read(one, result.answer)  # with the row's own originals
            given.append(Result(one.place, result.answer, value, result.error))
        self._results.put_nowait(given)

    def _fail(self, request: JobRequest, error: DeepSeekError) -> None:
        tally = self.tally
        said = str(error).partition("\n")[0]
        tally.failed += 1
        tally.last_errors.append(said)
        self._give(request, Result(request.place, error=said))
        if tally.asked >= _FEWEST and tally.failed > self._max_errors * tally.asked:
            self._stop(f"{tally.failed:,} of {tally.asked:,} requests failed, the last: {said}")

    def _stop(self, why: str) -> None:
        self.stopped = self.stopped or why
        self._settled.set()
        self._end()

    # Money and the journal

    def _price(self, model: str) -> Price | None:
        """The price now; it changes with the hour, not from row to row."""
        at = (model, int(time.time() // 60))
        if at not in self._prices:
            asked = self._prepared.request.model
            self._prices[at] = self._session.price(self._prepared.provider, model, asked)
        return self._prices[at]

    def _charge(self, request: JobRequest, exchange: Exchange, *, whole: bool) -> KeptAnswer:
        """Settle a request that was billed, or may have been, and keep what came of it."""
        completion = exchange.completion
        usage, model = completion.usage, completion.model or self._prepared.request.model
        price = self._price(model)
        cost = None if price is None else request.worst
        if usage is not None and (usage.cost is not None or price is not None):
            blank = request.worst / 2 if exchange.insisted else 0  # an answer of blanks before it
            own = price.cost(usage).amount if price is not None else Decimal()
            cost = (own if usage.cost is None else usage.cost) + blank
        used = replace(usage or Usage(), cost=None)
        self._settle(request, cost or Decimal(), used.total_tokens)
        self.tally.usage = self.tally.usage + used
        if whole:
            self.out.append(used.completion_tokens)
        currency = price.currency if price is not None else "USD" if cost is not None else ""
        answer = KeptAnswer(
            request.key, _text_of(completion), completion.reasoning or "",
            f"{self._prepared.provider.name}:{model}", used, cost, currency, whole,
        )  # fmt: skip
        self._fresh.append(answer)
        return answer

    def _settle(self, request: JobRequest, cost: Decimal, tokens: int) -> None:
        self.cap.settle(request.worst, cost, tokens)
        self._settled.set()

    async def _write_soon(self) -> None:
        """Wait until the journal has what was charged so far, together with others."""
        while self._written is not None and not self._written.done():
            await asyncio.shield(self._written)
            if not self._fresh:
                return
        if self._fresh:
            self._written = asyncio.create_task(self._write_fresh())
            await asyncio.shield(self._written)

    async def _write_fresh(self) -> None:
        await asyncio.sleep(_GATHERED)
        answers, self._fresh = self._fresh, []
        await asyncio.to_thread(self._write, answers)

    def _write(self, answers: list[KeptAnswer], *, full: bool = False) -> None:
        jobs = self._session.jobs
        for answer in answers:
            total = answer.total
            jobs[total.key] = jobs[total.key] + total if total.key in jobs else total
        if self._journal is not None and (answers or full):
            self._journal.add_answers(self._notebook, answers, full=full)
        if self._journal is None or self._journal.in_memory:
            self._memory.update((answer.key, answer) for answer in answers if answer.whole)


def limit_of(session: Session, prepared: Prepared, concurrency: int | None = None) -> AdaptiveLimit:
    """The limit that the session's jobs at one provider share; a new one for a fixed number."""
    if concurrency is not None:
        return AdaptiveLimit(concurrency, concurrency)
    limits = _limits.setdefault(session, {})
    name, model = prepared.provider.name, prepared.request.model
    known = next((n for word, n in _CEILINGS.items() if word in model.casefold()), _CEILING)
    ceiling = 1 if name == "local" else known  # the embedded server has one slot
    start = max(START, session.config.concurrency)
    return limits.setdefault(f"{name} {model}", AdaptiveLimit(start, ceiling))


def _text_of(completion: Completion) -> str:
    """The answer, which may be the arguments of the function that it is asked for as."""
    calls = completion.tool_calls
    return (calls[-1].arguments if calls else completion.answer) or ""


def _problem_of(completion: Completion, kept: KeptAnswer) -> DeepSeekError | None:
    if completion.finish_reason == "length":
        return errors.TruncatedError("The answer was cut at max_tokens.")
    if completion.finish_reason == "content_filter":
        return errors.ContentRiskError("The provider's content filter cut the answer.")
    if not kept.text.strip():
        return errors.EmptyAnswerError("The model returned no answer text.")
    return None


def _never_sent(error: DeepSeekError) -> bool:
    """Whether no connection was made, so that nothing can have been billed."""
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError")
