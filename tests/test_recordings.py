"""Every recorded reply, read by the package and by a second reader: they must agree.

Over a real socket, by the transport and by `ask`, `aask` and `stream` as a user calls them; and at
the decoder, cut at every byte, cut at random, cut inside characters, with comments and other line
ends mixed in. One case for each recording, in all of these forms.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter import api, errors
from deepseek_jupyter.protocol.deltas import ReasoningDelta, TextDelta
from deepseek_jupyter.protocol.stream import CompletionStream
from deepseek_jupyter.session import session as sessions
from deepseek_jupyter.transport.client import Client
from deepseek_jupyter.transport.engine import engine
from deepseek_jupyter.transport.exchange import Exchange

from .support import recordings
from .support.asking import (
    KEY,
    ONCE,
    PATIENT,
    aask,
    ask,
    assert_keyless,
    exchange_with,
    provider_at,
    session_at,
)
from .support.forms import check_all
from .support.fuzzing import FUZZING
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


class Host:
    """A scripted server, and what asks there: the transport alone, and a whole session."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = Client(PATIENT, ONCE)
        self.session = session_at(server)

    def queue(self, recording: Recording, body: bytes | None = None, **how: Any) -> None:
        """The next reply, of a server that knows nothing of those before."""
        self.server.forget()
        self.session.conversation.reset()
        sent = send(recording.body if body is None else body)
        self.server.queue(
            Reply(sent, status=recording.status, headers=recording.headers, **how),
        )


@pytest.fixture(scope="module")
def kept_host() -> Iterator[Host]:
    with Server() as server:
        host = Host(server)
        yield host
        engine().run(host.client.close())


@pytest.fixture
def host(kept_host: Host, environment, monkeypatch) -> Host:
    """The module's host, behind the functions of the package."""
    monkeypatch.setattr(sessions, "_session", kept_host.session)
    for variable in ("DEEPSEEK_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.setenv(variable, KEY)
    return kept_host


# --- by the transport --------------------------------------------------------------------------


def replayed(host: Host, recording: Recording) -> Exchange:
    """An exchange whose reply will be `recording`, its request the recorded one as we write it."""
    host.queue(recording, framing="length")
    provider = provider_at(host.server, recording.provider)
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


def over_a_socket(host: Host, recording: Recording) -> None:
    outcome = ask(replayed(host, recording), host.client)
    assert outcome.error is None
    assert seen(outcome.completion) == expected(recording)
    assert outcome.text == outcome.completion.answer
    assert outcome.reasoning == (outcome.completion.reasoning or "")
    assert not host.server.complaints


async def from_a_running_loop(host: Host, recording: Recording) -> None:
    outcome = await aask(replayed(host, recording), host.client)
    assert outcome.error is None
    assert seen(outcome.completion) == expected(recording)
    assert outcome.text == outcome.completion.answer


# --- as a user asks ----------------------------------------------------------------------------


def question(
    host: Host, recording: Recording, body: bytes | None = None, **how: Any
) -> dict[str, Any]:
    """Prompt and options of `ask` for which the reply will be `recording`."""
    host.queue(recording, body, **how)
    return {
        "prompt": "Say hello.",
        "provider": recording.provider,
        "model": (recording.request or {}).get("model", "deepseek-chat"),
        "stream": recording.kind != "json",
        "show": False,
        "history": False,
        "on_error": "return",
    }


def streamed(host: Host, recording: Recording, **how: Any) -> dict[str, Any]:
    """Prompt and options of `stream`."""
    options = question(host, recording, **how)
    del options["show"], options["stream"]
    return options


def assert_told(reply: ds.Reply, recording: Recording) -> None:
    said = expected(recording)
    if not (said.text.strip() or said.tool_calls or said.reasoning):
        assert type(reply.error).__name__ == "EmptyAnswerError"
        said = replace(said, finish_reason="error")  # the original is shared
    else:
        assert reply.error is None
    told = Expected(
        reply.text,
        reply.reasoning or "",
        [(c.id, c.name, c.arguments) for c in reply.tool_calls],
        reply.finish_reason,
        reply.model,
        reply.usage and recordings.counted(reply.usage),
    )
    assert told == said


def by_ask(host: Host, recording: Recording) -> None:
    assert_told(ds.ask(**question(host, recording)), recording)
    assert ds.last is api.get_session().last
    assert not host.server.complaints


async def by_aask(host: Host, recording: Recording) -> None:
    assert_told(await ds.aask(**question(host, recording)), recording)


def by_stream(host: Host, recording: Recording) -> None:
    found = list(ds.stream(**streamed(host, recording)))
    said = expected(recording)
    assert "".join(d.text for d in found if isinstance(d, TextDelta)) == said.text
    assert "".join(d.text for d in found if isinstance(d, ReasoningDelta)) == said.reasoning
    assert_told(ds.last, recording)


async def by_stream_one_byte_at_a_time(host: Host, recording: Recording) -> None:
    """From a running loop; the long ones would take long."""
    if len(recording.body) < (20_000 if FUZZING else 5_000):
        options = streamed(host, recording, piece=1, framing="close")
        texts = [d.text async for d in ds.stream(**options) if isinstance(d, TextDelta)]
        assert "".join(texts) == expected(recording).text
        assert_told(ds.last, recording)


def by_ask_with_comments_and_other_line_ends(host: Host, recording: Recording) -> None:
    body = disturbed(recording.body, random.Random(recording.name))
    assert_told(ds.ask(**question(host, recording, body)), recording)


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


def in_small_pieces(body: bytes) -> Iterator[bytes]:
    """Single bytes; of a long body, outside `make fuzz`, seven at a time."""
    size = 1 if FUZZING or len(body) < 5_000 else 7
    return (body[at : at + size] for at in range(0, len(body), size))


def cut_at_every_byte(host: Host, recording: Recording) -> None:
    """All cuts at once, then two-way cuts; at every byte where the stream is short enough."""
    body = recording.body
    assert_reads_alike(recording, in_small_pieces(body))
    affordable = max(5, (600_000 if FUZZING else 20_000) // len(body))
    step = max(1, len(body) // affordable)
    for at in range(0, len(body), step):
        assert_reads_alike(recording, (body[:at], body[at:]))


def cut_at_random(host: Host, recording: Recording) -> None:
    rng = random.Random(recording.name)
    for _ in range(5 if FUZZING else 2):
        cuts = sorted(rng.sample(range(len(recording.body)), k=min(40, len(recording.body))))
        ends = [*cuts, len(recording.body)]
        assert_reads_alike(
            recording, (recording.body[a:b] for a, b in zip([0, *cuts], ends, strict=True))
        )


def cut_inside_its_characters(host: Host, recording: Recording) -> None:
    body = recording.body
    inside = [i for i, byte in enumerate(body) if 0x80 <= byte < 0xC0]
    assert_reads_alike(
        recording,
        (body[a:b] for a, b in zip([0, *inside], [*inside, len(body)], strict=True)),
    )


def with_comments_and_other_line_ends(host: Host, recording: Recording) -> None:
    rng = random.Random(recording.name)
    for _ in range(3 if FUZZING else 1):
        body = disturbed(recording.body, rng)
        at = rng.randrange(len(body))
        assert_reads_alike(recording, (body[:at], body[at:]))
    assert_reads_alike(recording, in_small_pieces(body))


# --- the tests ---------------------------------------------------------------------------------

WHOLE = (over_a_socket, from_a_running_loop, by_ask, by_aask)
STREAMED = (
    *WHOLE,
    by_stream,
    by_stream_one_byte_at_a_time,
    by_ask_with_comments_and_other_line_ends,
    cut_at_every_byte,
    cut_at_random,
    cut_inside_its_characters,
    with_comments_and_other_line_ends,
)


@each(recordings.streams() + recordings.bodies())
def test_a_recording_reads_the_same_in_every_form(host, recording):
    check_all(STREAMED if recording.kind == "stream" else WHOLE, host, recording)


@pytest.mark.parametrize(
    ("stream", "body"), recordings.pairs(), ids=lambda r: r.name.removesuffix(".chunks")
)
def test_streamed_and_whole_reply_agree(host, stream, body):
    """Azure's and vercel's fixtures are other answers to the same question; shape and end agree."""
    one = ask(replayed(host, stream), host.client).completion
    other = ask(replayed(host, body), host.client).completion
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
def test_a_recorded_refusal_becomes_its_error(host, recording):
    outcome = ask(replayed(host, recording), host.client)
    assert isinstance(outcome.error, errors.APIError)
    assert_keyless(outcome.error)
    told = recording.body.decode()
    by_text = next((kind for text, kind in _CLASSES if text in told), None)
    by_status = {400: errors.BadRequestError, 401: errors.AuthenticationError}
    wanted = by_text or by_status.get(recording.status, errors.ServerError)
    assert type(outcome.error) is wanted
    assert outcome.error.status == recording.status
    assert outcome.error.url in str(outcome.error)
    reply = ds.ask(**question(host, recording))
    assert isinstance(reply.error, ds.DeepSeekError)
    assert_keyless(reply.error)
    with pytest.raises(ds.DeepSeekError) as raised:
        ds.ask(**question(host, recording) | {"on_error": "raise"})
    assert type(raised.value) is type(reply.error)
    assert raised.value.reply is ds.last
