"""A recording (``.dsrec``): the kept answers of a notebook as one file, for a talk, a class or CI.

It is lines of JSON, compressed by gzip: a head, then an answer each, found by the hash of what was
asked; those of jobs too. There are no names of files in it, so no paths and no links. Prompts are
in it only where that was wanted, and everything as the model read and wrote it: with pseudonyms,
without their originals. Keys and headers are in no turn.

Reading one is reading a stranger's file: sizes are bounded before anything is unpacked, answers
pass `read_record`, and one line that makes no sense refuses the whole file.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deepseek_jupyter.errors import ReplayError, counted
from deepseek_jupyter.protocol.usage import Usage

from .exports import write_new
from .rows import KeptAnswer
from .turn import SCHEMA, Turn, dump, now, read_record

VERSION = 1
LARGEST = 50_000_000  # bytes, unpacked
MOST = 10_000  # answers

# What of a turn's record goes along.
_KEPT = (
    *("request_hash", "cell_id", "created", "provider", "model", "served_model", "answer"),
    *("reasoning", "steps", "tool_calls", "usage", "timing", "finish_reason", "format", "tokens"),
)
_TIMES = ("first_token", "total")  # of an answer in a job
_OURS = {"schema": SCHEMA, "id": "packed", "conversation": "packed", "status": "done"}


@dataclass(frozen=True, slots=True)
class Recording:
    """The answers in a file, by the hash of what was asked; `digest` is that of the file."""

    path: Path
    digest: str
    made: str
    turns: Mapping[str, Turn]

    def row(self, key: str) -> KeptAnswer | None:
        """The answer to the request of a job."""
        turn = self.turns.get(_id(key))
        if turn is None:
            return None
        first, took = (turn.timing.get(name) or 0.0 for name in _TIMES)
        answer, finish = turn.answer, turn.finish_reason or ""
        said = KeptAnswer(key, answer, turn.reasoning or "", turn.model, turn.usage or Usage())
        return replace(said, finish=finish, times=(first, took))

    def __str__(self) -> str:
        models = sorted({turn.served_model or turn.model for turn in self.turns.values()})
        many = counted(len(self.turns), "answer")
        return f"{many} of {', '.join(models)}, recorded {self.made[:10]}"


def write_recording(
    path: Path, turns: Iterable[Turn], rows: Iterable[KeptAnswer], *, prompts: bool = False
) -> Recording:
    """Write the newest whole answer to each question, and to each request of a job.

    Raises `ReplayError`; overwrites nothing.
    """
    kept = {t.request_hash: t for t in turns if t.request_hash and t.status == "done"}
    for row in rows:
        said = Turn("row", "rows", "", answer=row.text, reasoning=row.reasoning, model=row.model)
        said = replace(said, timing=dict(zip(_TIMES, row.times, strict=True)))
        end = row.finish or None
        key = _id(row.key)
        kept[key] = replace(said, request_hash=key, usage=row.usage, finish_reason=end)
    if not kept:
        raise ReplayError(
            "There is no answer to pack.",
            "Ask something first: pack writes the answers that are kept.",
        )
    lines = [{"dsrec": VERSION, "made": now()}, *(_line(turn, prompts) for turn in kept.values())]
    packed = gzip.compress("\n".join(map(dump, lines)).encode(), mtime=0)
    found = _read(path, packed)
    write_new(path, packed, ReplayError)
    return found


def read_recording(path: Path) -> Recording:
    """The recording at `path`. Raises `ReplayError` for anything else."""
    if not path.is_file():  # a pipe would be waited for
        raise ReplayError(f"There is no file {path}.", "%deepseek pack writes recordings.")
    try:
        with path.open("rb") as file:
            packed = file.read(LARGEST + 1)
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}.") from None
    return _read(path, packed)


def _read(path: Path, packed: bytes) -> Recording:
    stream = zlib.decompressobj(31)
    try:
        data = stream.decompress(packed, LARGEST + 1)
        if len(packed) > LARGEST or len(data) > LARGEST:
            raise _refused(path, f"it has more than {LARGEST / 1e6:.0f} MB")
        if data.count(b"\n") > MOST:
            raise _refused(path, f"it has more than {MOST:,} answers")
        head, *lines = map(json.loads, data.splitlines())
    except (ValueError, RecursionError, zlib.error):
        raise _refused(path, "it is none") from None
    version = head.get("dsrec") if isinstance(head, dict) else None
    if type(version) is not int or version < 1 or not stream.eof or stream.unused_data:
        raise _refused(path, "it is none")
    if version > VERSION:
        raise ReplayError(
            f"{path} was made by a newer version of deepseek-jupyter.", "Update it, or pack again."
        )
    turns = dict[str, Turn]()
    for number, line in enumerate(lines, 2):
        turn = _turn(line) if isinstance(line, dict) else None
        if turn is None or turn.request_hash is None:
            raise _refused(path, f"line {number} is no answer")
        turns[turn.request_hash] = turn
    made = head["made"] if isinstance(head.get("made"), str) else ""
    return Recording(path, hashlib.sha256(packed).hexdigest(), made[:10], turns)


def _id(key: str) -> str:
    """A job's key in the form of an id: a suite's has blanks in it."""
    return key.replace(" ", ":")


def _refused(path: Path, why: str) -> ReplayError:
    return ReplayError(f"{path} is not taken as a recording: {why}.", "%deepseek pack writes them.")


def _line(turn: Turn, prompts: bool) -> dict[str, Any]:
    written = turn.masked().written if prompts else turn.written
    line = {name: written[name] for name in (*_KEPT, *(["prompt"] if prompts else []))}
    line["answer"] = turn.answer  # without what was found of its quotes
    line["created"] = turn.recorded or turn.created
    line["rhythm"] = turn.rhythm
    return {name: value for name, value in line.items() if value or name == "answer"}


def _turn(line: Mapping[str, Any]) -> Turn | None:
    known = {name: line[name] for name in (*_KEPT, "prompt") if name in line}
    turn = read_record({"prompt": "", **known, **_OURS})
    rhythm = line.get("rhythm")
    if turn is None or not isinstance(rhythm, str | None):
        return None
    return replace(turn, rhythm=rhythm or "", from_file=True, recorded=turn.created)
