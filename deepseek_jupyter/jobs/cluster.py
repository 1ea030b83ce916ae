"""The rows of a Dask frame, asked where they are: by the workers of a cluster.

The kernel has the job: what is answered, how many run at once, the cap, the errors. A worker makes
the requests of its rows, masks them, tells their hashes, and sends up to 16 at a time when it is
told to. So no text of a row comes here, and each worker's key is the one in its environment.

Dask runs a task again, unasked, when its worker is lost; that would be paid twice. So a chunk is
for one process, and another one that gets it sends nothing; what was lost the kernel gives out
again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import CancelledError
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from deepseek_jupyter import errors
from deepseek_jupyter.context.row_frame import NewColumn, RowFrame, dask_names, pandas_series
from deepseek_jupyter.context.table import is_dask
from deepseek_jupyter.conversation.rows import KeptAnswer
from deepseek_jupyter.errors import ConfigurationError, DeepSeekError, ParameterError

from .row_map import Job, further
from .row_task import ALSO, RowPrompts, RowTask
from .runner import JobRequest, Runner, never_sent
from .trial import EXACT, Census, census_of, drawn, lengths_of

if TYPE_CHECKING:
    from deepseek_jupyter.protocol.deltas import Completion
    from deepseek_jupyter.transport.exchange import Exchange
    from deepseek_jupyter.transport.providers import Provider

    from .answer_form import AnswerForm
    from .limits import Cap

_CHUNK = 16  # rows that one task sends
_SLICE = 256  # rows whose requests are made at a time
_GATHERED = 0.004  # seconds in which rows are gathered to a chunk
_WATCH, _PATIENCE = 0.5, 60.0  # seconds between looks at the workers; to wait for the first one
_ROWS = 32  # bits of a place that are the row's, below its partition's

_NO_WORKERS = ("The cluster has no workers.", "Start some, or leave where= out.")
_LOST = "A worker was lost; whether its requests were answered is not known."

Table = dict[str, tuple[KeptAnswer | None, str | None]]

# In a worker

_PROCESS = uuid4().hex


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker has to know of the job `id`; `waits` are time-outs."""

    id: str
    prompts: RowPrompts
    form: AnswerForm
    waits: tuple[float, float, float]

    def requests(self, part: Any, rows: Sequence[int]) -> Iterator[JobRequest | None]:
        """The requests of these rows of a partition; None where a value is missing."""
        source = RowFrame(part.iloc[rows])
        source.read(self.prompts.template.named)
        return (self.prompts.request(at, row) for at, row in zip(rows, source.rows(), strict=True))


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a request."""

    completion: Completion
    insisted: bool
    error: DeepSeekError | None


class _Asker:
    """A job's HTTP client in this process."""

    def __init__(self, orders: Orders) -> None:
        from deepseek_jupyter.transport.client import Client, Timeouts
        from deepseek_jupyter.transport.keys import needed_key
        from deepseek_jupyter.transport.retry import RetryPolicy

        self._provider = orders.prompts.prepared.provider
        self._key = needed_key(self._provider)
        self._client = Client(Timeouts(*orders.waits), RetryPolicy(1), 1_000_000)
        self.tasks: set[asyncio.Task[Any]] = set()

    async def ask_all(self, requests: Sequence[JobRequest]) -> list[Sent]:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            return list(await asyncio.gather(*map(self._ask, requests)))
        finally:
            self.tasks.discard(task)

    async def _ask(self, request: JobRequest) -> Sent:
        from deepseek_jupyter.transport.exchange import Exchange

        assert request.request is not None
        exchange, error = Exchange(request.request, self._provider, self._key), None
        try:
            async for _ in self._client.stream(exchange):
                pass
        except DeepSeekError as caught:
            error, caught.unsent = caught, never_sent(caught)
        self._provider = replace(self._provider, dialect=exchange.dialect)  # the host may teach one
        return Sent(exchange.completion, exchange.insisted, error)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self._client.close()


_askers: dict[str, _Asker] = {}
_ended: set[str] = set()


def greet(provider: Provider) -> str:
    """What identifies this process. Raises `MissingKeyError` where it has no key."""
    from deepseek_jupyter.transport.keys import needed_key

    needed_key(provider)
    return _PROCESS


def look(
    part: Any, orders: Orders, rows: Sequence[int], *, bodies: bool = False
) -> tuple[int, list[JobRequest]]:
    """The partition's length, and hash and worst case of the requests of some rows; their `bodies`
    for a dry run alone.
    """
    made = [one for one in orders.requests(part, rows[: max(0, len(part) - rows[0])]) if one]
    if not bodies:
        made = [replace(one, request=None, built=None) for one in made]
    return len(part), [replace(one, known={}) for one in made]


def ask(part: Any, orders: Orders, process: str, rows: Mapping[int, str]) -> list[Sent]:
    """Send rows, whose hashes are told; nothing unless this is the `process` that is meant."""
    from distributed import secede

    from deepseek_jupyter.transport.engine import engine

    if process != _PROCESS or orders.id in _ended:
        return []
    secede()  # it waits, and another chunk may begin
    asker = _askers.get(orders.id) or _askers.setdefault(orders.id, _Asker(orders))
    made = [one for one in orders.requests(part, [*rows]) if one]
    if [one.key for one in made] != [*rows.values()]:
        other = errors.DeepSeekError(
            "A partition had other rows when it was computed again.",
            "Make its plan repeatable, or persist the frame first.",
        )
        other.unsent = True
        raise other
    with suppress(CancelledError):
        return engine().run(asker.ask_all(made))
    return []


def end(job: str) -> None:
    from deepseek_jupyter.transport.engine import Stop, engine

    _ended.add(job)
    if (asker := _askers.pop(job, None)) is not None:
        engine().start(asker.close(), Stop())


def survey(part: Any, orders: Orders, draws: int, most: int) -> tuple[Census, dict[int, int]]:
    """A partition's counts, of `most` different rows the tokens; lengths of rows to draw from."""
    source = RowFrame(part)
    source.read(orders.prompts.template.named)
    lengths = lengths_of(source.rows())
    chosen = {at: lengths[at] for at in drawn(lengths, draws)}
    return census_of(source.rows(), partial(orders.requests, part), most), chosen


def answered(
    part: Any,
    orders: Orders,
    table: Table,
    also: Mapping[str, str],
    kinds: Mapping[str, Any],
    *,
    how: str,
) -> Any:
    """A partition with what `table` has for its rows' requests, originals in place of pseudonyms,
    in columns of these `kinds`; `how` is ``left`` or ``inner``. It asks nothing.
    """
    form, asked = orders.form, orders.prompts.prepared.asked
    found: dict[int, tuple[Any, ...]] = {}
    for at, request in enumerate(orders.requests(part, range(len(part)))):
        if request is None or request.key not in table:
            continue
        answer, error = table[request.key]
        values: tuple[Any, ...] = (None,) * len(form.names)
        if answer is not None:
            values = form.read(answer.text, asked, request.known)
        found[at] = (*values, *(further(name, answer, error) for name in also.values()))
    if how == "inner":
        part, found = part.iloc[[*found]], dict(enumerate(found.values()))
    blank = (None,) * (len(form.names) + len(also))
    rows = [found.get(at, blank) for at in range(len(part))]
    names = [*form.names, *also]
    new = {n: [row[i] for row in rows] for i, n in enumerate(names) if n in kinds}
    return part.assign(
        **{n: pandas_series(NewColumn(n, new[n]), part.index, kinds[n]) for n in new}
    )


# In the kernel


@dataclass(frozen=True, slots=True)
class _Part:
    """A partition: its number, the worker that sends its rows, and their columns there."""

    number: int
    owner: str
    rows: Any


@dataclass(slots=True, kw_only=True)
class _FarRequest(JobRequest):
    """A request whose text is on a worker, made of a row of `part`."""

    part: _Part


@dataclass(eq=False, slots=True)
class _Chunk:
    """Requests that one task sends, and where what came of each is waited for."""

    worker: str
    process: str
    requests: Sequence[tuple[_FarRequest, asyncio.Future[Sent]]]
    task: Any = None


class Cluster:
    """The workers, as one job uses them."""

    def __init__(self, task: RowTask) -> None:
        """Raises `ConfigurationError` where they cannot ask."""
        native, config, provider = task.source.native, task.session.config, task.prepared.provider
        self.client = _client(task.options.where)
        if not is_dask(native):
            raise ParameterError(
                f"where='cluster' takes a Dask frame, not a {type(native).__name__}.",
                "Leave where= out: the kernel reads every kind of frame.",
            )
        if provider.name == "local":
            raise ConfigurationError(
                "The embedded model answers on this machine alone.", "Name a provider."
            )
        waits = (config.connect_timeout, config.first_timeout, config.idle_timeout)
        self._orders = Orders(uuid4().hex, task.prompts.portable(), task.form, waits)
        self.frame, self._columns = native, native[dask_names(native, task.template.named)]
        self.alive: dict[str, str] = {}  # processes by worker
        self.limit: Callable[[], int] = lambda: 1
        self._waiting: list[tuple[_FarRequest, asyncio.Future[Sent]]] = []
        self._chunks: set[_Chunk] = set()
        self._collecting: set[asyncio.Task[None]] = set()
        self._gathering: asyncio.TimerHandle | None = None
        self._looking: Any = None  # a task that is waited for on another thread
        with suppress(TimeoutError):
            self.client.wait_for_workers(1, timeout=_PATIENCE)
        self.meet()
        if not self.alive:
            raise ConfigurationError(*_NO_WORKERS)
        self.orders = self.given(self._orders)

    def meet(self) -> None:
        """Look which workers there are; those that are new are asked whether they have a key."""
        there = self.client.nthreads()
        new = [one for one in there if one not in self.alive]
        provider = self._orders.prompts.prepared.provider
        host = f"//{urlsplit(provider.base_url).hostname}"
        provider = replace(provider, headers={}, base_url=host)  # the scheduler passes it on
        try:
            met = self.client.run(greet, provider, workers=new) if new else {}
        except OSError:  # gone again
            met = {}
        except DeepSeekError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"A worker cannot ask: {type(error).__name__}: {errors.shortened(str(error), 200)}",
                "Each needs this version of deepseek-jupyter, and of Python what this kernel has.",
            ) from error
        self.alive = {at: process for at, process in {**self.alive, **met}.items() if at in there}

    def given(self, value: Any) -> Any:
        """`value` on every worker. What the scheduler must not see bypasses it."""
        prompts = self._orders.prompts
        masks, provider = prompts.masks, prompts.prepared.provider
        private = masks.redactor.withheld or masks.taken or provider.headers
        direct = True if private or "@" in provider.base_url else None
        try:
            return self.client.scatter([value], direct=direct, broadcast=True, hash=False)[0]
        except (OSError, TimeoutError) as error:
            raise ConfigurationError(
                "The workers cannot be reached from here, and what the data policy keeps back must "
                "not pass the scheduler.",
                "Use a kernel in the cluster's network.",
            ) from error

    # Requests

    def requests(self, places: Sequence[int] | None = None) -> Iterator[_FarRequest]:
        """The requests of the rows at `places` (None: of all), from as many partitions by turns as
        there are workers.
        """
        chosen: dict[int, list[int]] = {}
        for place in places or ():
            chosen.setdefault(place >> _ROWS, []).append(place & (1 << _ROWS) - 1)
        numbers = deque(range(self.frame.npartitions) if places is None else chosen)
        turns = deque(self._lane(owner, numbers, chosen) for owner in self.alive)
        while turns:
            if (request := next(turns[0], None)) is None:
                turns.popleft()
            else:
                yield request
                turns.rotate(-1)

    def _lane(
        self, owner: str, numbers: deque[int], chosen: Mapping[int, list[int]]
    ) -> Iterator[_FarRequest]:
        while numbers:
            number, begin, size = numbers.popleft(), 0, 1
            part = _Part(number, owner, self.partition(number, owner))
            rows: Sequence[int] = chosen.get(number) or range(_SLICE)
            kind = partial(_FarRequest, request=self._orders.prompts.prepared.request, part=part)
            while begin < size:
                size, found = self.result(look, part.rows, rows)
                for one in found:
                    place = number << _ROWS | one.place
                    yield kind(place=place, key=one.key, worst=one.worst, error=one.error)
                begin += _SLICE if number not in chosen else size
                rows = range(begin, begin + _SLICE)

    def partition(self, number: int, owner: str) -> Any:
        """The named columns of a partition, on `owner` if it can be."""
        part = self._columns.partitions[number]
        return self.client.compute(part, workers=[owner], allow_other_workers=True)

    def result(self, work: Callable[..., Any], part: Any, *args: Any, **options: Any) -> Any:
        """What a task makes of a partition; it sends nothing, so Dask may run it again."""
        self._looking = self.client.submit(work, part, self.orders, *args, pure=False, **options)
        return self._looking.result()

    def surveys(self, draws: int) -> list[tuple[Census, dict[int, int]]]:
        from dask.delayed import delayed

        most = EXACT // self.frame.npartitions + 1
        work = [
            delayed(survey)(part, self.orders, draws, most) for part in self._columns.to_delayed()
        ]
        found: list[Any] = self.client.gather(self.client.compute(work))
        return found

    # Sending

    async def send(self, request: _FarRequest) -> Sent:
        """Have a worker send a request. Raises `DeepSeekError` where the worker was lost."""
        loop = asyncio.get_running_loop()
        came: asyncio.Future[Sent] = loop.create_future()
        self._waiting.append((request, came))
        if self._gathering is None:
            self._gathering = loop.call_later(_GATHERED, self._hand_out)
        return await came

    def _hand_out(self) -> None:
        """Give what waits to the workers, as chunks of a half of each one's share at most: one of
        them may wait for a slow answer.
        """
        self._gathering = None
        if not self.alive:
            return
        alive = [*self.alive]
        most = max(1, min(_CHUNK, self.limit() // (2 * len(alive))))
        groups = defaultdict[tuple[str, int], list[Any]](list)
        for request, came in self._waiting:
            owner, number = request.part.owner, request.part.number
            if not came.done():
                owner = owner if owner in self.alive else alive[number % len(alive)]
                groups[owner, number].append((request, came))
        self._waiting.clear()
        for (owner, _), some in groups.items():
            for begin in range(0, len(some), most):
                self._submit(owner, some[begin : begin + most])

    def _submit(self, owner: str, some: Sequence[tuple[_FarRequest, asyncio.Future[Sent]]]) -> None:
        loop, process = asyncio.get_running_loop(), self.alive.get(owner, "")
        rows = {one.place & (1 << _ROWS) - 1: one.key for one, _ in some}
        chunk = _Chunk(owner, process, some)
        self._chunks.add(chunk)
        there = {"workers": [owner], "allow_other_workers": False, "pure": False, "priority": 1}
        try:
            chunk.task = self.client.submit(
                ask, some[0][0].part.rows, self.orders, process, rows, **there
            )
        except Exception as error:  # the client was closed
            self._fail(error)
        else:
            chunk.task.add_done_callback(lambda _: loop.call_soon_threadsafe(self._over, chunk))

    def _over(self, chunk: _Chunk) -> None:
        collecting = asyncio.create_task(self._collect(chunk))
        self._collecting.add(collecting)
        collecting.add_done_callback(self._collecting.discard)

    async def _collect(self, chunk: _Chunk) -> None:
        """Pass on what came of a chunk; where nothing did, its worker was lost."""
        sent: Sequence[Sent] = ()
        error: DeepSeekError = errors.UnreachableError(_LOST)
        failed = chunk.task.status == "error" and chunk.worker in self.alive
        try:
            sent = await asyncio.to_thread(chunk.task.result)
        except DeepSeekError as cause:
            error = cause
        except Exception as cause:
            if failed and type(cause).__name__ != "KilledWorker":
                said = errors.shortened(f"{type(cause).__name__}: {cause}", 200)
                error = ConfigurationError(f"A worker failed. {said}")
        if chunk not in self._chunks:
            return
        self._chunks.discard(chunk)
        for at, (_, came) in enumerate(chunk.requests):
            if came.done():
                continue
            if sent:
                came.set_result(sent[at])
            else:
                came.set_exception(error)
        self._hand_out()

    async def watch(self) -> None:
        """Give up what lost workers had; greet new ones."""
        waited = 0.0
        while True:
            await asyncio.sleep(_WATCH)
            try:
                await asyncio.to_thread(self.meet)
                if self.orders.status in ("lost", "cancelled", "error"):
                    self.orders = await asyncio.to_thread(self.given, self._orders)
                waited = 0.0 if self.alive else waited + _WATCH
                if waited > _PATIENCE:
                    raise ConfigurationError(*_NO_WORKERS)
            except Exception as error:
                self._fail(error)
                return
            for chunk in [*self._chunks]:
                if self.alive.get(chunk.worker) != chunk.process:
                    await asyncio.to_thread(self.client.cancel, [chunk.task])
                    self._over(chunk)
            self._hand_out()

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, DeepSeekError):
            error = ConfigurationError(
                f"The cluster cannot be reached: {type(error).__name__}.",
                "Check that its scheduler runs, and the client's address.",
            )
        every = [*self._waiting, *(pair for chunk in self._chunks for pair in chunk.requests)]
        for _, came in every:
            if not came.done():
                came.set_exception(error)

    async def close(self) -> None:
        """Let the workers close their connections, whatever they wait for."""
        tasks, self._chunks = [chunk.task for chunk in self._chunks], set()
        tasks += [self._looking] if self._looking else []
        with suppress(Exception):
            await asyncio.to_thread(self.client.run, end, self._orders.id, on_error="ignore")
            await asyncio.to_thread(self.client.cancel, tasks)


def _client(where: Any) -> Any:
    """The client that `where` is, or the present one. Raises `ConfigurationError`."""
    try:
        import distributed
    except ImportError:
        raise ConfigurationError(
            "where='cluster' needs Dask's scheduler, which is not installed.",
            'Run `pip install "deepseek-jupyter[dask]"`.',
        ) from None
    if isinstance(where, distributed.Client):
        return where
    if where != "cluster":
        raise ParameterError(
            f"where={where!r} is not a place to ask from.",
            "where is 'kernel', 'cluster' or a client of Dask's.",
        )
    try:
        return distributed.default_client()
    except ValueError:
        raise ConfigurationError(
            "There is no client of a cluster.",
            "`from distributed import Client; client = Client()` starts one on this machine.",
        ) from None


def _together(counts: Sequence[Census]) -> Census:
    """The census of all partitions; a row that is in two of them is counted once as far as it was
    sampled.
    """
    measured = {key: size for one in counts for key, size in one.measured.items()}
    sampled, different = sum(c.sampled for c in counts), sum(c.different for c in counts)
    share = len(measured) / max(1, sampled)
    rows, missing = sum(c.rows for c in counts), sum(c.missing for c in counts)
    return Census(rows, round(different * share), missing, len(measured), measured)


class ClusterRunner(Runner):
    """A runner whose requests are sent by a cluster."""

    def __init__(self, cluster: Cluster, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cluster, self.problems = cluster, dict[str, str]()
        cluster.limit = lambda: self.limit.now

    async def running(self) -> AsyncGenerator[list[None]]:
        """Ask, to the end."""
        watching = asyncio.create_task(self.cluster.watch())
        try:
            async with aclosing(super().running()) as several:
                async for news in several:
                    yield news
        finally:
            watching.cancel()
            await self.cluster.close()

    async def send(self, request: JobRequest, exchange: Exchange) -> None:
        """Have a worker send a request once. Raises `DeepSeekError`."""
        assert isinstance(request, _FarRequest)
        sent = await self.cluster.send(request)
        exchange.take(sent.completion, insisted=sent.insisted)
        if sent.error is not None:
            raise sent.error

    def _fail(self, request: JobRequest, error: DeepSeekError) -> None:
        self.problems[request.key] = str(error).partition("\n")[0]
        super()._fail(request, error)

    @property
    def table(self) -> Table:
        """Answer or error by the hash of the request."""
        failed: Table = {key: (None, error) for key, error in self.problems.items()}
        return {**failed, **{key: (found.answer, None) for key, found in self._known.items()}}

    def of(self, places: Set[int]) -> Table:
        """Of the answers those at some places; rows that are equal share the first one's."""
        return {
            key: (found.answer, None) for key, found in self._known.items() if found.place in places
        }


class ClusterJob(Job):
    """A job whose rows stay on a cluster; a place is a partition's number and a row's."""

    runner: ClusterRunner

    @classmethod
    def drawn(cls, task: RowTask, count: int) -> tuple[list[int], Callable[[], Census]]:
        """Where the rows of a trial are, and what counts all; the workers look at their rows."""
        cluster = Cluster(task)
        counts, places, lengths = list[Census](), list[int](), list[int]()
        for number, (census, chosen) in enumerate(cluster.surveys(count)):
            counts.append(census)
            places += (number << _ROWS | row for row in chosen)
            lengths += chosen.values()
        return [places[at] for at in drawn(lengths, count)], partial(_together, counts)

    @classmethod
    def longest(cls, task: RowTask) -> JobRequest | None:
        (places, _), cluster = cls.drawn(task, 1), Cluster(task)
        for place in places:
            part = cluster.partition(place >> _ROWS, next(iter(cluster.alive)))
            _, found = cluster.result(look, part, [place & (1 << _ROWS) - 1], bodies=True)
            return next(iter(found), None)
        return None

    def _begin(self, cap: Cap) -> Runner:
        task, places, cluster = self._task, self._places, Cluster(self._task)
        with cluster.client.as_current():
            self._count = len(cluster.frame) if places is None else len(places)
        kind = partial(ClusterRunner, cluster)
        return task.runner(cluster.requests(places), cap, kind, whole=True)

    @property
    def rows(self) -> int:
        return self._count

    @property
    def frame(self) -> Any:
        """The Dask frame with the answers so far; it asks nothing when it is computed."""
        options = self._task.options
        return self._with(self.runner.table, {f"{options.into}_{n}": n for n in options.also})

    def errors(self) -> Any:
        """The rows that failed, with the column ``error``."""
        failed = {key: pair for key, pair in self.runner.table.items() if pair[1]}
        return self._with(failed, {"error": "error"}, "inner", answers=False)

    def picked(self, places: Sequence[int]) -> Any:
        """Rows, by place, and those that are equal to them."""
        table = self.runner.of(set(places))
        return self._with(table, {}, "inner", answers=False)

    def _with(
        self,
        table: Mapping[str, Any],
        also: Mapping[str, str],
        how: str = "",
        *,
        answers: bool = True,
    ) -> Any:
        cluster, form = self.runner.cluster, self._task.form
        rest = [(None,) * len(form.names)] * (not self.values or len(self.values) < self.rows)
        columns = zip(*self.values.values(), *rest, strict=True) if answers else ()
        new = [*map(NewColumn, form.names, columns, form.kinds)]
        told = [*table.values(), *[(None, None) for _ in rest]]
        new += [
            NewColumn(n, [further(name, *one) for one in told], ALSO[name])
            for n, name in also.items()
        ]
        series = {column.name: pandas_series(column, None) for column in new}
        meta = cluster.frame._meta.assign(**{name: one[:0] for name, one in series.items()})
        kinds = {name: one.dtype for name, one in series.items()}
        how = how or ("left" if self._places is None else "inner")
        work = partial(answered, also=dict(also), kinds=kinds, how=how)
        return cluster.frame.map_partitions(work, cluster.orders, cluster.given(table), meta=meta)
