"""A recording (``.dsrec``): the kept answers of a notebook as one file, for a talk, a class or CI.

It is lines of JSON, compressed by gzip: a head, then an answer each, found by the hash of what was
asked. There are no names of files in it, so no paths and no links. Prompts are in it only where
that was wanted, and everything as the model read and wrote it: with pseudonyms, without their
originals. Keys and headers are in no turn.

Reading one is reading a stranger's file: sizes are bounded before anything is unpacked, turns pass
`records.read_record`, and one line that makes no sense refuses the whole file.
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

from deepseek_jupyter.errors import ReplayError

from .answers import KeptAnswer
from .records import dump, read_record, read_usage, sound_id
from .turn import SCHEMA, Turn, now

VERSION = 1
LARGEST = 50_000_000  # bytes, unpacked
MOST = 10_000  # answers

# What of a turn's record goes along.
_TURN = (
    *("request_hash", "cell_id", "created", "provider", "model", "served_model", "answer"),
    *("reasoning", "steps", "tool_calls", "usage", "timing", "finish_reason", "format"),
)
_ROW = ("key", "text", "reasoning", "model")


@dataclass(frozen=True, slots=True)
class Recording:
    """The turns and the answers of jobs in a file, by hash; `digest` is that of the file."""

    path: Path
    digest: str
    made: str
    turns: Mapping[str, Turn]
    rows: Mapping[str, KeptAnswer]

    def __str__(self) -> str:
        models = {turn.served_model or turn.model for turn in self.turns.values()}
        models |= {row.model for row in self.rows.values()}
        many = len(self.turns) + len(self.rows)
        count = "1 answer" if many == 1 else f"{many:,} answers"
        return f"{count} of {', '.join(sorted(models)) or 'no model'}, recorded {self.made[:10]}"


def write_recording(
    path: Path, turns: Iterable[Turn], rows: Iterable[KeptAnswer], *, prompts: bool = False
) -> Recording:
    """Write the newest whole answer to each question, and read it back.

    Raises `ReplayError`; overwrites nothing.
    """
    kept = {t.request_hash: t for t in turns if t.request_hash and t.status == "done"}
    lines = [dump({"dsrec": VERSION, "made": now()})]
    lines += [dump({"turn": _line_of(turn, prompts)}) for turn in kept.values()]
    lines += [dump({"row": _row_line(row)}) for row in rows]
    data = "\n".join(lines).encode()
    if len(lines) == 1:
        raise ReplayError("There is no answer to pack.", "Ask first; what is kept is packed.")
    if len(lines) > MOST + 1 or len(data) > LARGEST:
        raise ReplayError(
            f"{len(lines) - 1:,} answers of {len(data) / 1e6:.0f} MB are more than a recording "
            "may have.",
            f"It takes {MOST:,} answers and {LARGEST / 1e6:.0f} MB.",
        )
    try:
        with path.open("xb") as file:
            file.write(gzip.compress(data, mtime=0))
    except FileExistsError:
        raise ReplayError(
            f"{path} exists; nothing is overwritten.", "Name another file, or delete that one."
        ) from None
    except OSError as error:
        raise ReplayError(f"{path} cannot be written: {error.strerror}.") from error
    return read_recording(path)


def read_recording(path: Path) -> Recording:
    """The recording at `path`. Raises `ReplayError` for anything else."""
    if not path.is_file():  # a pipe would be waited for
        raise ReplayError(f"There is no file {path}.", "%deepseek pack writes recordings.")
    try:
        with path.open("rb") as file:
            packed = file.read(LARGEST + 1)
        data = _unpacked(path, packed)
        if data.count(b"\n") > MOST:
            raise _refused(path, f"it has more than {MOST:,} answers")
        head, *answers = map(json.loads, data.splitlines())
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}.", "Name a file.") from None
    except (ValueError, RecursionError, EOFError):
        raise _refused(path, "it is none") from None
    version = head.get("dsrec") if isinstance(head, dict) else None
    if type(version) is not int or version < 1:
        raise _refused(path, "it is none")
    if version > VERSION:
        raise ReplayError(
            f"{path} was made by a newer version of deepseek-jupyter.", "Update it, or pack again."
        )
    turns, rows = dict[str, Turn](), dict[str, KeptAnswer]()
    for number, line in enumerate(answers, 2):
        turn, row = _turn_in(line), _row_in(line)
        if turn is not None:
            turns[str(turn.request_hash)] = turn
        elif row is not None:
            rows[row.key] = row
        else:
            raise _refused(path, f"line {number} is no answer")
    made = head["made"] if isinstance(head.get("made"), str) else ""
    return Recording(path, hashlib.sha256(packed).hexdigest(), made[:10], turns, rows)


def _unpacked(path: Path, packed: bytes) -> bytes:
    """The bytes in one gzip stream, no more than a recording may have."""
    stream = zlib.decompressobj(31)
    try:
        data = stream.decompress(packed, LARGEST + 1)
    except zlib.error:
        raise ValueError from None
    if len(packed) > LARGEST or len(data) > LARGEST:
        raise _refused(path, f"it has more than {LARGEST / 1e6:.0f} MB")
    if not stream.eof or stream.unused_data:
        raise EOFError
    return data


def _refused(path: Path, why: str) -> ReplayError:
    return ReplayError(f"{path} is not read as a recording: {why}.", "%deepseek pack writes them.")


def _line_of(turn: Turn, prompts: bool) -> dict[str, Any]:
    written = turn.masked().written if prompts else turn.written
    line = {name: written[name] for name in (*_TURN, *(["prompt"] if prompts else []))}
    line["answer"] = turn.answer  # without what was found of its quotes
    line["created"] = turn.recorded or turn.created
    return {**line, "rhythm": turn.rhythm}


def _turn_in(line: object) -> Turn | None:
    given = line.get("turn") if isinstance(line, dict) else None
    if not isinstance(given, dict):
        return None
    known = {name: given[name] for name in (*_TURN, "prompt") if name in given}
    ours = {"schema": SCHEMA, "id": "packed", "conversation": "packed", "status": "done"}
    turn = read_record({"prompt": "", **known, **ours})
    if turn is None or turn.request_hash is None:
        return None
    rhythm = given.get("rhythm")
    rhythm = rhythm if isinstance(rhythm, str) else ""
    return replace(turn, rhythm=rhythm, from_file=True, recorded=turn.created)


def _row_line(row: KeptAnswer) -> dict[str, Any]:
    return {**{name: getattr(row, name) for name in _ROW}, "usage": row.usage.to_json()}


def _row_in(line: object) -> KeptAnswer | None:
    given = line.get("row") if isinstance(line, dict) else None
    if not isinstance(given, dict) or not all(isinstance(given.get(n), str) for n in _ROW):
        return None
    usage = read_usage(given.get("usage"))
    if sound_id(given["key"]) is None or usage is None:
        return None
    return KeptAnswer(given["key"], given["text"], given["reasoning"], given["model"], usage)
