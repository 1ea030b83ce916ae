"""A real ``ipython`` on a pseudo-terminal: words appear as they come, dim and bold, nothing odd."""

from __future__ import annotations

import re
import sys

import pytest

from tests.support.asking import KEY
from tests.support.scripted import Reply, answer, chunk, event, pause, send, stall

pexpect = pytest.importorskip("pexpect", reason="terminals need pexpect")

OUR_STYLES = {"\x1b[2K", "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[36m"}


@pytest.fixture
def ipython(child_environment, server, tmp_path):
    environment = {
        **child_environment,
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "DEEPSEEK_BASE_URL": server.base_url(),
        "DEEPSEEK_API_KEY": KEY,
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    flags = [
        "-m",
        "IPython",
        "--simple-prompt",
        "--no-banner",
        "--colors=nocolor",
        "--no-confirm-exit",
    ]
    child = pexpect.spawn(
        sys.executable,
        flags,
        env=environment,
        encoding="utf-8",
        timeout=60,
        dimensions=(50, 200),
    )
    child.setecho(False)
    try:
        child.expect_exact("In [1]: ")
        child.sendline("%load_ext deepseek_jupyter")
        child.expect_exact("In [2]: ")
        yield child
    finally:
        child.close(force=True)


def test_an_answer_streams_in(ipython, server):
    thought = send(event(chunk({"reasoning_content": "A thought."})))
    server.queue(Reply(thought, pause(0.3), answer("The **bold** end.\x1b[31m").steps))
    ipython.sendline("%ds Why is it so?")
    ipython.expect_exact("\x1b[2mA \x1b[0m\x1b[2mthought.\x1b[0m")
    ipython.expect_exact("The \x1b[1mbold\x1b[0m end.")
    ipython.expect("deepseek-flash · [^\r\n]*")
    footer = ipython.after
    ipython.expect_exact("In [3]: ")
    said = footer + ipython.before
    assert re.sub("Out\\[2\\]: \r\x1b\\[2K", "", ipython.before).strip("\r\n \x1b[0m") == ""
    assert set(re.findall("\x1b[^mK]*[mK]", said)) <= OUR_STYLES
    assert "\x1b[31m" not in said
    assert KEY not in said


def test_control_c_keeps_the_part(ipython, server):
    server.queue(Reply(send(event(chunk({"content": "Half an answer"}))), stall()))
    ipython.sendline("%ds Go on.")
    ipython.expect_exact("Half an answer")
    ipython.sendintr()
    ipython.expect_exact("stopped")
    ipython.expect_exact("Stopped. What had arrived is kept")
    ipython.expect_exact("In [3]: ")
    assert "Traceback" not in ipython.before
    assert server.requests[0].closed.wait(60)
    ipython.sendline("import deepseek_jupyter as ds; print(len(ds.last.text))")
    ipython.expect_exact("14")
