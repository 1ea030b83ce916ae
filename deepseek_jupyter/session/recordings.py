"""`Recordings`: the files that answer this kernel's questions in place of a model.

One that was not made on this machine may say anything, and what it says becomes part of the
conversation: it answers once the user has said yes to it, by what is in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.errors import ReplayError

from .memory import Memory

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.journal import Journal
    from deepseek_jupyter.conversation.recording import Recording
    from deepseek_jupyter.conversation.rows import KeptAnswer

# The path of the one recording that may answer, whatever the notebook says; nothing is sent.
ONLY = "DEEPSEEK_REPLAY_FROM"

_TOLD = "recordings"  # in the journal, in the place of a notebook


class Recordings:
    """The recordings of the settings, read when they are first needed or have changed."""

    def __init__(self, config: DeepSeek, memory: Memory) -> None:
        self._config, self._memory = config, memory
        self._trusted: set[str] = set()  # in this kernel, by digest
        self._read: dict[Path, tuple[float, Recording]] = {}

    @property
    def only(self) -> str:
        """The recording that this kernel was started to play; "" for none."""
        return os.environ.get(ONLY, "")

    def wanted(self, replay: str | None, unset: str = "auto") -> str:
        """What to do about kept answers: always where that is set, else `replay` or `unset`."""
        if self.only or (replay is None and self._config.replay == "always"):
            return "always"
        return replay or unset

    def turn(self, request_hash: str) -> Turn | None:
        """The answer to a question, of the journal or the first recording that has it."""
        own = self._journal.find_by_request(request_hash) if self._journal is not None else None
        if own is not None:
            return own
        turns = (found.turns.get(request_hash) for found in self._usable())
        return next(filter(None, turns), None)

    def rows(self, keys: Sequence[str]) -> Mapping[str, KeptAnswer]:
        """The answers to the requests of jobs with these keys."""
        pairs = ((key, file.row(key)) for file in self._usable() for key in keys)
        return {key: row for key, row in pairs if row is not None}

    def kept(self) -> tuple[Iterable[Turn], Iterable[KeptAnswer]]:
        """What a recording of the notebook would have: its turns, and answers of its jobs."""
        conversation, journal = self._memory.conversation, self._journal
        if journal is None:
            return [*conversation.turns(), *conversation.aside()], ()
        notebook = conversation.notebook or ""
        turns = journal.answered(notebook) if notebook else conversation.turns()
        return turns, journal.answers_in(notebook).values()

    @property
    def hint(self) -> str:
        """What to do about recordings that wait for the user's yes; "" where none does."""
        waiting = (f.path for f in self._named() if not self.is_trusted(f))
        first = next(waiting, None)
        return (
            f"{first} was not made here: %deepseek unpack {first} asks you once." if first else ""
        )

    def is_trusted(self, found: Recording) -> bool:
        """Whether it was made here, or the user has said yes to it."""
        journal, digest = self._journal, found.digest
        told = digest in self._trusted or bool(self.only)
        return told or (journal is not None and journal.was_told(_TOLD, digest))

    def trust(self, found: Recording) -> None:
        """It is the user's own, or they say yes to it."""
        self._trusted.add(found.digest)
        if self._journal is not None:
            self._journal.set_told(_TOLD, found.digest)

    @property
    def _journal(self) -> Journal | None:
        return self._memory.conversation.journal

    def _usable(self) -> Iterator[Recording]:
        return (found for found in self._named() if self.is_trusted(found))

    def _named(self) -> Iterator[Recording]:
        from deepseek_jupyter.conversation.recording import read_recording

        for name in [self.only] if self.only else self._config.recordings:
            path = Path(name).expanduser()
            try:
                changed = path.stat().st_mtime
            except OSError as error:
                raise ReplayError(
                    f"{path} cannot be read: {error.strerror}.", "See %config DeepSeek.recordings."
                ) from None
            if path not in self._read or self._read[path][0] != changed:
                self._read[path] = changed, read_recording(path)
            yield self._read[path][1]
