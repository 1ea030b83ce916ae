"""Every recorded reply, read by the package and by a second reader: they must agree.

Whole, over a real socket, sync and async; and at the decoder, cut at every byte, cut at random,
cut inside characters, with comments and other line ends mixed in.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest

from deepseek_jupyter import errors
from deepseek_jupyter.protocol.stream import CompletionStream
from deepseek_jupyter.transport.client import Client
from deepseek_jupyter.transport.engine import engine
from deepseek_jupyter.transport.exchange import Exchange

from .support import recordings
from .support.asking import ONCE, QUICK, aask, ask, assert_keyless, exchange_with, provider_at
from .support.histories import from_wire
from .support.recordings import Expected, Recording, disturbed, each, expected, seen
from .support.scripted import Reply, Server, send


def test_the_recordings_are_here():
    if not recordings.present():
        if recordings.IN_CI:
            pytest.fail(recordings.WHY_MISSING)
        pytest.skip(recordings.WHY_MISSING)
    assert len(recordings.streams()) >= 100
    assert len(recordings.bodies()) >= 150
    assert len(recordings.refusals()) >= 15


# --- over a socket -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def replay_server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(QUICK, ONCE)
    yield client
    engine().run(client.close())


def replayed(server: Server, recording: Recording) -> Exchange:
    """An exchange whose reply will be `recording`, its request the recorded one as we write it."""
    server.forget()
    server.queue(
        Reply(
            send(recording.body),
            status=recording.status,
            headers=recording.headers,
            framing="length",
        )
    )
    provider = provider_at(server, recording.provider)
    stream = recording.kind != "json"
    asked = recording.request
    if asked is None or recording.kind == "error":
        return exchange_with(provider, stream=stream)
    taken = {n for n in provider.dialect.rows if asked.get(n) is not None}
    return exchange_with(
        provider,
        *map(from_wire, asked["messages"]),
        model=asked["model"],
        parameters={name: asked[name] for name in taken - {"n"}},
        stream=stream,
    )


@each(recordings.streams() + recordings.bodies())
def test_a_recording_reads_the_same_over_a_socket(replay_server, client, recording):
    outcome = ask(replayed(replay_server, recording), client)
    assert outcome.error is None
    assert seen(outcome.completion) == expected(recording)
    assert outcome.text == outcome.completion.answer
    assert outcome.reasoning == (outcome.completion.reasoning or "")
    assert not replay_server.complaints


@each(recordings.streams() + recordings.bodies())
async def test_a_recording_reads_the_same_from_a_running_loop(replay_server, client, recording):
    outcome = await aask(replayed(replay_server, recording), client)
    assert outcome.error is None
    assert seen(outcome.completion) == expected(recording)
    assert outcome.text == outcome.completion.answer


@pytest.mark.parametrize(
    ("stream", "body"), recordings.pairs(), ids=lambda r: r.name.removesuffix(".chunks")
)
def test_streamed_and_whole_reply_agree(replay_server, client, stream, body):
    """Azure's and vercel's fixtures are other answers to the same question; shape and end agree."""
    one = ask(replayed(replay_server, stream), client).completion
    other = ask(replayed(replay_server, body), client).completion
    assert one.finish_reason == other.finish_reason
    assert one.model == other.model
    assert (one.reasoning is None) == (other.reasoning is None)
    assert [c.name for c in one.tool_calls] == [c.name for c in other.tool_calls]
    assert bool(one.answer) == bool(other.answer)
    assert one.usage is not None
    assert other.usage is not None


_CLASSES = (
    ("Authentication Fails", errors.AuthenticationError),
    ("Invalid API Key", errors.AuthenticationError),
    ("supported API model names", errors.ModelNotFoundError),
    ("not a valid model ID", errors.ModelNotFoundError),
    ("exceeds the available context size", errors.ContextLengthError),
)


@each(recordings.refusals())
def test_a_recorded_refusal_becomes_its_error(replay_server, client, recording):
    outcome = ask(replayed(replay_server, recording), client)
    assert isinstance(outcome.error, errors.APIError)
    assert_keyless(outcome.error)
    told = recording.body.decode()
    by_text = next((kind for text, kind in _CLASSES if text in told), None)
    by_status = {400: errors.BadRequestError, 401: errors.AuthenticationError}
    wanted = by_text or by_status.get(recording.status, errors.ServerError)
    assert type(outcome.error) is wanted
    assert outcome.error.status == recording.status
    assert outcome.error.url in str(outcome.error)


# --- at the decoder ----------------------------------------------------------------------------


def decoded(parts: Iterable[bytes]) -> tuple[Expected, str, str]:
    """What a stream in these parts says: as a whole, and by its deltas."""
    stream = CompletionStream()
    deltas = [delta for part in parts for delta in stream.feed(part)] + stream.close()
    texts = {"TextDelta": "", "ReasoningDelta": ""}
    for delta in deltas:
        if type(delta).__name__ in texts:
            texts[type(delta).__name__] += delta.text
    return seen(stream.completion), texts["TextDelta"], texts["ReasoningDelta"]


def assert_reads_alike(recording: Recording, parts: Iterable[bytes]) -> None:
    said = expected(recording)
    assert decoded(parts) == (said, said.text, said.reasoning)


@each(recordings.streams())
def test_a_stream_cut_at_every_byte_reads_the_same(recording):
    """All cuts at once, then two-way cuts: at every byte where the stream is short."""
    body = recording.body
    assert_reads_alike(recording, (body[i : i + 1] for i in range(len(body))))
    affordable = max(20, 600_000 // len(body))
    step = max(1, len(body) // affordable)
    for at in range(0, len(body), step):
        assert_reads_alike(recording, (body[:at], body[at:]))


@each(recordings.streams())
def test_a_stream_cut_at_random_reads_the_same(recording):
    rng = random.Random(recording.name)
    for _ in range(5):
        cuts = sorted(rng.sample(range(len(recording.body)), k=min(40, len(recording.body))))
        ends = [*cuts, len(recording.body)]
        assert_reads_alike(
            recording, (recording.body[a:b] for a, b in zip([0, *cuts], ends, strict=True))
        )


@each(r for r in recordings.streams() if not r.body.isascii())
def test_a_stream_cut_inside_its_characters_reads_the_same(recording):
    body = recording.body
    inside = [i for i, byte in enumerate(body) if 0x80 <= byte < 0xC0]
    assert_reads_alike(
        recording,
        (body[a:b] for a, b in zip([0, *inside], [*inside, len(body)], strict=True)),
    )


@each(recordings.streams())
def test_a_stream_with_comments_and_other_line_ends_reads_the_same(recording):
    rng = random.Random(recording.name)
    for _ in range(3):
        body = disturbed(recording.body, rng)
        at = rng.randrange(len(body))
        assert_reads_alike(recording, (body[:at], body[at:]))
    assert_reads_alike(recording, (body[i : i + 1] for i in range(len(body))))
