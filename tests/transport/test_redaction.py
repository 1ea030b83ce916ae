"""A server that repeats the key, in any spelling and at any place: it shows nowhere."""

from __future__ import annotations

import json
import random
import traceback
from functools import cache

import pytest

from deepseek_jupyter.errors import DeepSeekError
from deepseek_jupyter.protocol.deltas import Notice
from deepseek_jupyter.sanitizer.text import plain as seen_in_terminal
from deepseek_jupyter.transport.client import Client
from deepseek_jupyter.transport.engine import engine
from deepseek_jupyter.transport.exchange import Exchange
from deepseek_jupyter.transport.keys import KeyFilter, Secret, travels_in_clear
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support.asking import ONCE, PATIENT, Outcome, ask, exchange_with, provider_at
from tests.support.scripted import Reply, answer, chunk, close, error, event, plain, send, whole
from tests.support.wording import DONE

KEYS = [
    "sk-MARKED0KEY0abcdef0123456789",
    "plain/key&with<odd>=chars+42",
    "ghp_MARKED.key-9876543210",
]


def _between(mark: str):
    return lambda key: mark.join((key[:7], key[7:15], key[15:]))


SPELLINGS = {
    "plain": str,
    "upper": str.upper,
    "control": _between("\x01"),
    "ansi": _between("\x1b[0m"),
    "title": _between("\x1b]0;x\x07"),
    "c1": _between("\x9b1m"),
    "zero width": _between("\u200b"),
    "percent": lambda key: "".join(f"%{ord(c):02x}" for c in key),
    "entities": lambda key: "".join(f"&#{ord(c)};" for c in key),
}
ESCAPES = {
    "json": json.dumps,
    "every character": lambda text: '"' + "".join(f"\\u{ord(c):04x}" for c in text) + '"',
    "slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "html-safe": lambda text: json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003c"),
}


@cache
def client() -> Client:
    """One for all questions: to make it costs more than they do."""
    return Client(PATIENT, ONCE)


def outcome_of(server, key: str, *replies: Reply, **request) -> Outcome:
    server.validate = False
    server.queue(*replies)
    asked = exchange_with(provider_at(server), **request)
    return ask(Exchange(asked.request, asked.provider, Secret(key)), client())


def assert_hidden(key: str, outcome: Outcome) -> None:
    texts = [outcome.text, outcome.reasoning, *map(repr, outcome.events), repr(outcome.completion)]
    texts += [outcome.completion.answer, outcome.completion.reasoning or ""]
    texts += [call.arguments for call in outcome.completion.tool_calls]
    if outcome.error is not None:
        texts += shown(outcome.error)
    for text in texts:
        for read in (text, seen_in_terminal(text), seen_in_terminal(text).replace("\u200b", "")):
            assert key.lower() not in read.lower(), read


def shown(error: BaseException) -> list[str]:
    chain, texts = [error], []
    while chain:
        one = chain.pop()
        texts += [str(one), repr(one), *map(str, vars(one).values())]
        verbose = traceback.TracebackException.from_exception(one, capture_locals=True)
        ours = [frame for frame in verbose.stack if "/deepseek_jupyter/" in frame.filename]
        texts += [str(frame.locals) for frame in ours]
        chain += [e for e in (one.__cause__, one.__context__) if e is not None]
    if isinstance(error, DeepSeekError):
        texts += [*error._render_traceback_(), str(error.record)]
    return texts


class TestErrors:
    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize("escape", ESCAPES)
    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_bodies(self, server, key, escape, spelling):
        """As a refusal, as an error at 200, as an event; JSON that is whole and that is cut."""
        said = SPELLINGS[spelling](key)
        message = ESCAPES[escape](f"The key {said} is bad")
        body = f'{{"error": {{"message": {message}, "code": "x"}}}}'
        for reply in (
            plain(body, status=400),
            plain(body, status=500),
            plain(body[:-3], status=400),
            plain(body),
            Reply(send(f"data: {body}\n\n")),
        ):
            outcome = outcome_of(server, key, reply)
            assert outcome.error is not None
            assert_hidden(key, outcome)

    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize(
        "headers",
        [
            {"x-ds-trace-id": "{}"},
            {"x-request-id": "id {} id"},
            {"cf-ray": "{}"},
            {"location": "http://{}@elsewhere.test/"},
            {"location": "https://{}.elsewhere.test/v1"},
            {"location": "//{}"},
        ],
    )
    @pytest.mark.parametrize("status", [400, 302])
    def test_headers(self, server, key, headers, status):
        told = {"x-ds-trace-id": ""} | {name: text.format(key) for name, text in headers.items()}
        assert_hidden(key, outcome_of(server, key, error(status, "No.", headers=told)))

    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize("at", [390, 397, 65536 - 30])
    def test_a_cut_leaves_no_half(self, server, key, at):
        outcome = outcome_of(server, key, error(400, "x" * at + " " + key))
        assert all(key[:12] not in text for text in shown(outcome.error))

    @pytest.mark.parametrize(
        "body", ["<html>{}", "{}", '["{}"]', '{{"error": "{}"', "[" * 300_000 + '"{}'], ids=len
    )
    @pytest.mark.parametrize("status", [200, 401])
    @pytest.mark.parametrize("key", KEYS)
    def test_listings(self, server, key, body, status):
        server.queue(plain(body.format(key), status=status, content_type="text/plain"))
        client, provider = Client(PATIENT, ONCE), provider_at(server)
        try:
            told = [repr(engine().run(client.get(provider, "models", Secret(key))))]
        except DeepSeekError as raised:
            told = shown(raised)
        engine().run(client.close())
        assert all(key not in text for text in told)

    def test_a_broken_status_line(self, server):
        def garbage(connection):
            connection.sock.sendall(f"{KEYS[0]} nonsense\r\n\r\n".encode())
            close()(connection)

        assert_hidden(KEYS[0], outcome_of(server, KEYS[0], Reply(garbage)))


class TestAnswers:
    """A hostile host has the key already; the notebook that is passed on shall not."""

    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize("spelling", list(SPELLINGS)[:1] + list(SPELLINGS)[2:7])
    @pytest.mark.parametrize("piece", [1, 3, 1000])
    def test_answer_thinking_and_calls(self, server, key, spelling, piece):
        said = f"It is {SPELLINGS[spelling](key)}, you see."
        pieces = [said[i : i + piece] for i in range(0, len(said), piece)]
        call = {"index": 0, "id": f"id-{said}", "function": {"name": said, "arguments": ""}}
        chunks = [chunk({"reasoning_content": p}) for p in pieces]
        chunks += [chunk({"content": p}) for p in pieces]
        chunks += [chunk({"tool_calls": [call]})]
        for p in pieces:
            chunks.append(chunk({"tool_calls": [{"index": 0, "function": {"arguments": p}}]}))
        chunks.append(chunk(finish=said))
        for told in chunks:
            told.update(model=f"model {said}", id=said)
        outcome = outcome_of(server, key, Reply(send(*map(event, chunks), DONE)))
        assert outcome.error is None
        assert outcome.text.startswith("It is ")
        assert outcome.text.endswith(", you see.")
        assert outcome.completion.answer.startswith("It is ")
        assert_hidden(key, outcome)

    @pytest.mark.parametrize("key", KEYS)
    def test_an_answer_in_one_piece(self, server, key):
        calls = [{"id": key, "function": {"name": key, "arguments": key}}]
        reply = whole(f"It is {key}.", f"Hm, {key}.", tool_calls=calls, finish=key)
        assert_hidden(key, outcome_of(server, key, reply, stream=False))

    def test_log_probabilities(self, server):
        tokens = [{"token": KEYS[0], "logprob": -1.0, "top_logprobs": [{"token": KEYS[0]}]}]
        told = chunk({"content": "a"})
        told["choices"][0]["logprobs"] = {"content": tokens}
        outcome = outcome_of(server, KEYS[0], Reply(send(event(told), event(chunk(finish="stop")))))
        assert outcome.completion.logprobs
        assert_hidden(KEYS[0], outcome)

    def test_every_other_text_stays_as_it_was(self, server):
        """Beginnings of the key, marks that nobody sees, joined emoji: byte for byte."""
        key = "sk-s-sk-abcabcabd-0123"
        r = random.Random(5)
        beginnings = ["s", "sk-", "sk-s", key[:-1], key[1:-1], " tests ", "\n"]
        marks = ["👩\u200d💻", "\x07", "\u200e", "\x1b[0m", " is", " sk- ", "s"]
        for _ in range(30):
            text = "".join(r.choice(beginnings) for _ in range(20))
            odd = "".join(r.choice(marks) for _ in range(20))
            for said in (f"x{text}x", f"x{odd}x"):
                filter = KeyFilter(Secret(key))
                cuts = sorted(r.sample(range(1, len(said)), 5))
                pieces = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
                assert "".join(map(filter.feed, pieces)) + filter.close() == said
        server.queue(answer(said, "tests"))
        assert outcome_of(server, key).text == said


class TestPlainHttp:
    @pytest.mark.parametrize(
        ("url", "clear"),
        [
            ("http://192.0.2.1/v1", True),
            ("HTTP://gateway.test:8000", True),
            ("http://127.0.0.1.evil.test", True),
            ("http://localhost.evil.test", True),
            ("http://[2001:db8::1]/v1", True),
            ("https://192.0.2.1/v1", False),
            ("http://127.0.0.1:8000/v1", False),
            ("http://[::1]:8000", False),
            ("http://localhost/v1", False),
            ("no url", False),
            ("http://[::1", False),
        ],
    )
    def test_what_counts(self, url, clear):
        assert travels_in_clear(url) is clear

    @pytest.mark.parametrize(("key", "said"), [(KEYS[0], True), ("", False)])
    def test_it_is_said_before_anything_is_sent(self, monkeypatch, key, said):
        """Resolved by a proxy of ours, which refuses: the network is not asked."""
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        far = PROVIDERS["deepseek"].derive(base_url="http://gateway.test/v1")
        outcome = ask(Exchange(exchange_with(far).request, far, Secret(key)), Client(PATIENT, ONCE))
        notices = [e for e in outcome.events if isinstance(e, Notice)]
        assert [n.once for n in notices] == [True] * said
        assert all("gateway.test" in n.text and "unencrypted" in n.text for n in notices)
