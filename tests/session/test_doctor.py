"""What `%deepseek doctor` says of the parts that no question would name."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.display.pages import DATA, pages
from deepseek_jupyter.home import NOWHERE, home
from deepseek_jupyter.magics.doctor import doctor
from deepseek_jupyter.session.session import Session
from tests.support.scripted import plain


@pytest.fixture
def found(session, server):
    """What is found, by subject."""

    def look() -> dict[str, tuple[str, str]]:
        server.queue(plain({"data": []}))
        return {subject: (mark, told) for mark, subject, told in doctor(session).rows}

    return look


def test_the_journal_is_told_with_its_place(found):
    mark, told = found()["journal"]
    assert mark == "ok"
    assert told.startswith(str(home() / "journal.sqlite3"))


def test_a_journal_that_cannot_be_written_is_to_be_mended(found):
    home().mkdir(parents=True)
    (home() / "journal.sqlite3").mkdir()
    mark, told = found()["journal"]
    assert mark == "FIX"
    assert told


def test_a_user_without_a_home_keeps_all_in_memory(found, session, server, monkeypatch):
    """As in a container that runs under any number: no HOME, no entry in the table of users."""

    def nobody(number: int) -> None:
        raise KeyError(number)

    for name in ("DEEPSEEK_JUPYTER_HOME", "HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert home() == NOWHERE
    rows = found()
    assert rows["state"] == (
        "FIX",
        "This user has no home directory; set DEEPSEEK_JUPYTER_HOME.",
    )
    assert rows["journal"][0] == "FIX"
    assert "set DEEPSEEK_JUPYTER_HOME" in rows["journal"][1]


def test_a_journal_that_is_off_is_said_to_be(environment, server, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_BASE_URL", server.base_url())
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-none")
    server.queue(plain({"data": []}))
    rows = doctor(Session(DeepSeek(journal=False))).rows
    assert ("note", "journal") in [row[:2] for row in rows]


def test_a_page_without_the_extension_is_told_and_one_with_it_too(found, monkeypatch):
    assert "page" not in found()  # a script has none
    monkeypatch.setenv("JPY_SESSION_NAME", "/somewhere/a.ipynb")
    assert found()["page"][0] == "note"
    targets = {}
    manager = SimpleNamespace(
        register_target=targets.__setitem__, unregister_target=lambda name, _: targets.pop(name)
    )
    closing = []
    comm = SimpleNamespace(comm_id="page", on_close=closing.append, send=lambda data: None)
    pages.register(manager)
    targets[DATA](comm, {})
    try:
        assert found()["page"][0] == "ok"
    finally:
        for close in closing:
            close({})
        pages.unregister(manager)


def test_a_state_directory_below_what_is_none_is_to_be_fixed(found, monkeypatch):
    blocked = f"{os.devnull}/state"
    monkeypatch.setenv("DEEPSEEK_JUPYTER_HOME", blocked)
    told = f"{blocked} cannot be written; set DEEPSEEK_JUPYTER_HOME."
    assert found()["state"] == ("FIX", told)
