"""``%deepseek doctor``: what could keep an answer from coming, and what to do about it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from deepseek_jupyter.display.frontend import in_jupyter
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import DeepSeekError
from deepseek_jupyter.home import NOWHERE, home
from deepseek_jupyter.nested import nested_state
from deepseek_jupyter.privacy.rules import file_in_words

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session

ALL_WELL = "Nothing to fix."

Finding = tuple[str, str, str]  # mark, subject, what was found

_GOOD, _NOTE, _BAD = "ok", "note", "FIX"


def doctor(session: Session) -> Report:
    """Every check: what is to be fixed, then the others as a question would meet them.
    Sends one request: /models.
    """
    checks = (
        _packages,
        _directory,
        _journal,
        _page,
        _endpoint,
        _hosts,
        _embedded,
        _nesting,
        _policy,
    )
    found = [finding for check in checks for finding in check(session)]
    rows = sorted(found, key=lambda finding: finding[0] != _BAD)  # what is broken comes first
    bad = sum(mark == _BAD for mark, _, _ in rows)
    remark = f"{bad} to fix." if bad else ALL_WELL
    return Report("deepseek_jupyter doctor", rows, ("", "subject", "finding"), remark)


def _packages(session: Session) -> Iterator[Finding]:
    yield _GOOD, "Python", sys.version.split()[0]
    for name in ("ipython", "ipykernel", "jupyterlab", "anywidget", "httpx", "nest-asyncio2"):
        try:
            yield _GOOD, name, version(name)
        except PackageNotFoundError:
            yield _NOTE, name, "not installed"


def _directory(session: Session) -> Iterator[Finding]:
    path = home()
    if path == NOWHERE:
        yield _BAD, "state", "This user has no home directory; set DEEPSEEK_JUPYTER_HOME."
    # With a slash behind it a file in the way is not taken for a directory.
    elif os.access(f"{next(filter(os.path.exists, (path, *path.parents)))}/", os.W_OK):
        yield _GOOD, "state", str(path)
    else:
        yield _BAD, "state", f"{path} cannot be written; set DEEPSEEK_JUPYTER_HOME."


def _journal(session: Session) -> Iterator[Finding]:
    journal = session.conversation.journal
    if journal is None:
        yield _NOTE, "journal", "off: conversations are kept in memory only"
    elif journal.trouble:
        yield _BAD, "journal", journal.trouble
    else:
        yield _GOOD, "journal", f"{journal.path}, {journal.size() / 1e6:.1f} MB"


def _page(session: Session) -> Iterator[Finding]:
    if pages.connected:
        yield _GOOD, "page", "listens: answers stream into cards"
    elif in_jupyter():
        found = "none has our extension: reload it; `jupyter labextension list` should name it"
        yield _NOTE, "page", found


def _endpoint(session: Session) -> Iterator[Finding]:
    try:
        provider, key = session.endpoints.provider()
        yield _GOOD, "provider", f"{provider.title}, {provider.base_url}"
        yield _GOOD, "key", key.source if key else "none needed"
        listed = session.endpoints.models(provider, key)
        yield _GOOD, "answers", f"yes; models listed: {len(listed)}"
    except DeepSeekError as error:
        yield _BAD, type(error).__name__, f"{error.what} {error.hint}".strip()


def _hosts(session: Session) -> Iterator[Finding]:
    """What hosts taught, by which requests differ from what the profile says."""
    from deepseek_jupyter.transport.learned import lessons

    for base, model, said in lessons():
        yield _NOTE, "learned", f"{model} at {base}: {said} (%deepseek doctor --forget)"


def forget() -> Report:
    """Forget what hosts taught and reported this week."""
    from deepseek_jupyter.transport.learned import forget

    return Report(f"Models forgotten: {forget()}. They are asked as their profiles say.")


def _embedded(session: Session) -> Iterator[Finding]:
    from deepseek_jupyter import local

    now = local.status()
    if now.ready:
        yield _GOOD, "embedded model", ", ".join(model.id for model in now.models)
    elif now.models:
        yield _BAD, "embedded model", now.problem
    else:
        yield _NOTE, "embedded model", "not installed; %deepseek local install brings it"


def _policy(session: Session) -> Iterator[Finding]:
    try:
        for file in session.policy_files().files:
            yield _NOTE, "policy", file_in_words(file)
    except DeepSeekError as error:
        yield _BAD, "policy", f"{error.what} {error.hint}".strip()


def _nesting(session: Session) -> Iterator[Finding]:
    state = nested_state()
    bad = "original" in state
    what = ". Restart the kernel and leave nest_asyncio.apply() out." if bad else ""
    yield _BAD if bad else _GOOD, "nested asyncio", f"{state}{what}"
