"""`Runner`: requests in, answers out. It knows nothing of frames.

* Requests with one key are asked once. What the journal keeps is not asked again.
* The first request is sent alone: what all have in common is in the provider's cache afterwards.
  Then 20, after which too many errors stop the job.
* As many are asked at once as the limit allows, from one bounded queue: constant memory.
* The worst case of a request is reserved before it leaves. One whose fate is not known (the
  connection broke, it was stopped) stays charged as reserved.
* A place is free again once the answer is in the journal: a killed process loses what was in
  flight.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from deepseek_jupyter import errors
from deepseek_jupyter.conversation.database import GroupCommit
from deepseek_jupyter.conversation.rows import KeptAnswer
from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.errors import DeepSeekError
from deepseek_jupyter.protocol.usage import Price, Usage

from .limits import NOTHING, START, AdaptiveLimit, Cap

if TYPE_CHECKING:
    from deepseek_jupyter.asking.prepare import Prepared
    from deepseek_jupyter.protocol.deltas import Completion
    from deepseek_jupyter.protocol.request import Built, ChatRequest
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.transport.exchange import Exchange

_AHEAD, _AT_ONCE = 128, 32  # requests that wait for a place; that are made ready at a time
_MOST_REFUSALS = 30  # of one request by the server's limit
_FEWEST = 20  # requests, before their share of errors says something

# Requests of an account at once (api-docs.deepseek.com/quick_start/rate_limit); the embedded
# server has one slot.
_CEILINGS, _CEILING = {"local ": 1, "flash": 2_500, "pro": 500}, 64

_FATAL = (  # they hold for every other request too
    *(errors.AuthenticationError, errors.InsufficientBalanceError, errors.PermissionDeniedError),
    *(errors.EndpointError, errors.ModelNotFoundError, errors.ConfigurationError),
)

_limits: WeakKeyDictionary[Any, dict[str, AdaptiveLimit]] = WeakKeyDictionary()
_in_memory: WeakKeyDictionary[Any, dict[str, KeptAnswer]] = WeakKeyDictionary()


@dataclass(slots=True)
class JobRequest:
    """A request of a job, with an `error` if it cannot be sent; `key` is equal for equal ones.

    `known` are the pseudonyms in it, `worst` is what it may cost, `lane` says whom it asks; `first`
    and `took` are the seconds to the first of its answer and to the end.
    """

    place: int
    key: str
    request: ChatRequest | None = None
    built: Built | None = None
    known: Mapping[str, str] = field(default_factory=dict)
    worst: Decimal = Decimal()
    refusals: int = 0
    error: DeepSeekError | None = None
    lane: int = 0
    first: float = 0.0
    took: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the request at `place`: an answer and its value, or an error."""

    place: int
    answer: KeptAnswer | None = None
    value: Any = None
    error: str = ""


@dataclass(slots=True)
class Tally:
    """What a job has done so far; `recent` are tokens and seconds of answers, kept ones too."""

    done: int = 0
    asked: int = 0
    failed: int = 0
    again: int = 0
    in_flight: int = 0
    usage: Usage = field(default_factory=Usage)
    recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=1_000))
    last_errors: deque[str] = field(default_factory=lambda: deque(maxlen=3))

    @property
    def out(self) -> list[int]:
        """The tokens of recent answers, the fewest first; [0] before the first."""
        return sorted(tokens for tokens, _ in self.recent) or [0]

    @property
    def each(self) -> float:
        """The seconds of an answer."""
        return sum(took for _, took in self.recent) / max(1, len(self.recent))


Read = Callable[[JobRequest, KeptAnswer], Any]


class Runner:
    """One job. `running` is for `Engine.drain`: it yields whenever there are new results in
    `arrived`; after it `stopped` says why the job ended early.
    """

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
        others: Sequence[tuple[Prepared, Cap]] = (),
        keep_cut: bool = False,
    ) -> None:
        """`read` makes a value of an answer, or raises `InvalidResponseError`; with `whole` each
        result has its answer, not only its value. `others` are the lanes after the first; with
        `keep_cut` an answer that is empty or was cut is an answer too.
        """
        from deepseek_jupyter.transport.client import Client, Timeouts
        from deepseek_jupyter.transport.retry import RetryPolicy

        config = session.config
        waits = (config.connect_timeout, config.first_timeout, config.idle_timeout)
        self._client = Client(Timeouts(*waits), RetryPolicy(1), 1_000_000)
        self._retry = RetryPolicy(config.attempts)
        self._session, self._read = session, read
        self._requests, self._max_errors = requests, max_errors
        self._replay = session.recordings.wanted(replay)
        self._whole, self._keep_cut = whole, keep_cut
        self.lanes = ((prepared, cap), *others)
        self._dialects = {at: one.provider.dialect for at, (one, _) in enumerate(self.lanes)}
        self.cap, self.tally, self.stopped = cap, Tally(), ""
        self.error: DeepSeekError | None = None
        self.limit = _limit_of(session, [one for one, _ in self.lanes], concurrency)
        self.arrived = deque[Result]()
        self._news: asyncio.Queue[list[None] | None] = asyncio.Queue()
        self._ready: asyncio.Queue[JobRequest | None] = asyncio.Queue(_AHEAD)
        self._same: dict[str, list[JobRequest]] = {}  # by key, behind one that is on its way
        self._known: dict[str, Result] = {}
        self._inside = set[str]()  # keys of requests that have a place within the limit
        self._left = asyncio.Event()  # one of them
        self._unread: Exception | None = None  # why further rows cannot be read
        self._settled = asyncio.Event()
        self._fresh: list[KeptAnswer] = []
        self._group_write = GroupCommit(self._write)
        conversation = session.conversation
        self._journal, self._notebook = conversation.journal, conversation.notebook or ""
        self._memory = _in_memory.setdefault(session, {})

    async def running(self) -> AsyncGenerator[list[None]]:
        """Ask, to the end."""
        main = asyncio.create_task(self._run())
        main.add_done_callback(lambda _: self._news.put_nowait(None))
        try:
            while (news := await self._news.get()) is not None:
                yield news
            await main
        finally:
            main.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await main
            await self._client.close()

    async def _run(self) -> None:
        """Ask what is ready, each request as a task, as many at once as the limit allows."""
        try:
            async with asyncio.TaskGroup() as group:
                feeding = group.create_task(self._feed())
                while not self.stopped and (request := await self._ready.get()) is not None:
                    await self._enter(request.key)
                    task = group.create_task(self._ask(request))
                    task.add_done_callback(partial(self._leave, request.key))
                feeding.cancel()
        except ExceptionGroup as several:
            raise several.exceptions[0] from None
        finally:
            await self._group_write()
            if self._journal is not None:
                self._journal.sync()
        if self._unread is not None:
            raise self._unread

    # Requests that are ready

    async def _feed(self) -> None:
        """Make requests ready, a few ahead; None at the end, also where the rows cannot be read:
        what is on its way is paid for, and ends first.
        """
        try:
            while requests := await asyncio.to_thread(lambda: [*islice(self._requests, _AT_ONCE)]):
                await self._make_ready(requests)
        except Exception as error:
            self._unread = error
        await self._ready.put(None)

    async def _make_ready(self, requests: Sequence[JobRequest]) -> None:
        fresh = {r.key for r in requests if r.error is None and r.key not in self._known}
        kept = await asyncio.to_thread(self.kept, list(fresh))
        for request in requests:
            if request.error is not None:
                self._fail(request, request.error)
            elif request.key in self._same:
                self._same[request.key].append(request)
            elif (known := self._known.get(request.key)) is not None:
                self._give(request, known, asked=False)
            elif not self._serve(request, kept.get(request.key)):
                self._same[request.key] = []
                await self._ready.put(request)

    def kept(self, keys: list[str]) -> Mapping[str, KeptAnswer]:
        """What is kept of requests with these keys."""
        if self._replay == "never":
            return {}
        kept = {key: self._memory[key] for key in keys if key in self._memory}
        own = self._journal.answers(keys) if self._journal else {}
        return {**self._session.recordings.rows(keys), **own, **kept}

    def _serve(self, request: JobRequest, kept: KeptAnswer | None) -> bool:
        """Answer a request from what is kept; False where it is to be asked."""
        if kept is not None:
            with suppress(errors.InvalidResponseError):  # the type has changed since
                self._remember(request, kept, self._read(request, kept), asked=False)
                self.tally.recent.append((kept.usage.completion_tokens, kept.times[1]))
                return True
        if self._replay == "always":
            self._fail(request, errors.ReplayError("This row has no kept answer."))
        return self._replay == "always"

    # Asking

    async def _enter(self, key: str) -> None:
        """Wait for a place: as many as the limit says, one in any case; one until the first request
        is answered, and few until the share of errors says something.
        """
        limit = self.limit
        while self._inside and (limit.inside >= limit.now or len(self._inside) >= self._room):
            self._left.clear()
            await self._left.wait()
        self._inside.add(key)
        limit.inside += 1

    @property
    def _room(self) -> float:
        asked = self.tally.asked
        return inf if asked >= _FEWEST else _FEWEST if asked else 1

    def _leave(self, key: str, _: object = None) -> None:
        if key in self._inside:
            self._inside.remove(key)
            self.limit.inside -= 1
            self._left.set()

    def _stop(self, why: str) -> None:
        self.stopped = self.stopped or why
        self._settled.set()
        with suppress(asyncio.QueueFull):
            self._ready.put_nowait(None)  # `_run` may wait for a request

    async def _reserved(self, request: JobRequest) -> bool:
        """Reserve the worst case of a request; what others may give back is waited for."""
        cap = self.lanes[request.lane][1]
        while not self.stopped:
            if cap.reserve(request.worst):
                return True
            if not cap.reserved:
                price = self.price(lane=request.lane)
                self._stop(cap.reason(request.worst, price.currency if price else "USD"))
                break
            self._settled.clear()
            await self._settled.wait()
        return False

    async def _ask(self, request: JobRequest) -> None:
        """Send a request until it is answered or given up."""
        attempt = 1
        while await self._reserved(request):
            error = await self._try(request)
            if error is None:
                return
            told = getattr(error, "retry_after", None)
            wait = self._retry.delay(error, attempt, random.random(), told)
            limited = isinstance(error, errors.RateLimitError) and request.refusals < _MOST_REFUSALS
            if limited and (told or 0) <= self._retry.patience:
                request.refusals += 1
                wait = min(2.0, 0.05 * 2**request.refusals) * random.uniform(0.5, 1)
                wait = max(wait, told or 0)
            elif wait is None:
                self._fail(request, error)
                return
            else:
                attempt += 1
            self.tally.again += 1
            await asyncio.sleep(wait)
            if self.limit.inside > self.limit.now:
                self._leave(request.key)
                await self._enter(request.key)

    async def _try(self, request: JobRequest) -> DeepSeekError | None:
        """Send a request once, and keep what came of it; the error that is in the way."""
        from deepseek_jupyter.transport.exchange import Exchange
        from deepseek_jupyter.transport.failures import concurrency_limit

        prepared, tally, began = self.lanes[request.lane][0], self.tally, _now()
        provider, built = prepared.provider, request.built
        if (dialect := self._dialects[request.lane]) is not provider.dialect:  # taught by the host
            provider, built = replace(provider, dialect=dialect), None
        assert request.request is not None
        exchange = Exchange(request.request, provider, prepared.key, built)
        tally.in_flight += 1
        try:
            await self.send(request, exchange)
        except DeepSeekError as error:
            if isinstance(error, errors.RateLimitError):
                self.limit.refuse(_now(), concurrency_limit(error.what))
            refused = isinstance(error, errors.APIError) or never_sent(error)
            if refused and not exchange.completion.usage:
                self._settle(request, Decimal(), 0)
            else:
                self._charge(request, exchange, whole=False)
            if isinstance(error, _FATAL):
                self.error = error
                self._stop(error.what)
            return error
        except BaseException:  # stopped: nobody knows what the server made of it
            self._charge(request, exchange, whole=False)
            raise
        finally:
            tally.in_flight -= 1
        self.limit.relax()
        self._dialects[request.lane] = exchange.dialect
        request.took = _now() - began
        await self._take(request, exchange)
        return None

    async def send(self, request: JobRequest, exchange: Exchange) -> None:
        """Send a request once; `exchange` has what came of it. Raises `DeepSeekError`."""
        began, request.first = _now(), 0.0
        async for _ in self._client.stream(exchange):
            if not request.first and exchange.has_output:
                request.first = _now() - began

    async def _take(self, request: JobRequest, exchange: Exchange) -> None:
        """Keep an answer that came, and give it; one of no use is paid for all the same."""
        value, problem = None, None if self._keep_cut else _problem_of(exchange.completion)
        if problem is None:
            try:
                draft = KeptAnswer(request.key, _text_of(exchange.completion))
                value = self._read(request, draft)
            except errors.InvalidResponseError as error:
                problem = error
        answer = self._charge(request, exchange, whole=problem is None)
        await self._group_write()
        if problem is not None:
            self._fail(request, problem)
        else:
            self._remember(request, answer, value)

    # What comes of them

    def _remember(
        self, request: JobRequest, answer: KeptAnswer, value: Any, *, asked: bool = True
    ) -> None:
        """Give an answer, and remember as much of it as an equal request needs."""
        self._give(request, Result(request.place, answer, value), asked=asked)
        short = answer if self._whole or request.known else None
        self._known[request.key] = Result(request.place, short, value)

    def _give(self, request: JobRequest, result: Result, *, asked: bool = True) -> None:
        """Give the result of a request to it and to all that are equal to it."""
        every = (request, *self._same.pop(request.key, ()))
        for one in every:
            value = result.value
            if one.known and result.answer is not None and one.place != result.place:
                value = self._read(one, result.answer)  # with the originals of its own
            self.arrived.append(Result(one.place, result.answer, value, result.error))
        self.tally.done += len(every)
        self.tally.asked += asked
        self._news.put_nowait([])

    def _fail(self, request: JobRequest, error: DeepSeekError) -> None:
        tally, said = self.tally, str(error).partition("\n")[0]
        tally.failed += 1
        tally.last_errors.append(said)
        self._give(request, Result(request.place, error=said))
        if tally.asked >= _FEWEST and tally.failed > self._max_errors * tally.asked:
            self._stop(f"{tally.failed:,} of {tally.asked:,} requests failed, the last: {said}")

    # Money and the journal

    def price(self, model: str | None = None, lane: int = 0) -> Price | None:
        """The price now of the model that answered, else of the one that is asked."""
        prepared = self.lanes[lane][0]
        return self._session.price(prepared.provider, model, prepared.request.model)

    def stop_error(self, done: int, rows: int) -> DeepSeekError | None:
        """Why the job ended with `done` of `rows` answered; None where it came to its end."""
        if not self.stopped or self.error is not None:
            return self.error
        if any(cap.most == NOTHING for _, cap in self.lanes):
            hint = "Run it with rows=5 first, or give budget=0.50; budget='none' goes without."
            if not self.caps:
                hint = "No price is known, so no cap can be held; budget='none' goes without."
            return errors.ConfigurationError(
                f"{rows - done:,} rows are to be asked, and there is neither a budget nor a trial "
                "of this task to take a cap from.",
                hint,
            )
        counts = f"{done:,} of {rows:,} rows"
        return errors.JobStoppedError(f"Stopped after {counts}: {self.stopped}")

    @property
    def caps(self) -> list[tuple[Cap, str]]:
        """Each cap once, with its currency, where a price is known."""
        prices = {id(cap): (cap, self.price(lane=at)) for at, (_, cap) in enumerate(self.lanes)}
        return [(cap, price.currency) for cap, price in prices.values() if price is not None]

    def _charge(self, request: JobRequest, exchange: Exchange, *, whole: bool) -> KeptAnswer:
        """Settle a request that was billed, or may have been, and keep what came of it."""
        completion, prepared = exchange.completion, self.lanes[request.lane][0]
        usage, model = completion.usage, completion.model or prepared.request.model
        if usage is not None and not usage.total_tokens and usage.cost is None:
            usage = None  # figures that are none
        price = self.price(model, request.lane)
        cost = None if price is None else request.worst
        if usage is not None and (usage.cost is not None or price is not None):
            own = price.cost(usage).amount if price is not None else Decimal()
            blank = request.worst / 2 if exchange.insisted else 0  # an answer of blanks before it
            cost = (own if usage.cost is None else usage.cost) + blank
        used = replace(usage or Usage(), cost=None)
        self._settle(request, cost or Decimal(), used.total_tokens)
        self.tally.usage = self.tally.usage + used
        if usage is not None:
            self.tally.recent.append((used.completion_tokens, request.took))
        currency = price.currency if price is not None else "USD" if cost is not None else ""
        key, name = request.key, f"{prepared.provider.name}:{model}"
        texts, end = (_text_of(completion), completion.reasoning or ""), completion.finish_reason
        times = (request.first, request.took)
        answer = KeptAnswer(key, *texts, name, used, cost, currency, whole, end or "", times)
        self._fresh.append(answer)
        return answer

    def _settle(self, request: JobRequest, cost: Decimal, tokens: int) -> None:
        self.lanes[request.lane][1].settle(request.worst, cost, tokens)
        self._settled.set()

    def _write(self) -> None:
        """Write what was charged since the last time; more may be meanwhile, on the loop."""
        answers = self._fresh[:]
        del self._fresh[: len(answers)]
        jobs = self._session.jobs
        for answer in answers:
            jobs[answer.model] = jobs.get(answer.model, Total(answer.model)) + answer.total
        if self._journal is not None and answers:
            self._journal.add_answers(self._notebook, answers)
        if self._journal is None or self._journal.in_memory:
            self._memory.update((answer.key, answer) for answer in answers if answer.whole)


_now = time.monotonic


def _limit_of(
    session: Session, lanes: Sequence[Prepared], concurrency: int | None
) -> AdaptiveLimit:
    """The limit that the session's jobs at one provider share; a new one for a fixed number.

    Several models are asked in turn, so that the narrowest of them holds for all.
    """
    if concurrency is not None:
        return AdaptiveLimit(concurrency, concurrency)
    each = {f"{one.provider.name} {one.request.model}".casefold() for one in lanes}
    ceilings = [next((n for w, n in _CEILINGS.items() if w in name), _CEILING) for name in each]
    start, ceiling = max(START, session.config.concurrency), min(*ceilings, _connections())
    fresh = AdaptiveLimit(start, ceiling)
    return _limits.setdefault(session, {}).setdefault(" ".join(sorted(each)), fresh)


def _connections() -> int:
    """How many this process may have: half of its file descriptors."""
    try:
        import resource
    except ImportError:  # Windows
        return _CEILING
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft // 2 if soft > 0 else 2_500


def _text_of(completion: Completion) -> str:
    """The answer, which may be the arguments of the function that it is asked for as."""
    calls = completion.tool_calls
    return (calls[-1].arguments if calls else completion.answer) or ""


def _problem_of(completion: Completion) -> DeepSeekError | None:
    if completion.finish_reason == "length":
        return errors.TruncatedError("The answer was cut at max_tokens.")
    if completion.finish_reason == "content_filter":
        return errors.ContentRiskError("The provider's content filter cut the answer.")
    empty = not _text_of(completion).strip()
    return errors.EmptyAnswerError("The model returned no answer text.") if empty else None


def never_sent(error: DeepSeekError) -> bool:
    """Whether no connection was made, so that nothing can have been billed."""
    if error.unsent:
        return True
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError")
