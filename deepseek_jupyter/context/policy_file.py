"""``deepseek-policy.toml``: what a course, a team or a project allows, beside the notebooks.

Every file found from the notebook's folder upward applies, and so does the one that the variable
``DEEPSEEK_POLICY`` names. A rule can only tighten: of two files the stricter word counts, whichever
lies nearer. Files are read anew for each question; one that cannot be read stops the question.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deepseek_jupyter.errors import PolicyError

from .policy_schema import DataRules, TeachingRules, parse

__all__ = ["FILE", "VARIABLE", "PolicyFile", "PolicyFiles", "find", "load"]

FILE = "deepseek-policy.toml"
VARIABLE = "DEEPSEEK_POLICY"
_LARGEST = 250_000  # bytes


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One file's rules, and where it lies."""

    path: str
    data: DataRules
    teaching: TeachingRules


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """Every file that applies, the outermost first. Empty where there is none."""

    files: tuple[PolicyFile, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the files lie."""
        return tuple(file.path for file in self.files)

    @property
    def data(self) -> tuple[DataRules, ...]:
        """The ``[data]`` rules of every file; all of them hold."""
        return tuple(file.data for file in self.files)

    @property
    def teaching(self) -> tuple[TeachingRules, ...]:
        """The ``[teaching]`` rules of every file; all of them hold."""
        return tuple(file.teaching for file in self.files)


def load(notebook: str | None, environ: Mapping[str, str]) -> PolicyFiles:
    """The policy for the notebook at this path, or for the working directory.

    Raises `PolicyError` for a file that cannot be read or understood, with path and line.
    """
    return PolicyFiles(tuple(_read(path) for path in find(notebook, environ)))


def find(notebook: str | None, environ: Mapping[str, str]) -> list[Path]:
    """The files that apply, the outermost first.

    A file that the variable names must be there. Where the notebook's folder is not on this
    machine (a remote kernel), the search begins at the working directory.
    """
    named = environ.get(VARIABLE)
    first = [Path(named).expanduser()] if named else []
    folder = Path(notebook).parent if notebook else Path.cwd()
    if not folder.is_absolute() or not folder.is_dir():
        folder = Path.cwd()
    above = [parent / FILE for parent in (folder, *folder.parents)]
    found = [path for path in reversed(above) if _there(path)]
    return list(_once([*first, *found]))


def _there(path: Path) -> bool:
    """Whether there is anything of that name; what cannot be looked at counts as there."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _once(paths: Iterable[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        real = path.absolute()
        if real not in seen:
            seen.add(real)
            yield path


def _read(path: Path) -> PolicyFile:
    try:
        # Not waiting: a pipe of that name would hold every question for ever.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("it is no regular file")
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST:,} bytes")
        text = raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyError(
            f"{path} cannot be read: {reason}.",
            "Make it readable, or ask who wrote it; until then nothing is sent.",
        ) from None
    data, teaching = parse(text, str(path))
    return PolicyFile(str(path), data, teaching)
