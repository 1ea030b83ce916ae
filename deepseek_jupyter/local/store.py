"""The models on this disk, and how each is known to be whole.

``<home>/local/models`` holds ``<id>.gguf`` and, beside it, ``<id>.json``, the seal: the file's
size and time of change when its hash was last found right. A seal that still fits saves hashing
half a gigabyte at every start; one that doesn't makes `check` hash again. A file without a seal
is never taken for whole unread.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import home, private_directory
from deepseek_jupyter.local.models import DEFAULT_MODEL, MODELS

__all__ = ["Progress", "Seal", "check", "choose", "digest", "installed", "model_path", "seal"]

Progress = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all, and the phase: "download" or "verify"."""

_INSTALL = "Run `deepseek-jupyter local install`."


@dataclass(frozen=True)
class Seal:
    """What was known of a model file when it was last read in full."""

    size: int
    mtime_ns: int
    sha256: str
    verified: bool  # False: a file of the user's own, whose right hash nobody knows
    source: str


def models_directory() -> Path:
    """Where the models lie, not necessarily existing yet."""
    return home() / "local" / "models"


def private(name: str) -> Path:
    """``<home>/local/<name>``, created; every level of it for its owner alone."""
    return private_directory("local", name)


def model_path(model_id: str) -> Path:
    """The file of a model, not necessarily existing yet."""
    return models_directory() / f"{model_id}.gguf"


def installed() -> tuple[str, ...]:
    """Ids of the models on disk: the default first, then the table's, then the user's own."""
    found = {path.stem for path in models_directory().glob("*.gguf")}
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
        option = f" --model {model.id}" if model.id != DEFAULT_MODEL else ""
        raise LocalModelError(
            f"The embedded model {model.id} is not installed.",
            f"Run `deepseek-jupyter local install{option}` "
            f"({model.size / 1e6:.0f} MB, {model.licence}).",
        )
    raise LocalModelError(
        f"There is no embedded model {model_id!r}.", f"Known are: {', '.join((*MODELS, *found))}."
    )


def digest(path: Path, progress: Progress | None = None) -> str:
    """The file's SHA-256 in hex; half a gigabyte takes about a second."""
    total, done, sha256 = path.stat().st_size, 0, hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
            done += len(block)
            if progress:
                progress(done, total, "verify")
    return sha256.hexdigest()


def seal(model_id: str, sha256: str, source: str) -> None:
    """Note beside the model that its content was read and has this hash."""
    stat = model_path(model_id).stat()
    known = MODELS.get(model_id)
    note = Seal(
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        sha256=sha256,
        verified=known is not None and known.sha256 == sha256,
        source=source,
    )
    target = _seal_path(model_id)
    partial = target.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(asdict(note)), encoding="utf-8")
    os.replace(partial, target)


def sealed(model_id: str) -> Seal | None:
    """The seal, if there is one and the file hasn't changed since."""
    try:
        note = Seal(**json.loads(_seal_path(model_id).read_text(encoding="utf-8")))
        stat = model_path(model_id).stat()
    except (OSError, ValueError, TypeError):
        return None  # no seal, or one that can't be read: the same as none
    return note if (note.size, note.mtime_ns) == (stat.st_size, stat.st_mtime_ns) else None


def check(model_id: str) -> Path:
    """The path of an installed model that is whole; LocalModelError if it is damaged."""
    path = model_path(model_id)
    if sealed(model_id):
        return path
    known = MODELS.get(model_id)
    if known is None:
        raise LocalModelError(
            f"The model file {path} changed since it was installed.",
            "Install it again: `deepseek-jupyter local install --path FILE`.",
        )
    if path.stat().st_size != known.size or digest(path) != known.sha256:
        raise LocalModelError(f"The model file {path} is damaged: its SHA-256 is wrong.", _INSTALL)
    seal(model_id, known.sha256, "found")
    return path


def _seal_path(model_id: str) -> Path:
    return models_directory() / f"{model_id}.json"


def forget(model_id: str) -> int:
    """Delete a model with all that belongs to it; the bytes freed."""
    freed = 0
    for path in (model_path(model_id), partial_path(model_id), _seal_path(model_id)):
        if path.exists():
            freed += path.stat().st_size
            path.unlink()
    return freed


def partial_path(model_id: str) -> Path:
    """Where a model grows while it is downloaded."""
    return models_directory() / f"{model_id}.gguf.partial"
