"""An error as a value: its message, and the frames that are the notebook's own."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath

_MESSAGE = 1_500  # characters; some libraries print whole tables into theirs
_KEPT_BACK = "(its message stays here, by a policy file)"
_CAUSES = 20  # of one error; a loop that tries again and again makes thousands
_QUOTED = re.compile(r"'([^'\n]{2,60})'|\"([^\"\n]{2,60})\"")


@dataclass(frozen=True, slots=True)
class Frame:
    """One level of the stack. `cell` is the count of the cell it lies in, None elsewhere."""

    cell: int | None
    file: str
    line: int
    function: str
    code: str


@dataclass(frozen=True, slots=True)
class Failure:
    """`kind` is the exception's class, `frames` go from the cell inwards; `cause` came before it.

    `missing` are the words that were not found: a name, a key, an attribute, or what the message
    quotes. `shortened` are sentences on what is left out.
    """

    kind: str
    message: str
    frames: tuple[Frame, ...] = ()
    missing: tuple[str, ...] = ()
    cause: Failure | None = None
    shortened: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: BaseException, cell_of: Callable[[str], int | None]) -> Failure:
        """The failure of `error`; `cell_of` gives the count of the cell of a file name."""
        found: Failure | None = None
        chain = _chain(error)
        said = (
            [f"Of the error's causes the model reads {_CAUSES}."] if len(chain) == _CAUSES else []
        )
        for one in reversed(chain):
            message = _message(one)
            if len(message) > _MESSAGE:
                part = f"{_MESSAGE:,} of {len(message):,} characters"
                said.append(f"Of the message of {_kind(one)} the model reads {part}.")
                message = f"{message[: _MESSAGE // 2]} … {message[-_MESSAGE // 2 :]}"
            found = cls(
                _kind(one),
                message,
                tuple(_frames(one, cell_of)),
                tuple(dict.fromkeys(_missing(one))),
                found,
            )
        assert found is not None
        return replace(found, shortened=tuple(said))

    @property
    def cells(self) -> tuple[int, ...]:
        """The counts of the cells in the traceback, the failing one first."""
        own = tuple(dict.fromkeys(f.cell for f in self.frames if f.cell is not None))
        return own + tuple(c for c in (self.cause.cells if self.cause else ()) if c not in own)

    def line_in(self, count: int) -> int | None:
        """Where it failed in a cell: the innermost line."""
        lines = [frame.line for frame in self.frames if frame.cell == count]
        return lines[-1] if lines else None

    def without_data(self, code: str) -> Failure:
        """The error without words that the code does not have: they may quote data."""
        return replace(
            self,
            message=self.message if self.message.strip("'\"") in code else _KEPT_BACK,
            missing=tuple(word for word in self.missing if word in code),
            cause=self.cause and self.cause.without_data(code),
        )

    def text(self) -> str:
        """The traceback without foreign code: only where it was entered and left."""
        lines = [f"{self.kind}: {self.message}".rstrip(": ")]
        away: list[Frame] = []
        for frame in self.frames:
            if frame.cell is None:
                away.append(frame)
                continue
            lines += _passed(away)
            away = []
            inside = f", in {frame.function}" if frame.function not in ("", "<module>") else ""
            lines.append(f"  In[{frame.cell}], line {frame.line}{inside}: {frame.code}".rstrip())
        lines += _passed(away)
        if self.cause is not None:
            lines += ["caused by", self.cause.text()]
        return "\n".join(lines)


def _kind(error: BaseException) -> str:
    """Its class; of a private one of Python itself (_IncompleteInputError) the public base."""
    kinds = (k for k in type(error).__mro__ if k.__module__ != "builtins" or k.__name__[0] != "_")
    return next(kinds).__name__


def _chain(error: BaseException) -> list[BaseException]:
    """`error` and its causes, the nearest first; causes may go round in a circle."""
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and len(chain) < _CAUSES and not any(one is other for other in chain):
        chain.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return chain


def _passed(frames: list[Frame]) -> list[str]:
    if not frames:
        return []
    last = frames[-1]
    more = f" ({len(frames)} frames)" if len(frames) > 1 else ""
    place = "/".join(PurePath(last.file.replace("\\", "/")).parts[-2:])
    return [f"  {place}, in {last.function}{more}"]


def _frames(error: BaseException, cell_of: Callable[[str], int | None]) -> Iterator[Frame]:
    """From the first frame of the notebook on: what is before it is IPython itself."""
    begun = False
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        cell = cell_of(file)
        begun = begun or cell is not None
        if begun:
            code = linecache.getline(file, line, frame.f_globals).strip()
            yield Frame(cell, file, line, frame.f_code.co_name, code)
    if isinstance(error, SyntaxError) and not begun and error.filename:
        code = (error.text or "").strip()
        yield Frame(cell_of(error.filename), error.filename, error.lineno or 0, "", code)


def _message(error: BaseException) -> str:
    try:
        if isinstance(error, SyntaxError):
            return str(error.msg or "")
        return str(error)
    except Exception:  # an exception whose own __str__ fails is still to be explained
        return ""


def _missing(error: BaseException) -> Iterator[str]:
    if isinstance(error, NameError | AttributeError | ImportError) and error.name:
        yield str(error.name)
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
        yield error.args[0]
    if isinstance(error, FileNotFoundError) and error.filename:
        yield PurePath(str(error.filename)).name
    for single, double in _QUOTED.findall(_message(error)):
        yield single or double
