"""`FileText`: the text of a file with the place of each of its lines; and how files are named.

Plain texts are read here, files with a structure in a process of their own (`document_worker`),
which has limits of memory and time. Nothing is fetched: an address is refused.
"""

from __future__ import annotations

import builtins
import glob
import json
import os
import re
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from deepseek_jupyter.errors import ParameterError, counted

from .document_worker import READERS, WAY

LARGEST = 50_000_000  # bytes of a file
MOST = 200  # files of a question
_MEMORY = 2 << 30  # bytes of the process that reads
_SECONDS = 60
_NEEDS = {".pdf": "pypdfium2", ".docx": "mammoth"}
_WORKER = Path(__file__).with_name("document_worker.py")
_URL = re.compile(r"(?:https?|ftp|s3|file)://", re.IGNORECASE)
_SUFFIX = re.compile(r"\.(?:txt|md|rst|log|pdf|docx|html?|ipynb|csv|tsv|parquet|json|py)$", re.I)

Positions = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class FileText:
    """A file's text. `unit` is what its numbers count: ``line``, ``page``, ``cell`` or
    ``paragraph``; `positions` are pairs of a line of `text`, from 0, and the number there.
    `size` says how much there is of it.
    """

    text: str
    unit: str = "line"
    positions: Positions = ((0, 1),)
    size: str = ""
    remark: str = ""


def number_at(unit: str, positions: Sequence[Sequence[int]], line: int) -> int | None:
    """The number of a line of a document's text; None where it is not known."""
    at = bisect_right(positions, line, key=lambda pair: pair[0]) - 1
    if at < 0:
        return None
    first, number = positions[at]
    return number + line - first if unit in ("line", "paragraph") else number


def read(path: Path, raw: bytes) -> FileText:
    """The text of a file with these bytes. Raises `ParameterError` with the reason and a remedy."""
    if not raw.strip():
        raise ParameterError(f"{path} is empty.", "Check that it is the file that is meant.")
    return (_structured if path.suffix.lower() in READERS else _plain)(path, raw)


def _plain(path: Path, raw: bytes) -> FileText:
    utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = raw.decode("utf-16" if utf16 else "utf-8-sig")
        if "\0" in text:
            raise ValueError
    except ValueError:
        raise ParameterError(
            f"{path} is not a text in UTF-8 or UTF-16.",
            f'Of a text in another encoding attach Path("{path}").read_text("gb18030").',
        ) from None
    return FileText(re.sub("\r\n?", "\n", text))


def _structured(path: Path, raw: bytes) -> FileText:
    suffix = path.suffix.lower()
    needs = _NEEDS.get(suffix)
    if needs and find_spec(needs) is None:
        raise ParameterError(
            f"Reading {path} takes {needs}.", 'pip install "deepseek-jupyter[documents]"'
        )
    found = json.loads(_parsed(suffix, raw))
    if error := found.get("error"):
        raise ParameterError(f"{path} {error}.", found["way"])
    unit, parts = found["unit"], found["parts"]
    if not any(text for _, text in parts):
        raise ParameterError(f"{path} has no text.", "Check that it is the file that is meant.")
    size = counted(len(parts), unit)
    if unit == "paragraph":
        return FileText("\n".join(text for _, text in parts), unit, size=size)
    blocks = [f"[{unit} {number}]\n{text}\n" for number, text in parts]
    positions, line = [], 0
    for (number, _), block in zip(parts, blocks, strict=True):
        positions.append((line, number))
        line += block.count("\n") + 1
    return FileText("\n".join(blocks).rstrip(), unit, tuple(positions), size, found["remark"])


@lru_cache(maxsize=32)  # a question reads a file several times; the answers are texts
def _parsed(suffix: str, raw: bytes) -> str:
    paths = [entry for entry in sys.path if os.path.isabs(entry)]
    settings = {"path": paths, "suffix": suffix, "memory": _MEMORY, "seconds": _SECONDS}
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_WORKER)],
            input=json.dumps(settings).encode() + b"\n" + raw,
            capture_output=True,
            env={n: os.environ[n] for n in ("SYSTEMROOT", "LD_LIBRARY_PATH") if n in os.environ},
            cwd=os.path.abspath(os.sep),
            timeout=_SECONDS,
            start_new_session=True,
        )
        answer = done.stdout.decode()
        if answer.endswith("}"):
            return answer
        said = "could not be read: it is damaged"
    except subprocess.TimeoutExpired:
        said = f"took longer than {_SECONDS} s to read"
    return json.dumps({"error": said, "way": WAY})


# Names


def refuse_address(spec: str) -> None:
    if _URL.match(spec):
        raise ParameterError(
            f"{spec} is a web address; files are not downloaded.",
            "Download it first, and attach the file.",
        )


def files_named(spec: str, names: Mapping[str, object]) -> list[str] | None:
    """The files that ``-a`` means by `spec` where it is no Python: ``notes.txt``, ``talks/*.md``.

    None: it is Python. Raises `ParameterError` for names without a file.
    """
    if not _is_python(spec, names):
        if found := list(_matching(spec)):
            return found
        if os.path.lexists(path := os.path.expanduser(spec)):
            if os.path.isdir(path):
                way = f'Name its files: -a "{spec.rstrip("/")}/*".'
                raise ParameterError(f"{spec} is a folder.", way)
            raise ParameterError(f"{spec} is no file.", "Is it a link that leads nowhere?")
        if _SUFFIX.search(spec) or re.search(r"[*?]", spec):
            raise ParameterError(
                f"There is no file {spec}.", f"The working directory is {os.getcwd()}."
            )
    return None


def _is_python(spec: str, names: Mapping[str, object]) -> bool:
    """Whether it can be evaluated: its syntax is right, and the name it begins with is there."""
    try:
        compile(spec, "-a", "eval")
    except (SyntaxError, ValueError):
        return False
    first = re.match(r"[^\W\d]\w*", spec)
    return not first or first[0] in names or hasattr(builtins, first[0])


def _matching(pattern: str) -> Iterator[str]:
    path = os.path.expanduser(pattern)
    if os.path.isfile(path):
        yield path
        return
    ways = (path, path.replace("[", "[[]"))  # brackets as a class of a pattern, or of a name
    names = next(filter(None, (glob.glob(way, recursive=True) for way in ways)), [])
    found = sorted(filter(os.path.isfile, names))
    if len(found) > MOST:
        raise ParameterError(
            f"{pattern} are {len(found):,} files; one question takes {MOST}.",
            "Name fewer of them.",
        )
    yield from found
