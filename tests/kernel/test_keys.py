"""The key is typed hidden, kept for its owner alone, and told to nobody (see `assert_silent`)."""

from __future__ import annotations

import stat

import pytest

from tests.support.asking import KEY
from tests.support.scripted import Reply, chunk, error, event, send

TYPED = "sk-TYPED0INTO0A0HIDDEN0PROMPT"


@pytest.fixture
def keyless(kernel):
    """The kernel without the key in its environment."""
    kernel.run("import os\n_kept = os.environ.pop('DEEPSEEK_API_KEY')")
    yield kernel
    kernel.run("os.environ['DEEPSEEK_API_KEY'] = _kept\n%deepseek login --forget")


def test_login_stores_what_is_typed_for_its_owner_alone(keyless, server, kernel_home):
    ran = keyless.run("%deepseek login", answers=[TYPED])
    assert ran.ok
    assert keyless.prompts[-1]["password"] is True
    file = kernel_home / "state" / "keys.json"
    assert TYPED in file.read_text("utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    server.queue(error(401, f"Authentication Fails, your api key {TYPED} is invalid"))
    keyless.run("%%ds --on-error return\nx")
    assert server.requests[0].headers["authorization"] == f"Bearer {TYPED}"
    keyless.run("ds.get_session().endpoints.provider()\n%config DeepSeek\n%deepseek provider")
    assert TYPED not in keyless.everything()


def test_forgetting_it(keyless, kernel_home):
    keyless.run("%deepseek login", answers=[TYPED])
    assert "gone" in keyless.run("%deepseek login --forget").bundles[0]["text/plain"]
    assert TYPED not in (kernel_home / "state" / "keys.json").read_text("utf-8")


def test_nothing_typed_changes_nothing(keyless):
    ran = keyless.run("%deepseek login", answers=[""])
    assert "nothing is changed" in ran.bundles[0]["text/plain"]


def test_where_nobody_can_answer_login_says_so(keyless):
    ran = keyless.run("%deepseek login", allow_stdin=False)
    assert ran.reply["ename"] == "UsageError"
    assert len([*ran.error, *ran.stderr.splitlines()]) == 1


def test_a_key_on_the_line_is_refused(keyless):
    ran = keyless.run("%deepseek login sk-NOT0LIKE0THIS0PLEASE")
    assert ran.reply["ename"] == "UsageError"


ECHO = f"Authentication Fails, your api key: {KEY} is invalid"
ECHOES = {
    "401": error(401, ECHO),
    "500 in a page": error(500, f"<html><body>{KEY}</body></html>"),
    "in a header": error(401, ECHO, headers={"x-request-id": KEY}),
    "a redirect": error(302, "moved", headers={"location": f"https://example.com/?k={KEY}"}),
    "in the stream": Reply(
        send(event(chunk({"content": "Half"}))), send(event({"error": {"message": ECHO}}))
    ),
    "in junk": Reply(send(f"data: {KEY}\n\n")),
    "as json": Reply(send(f'"{KEY}"'), content_type="application/json"),
}


ASKING = ("%%ds\nx", "%%ds --on-error return\nx", "%deepseek models", "%deepseek doctor")


@pytest.mark.parametrize("what", ECHOES)
def test_a_server_that_repeats_the_key_is_not_repeated(kernel, server, what):
    server.fallback, before = ECHOES[what], server.fallback
    try:
        kernel.run("ds.get_session().config.attempts = 1")
        for code in ASKING:
            kernel.run(code)
        kernel.run("import traceback\nprint(repr(ds.last), ds.last and ds.last.turn.record)")
        kernel.run("%xmode Verbose")
        kernel.run("await ds.aask('x')")
        kernel.run("1/0")
        kernel.run("%xmode Context")
    finally:
        server.fallback = before
    assert KEY not in kernel.everything()
