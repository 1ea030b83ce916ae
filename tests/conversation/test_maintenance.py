"""A writer that was killed is dead, whoever has its pid by now."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from deepseek_jupyter.conversation.maintenance import alive, this_process

_CHILD = """
from deepseek_jupyter.conversation.maintenance import this_process
print(this_process(), flush=True)
input()
"""

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells when a process began"
)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _CHILD]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield running
    running.kill()
    running.communicate()


def said_by(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_a_process_that_runs_is_alive(child):
    assert alive(said_by(child), 1e9)
    assert alive(this_process(), 1e9)


@linux
def test_one_that_was_killed_is_dead_before_anybody_reaped_it(child):
    owner = said_by(child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(owner, 0)


@linux
def test_another_with_the_same_pid_is_not_the_writer(child):
    host, pid, token = said_by(child).rsplit(":", 2)
    began, _, unique = token.partition(".")
    assert not alive(f"{host}:{pid}:{int(began) - 100}.{unique}", 0)


def test_a_record_of_an_earlier_version_is_known_by_its_pid(child):
    host, pid, _ = said_by(child).rsplit(":", 2)
    assert alive(f"{host}:{pid}:0123456789ab", 0)
    child.kill()
    child.wait()
    assert not alive(f"{host}:{pid}:0123456789ab", 0)
