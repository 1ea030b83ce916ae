"""Whether the embedded model's server can run on this machine, and what to do if it can't.

Facts about xllamacpp's wheels (2026.10): CPython 3.10 and newer on Linux with glibc (x86-64,
arm64), macOS 13 and newer (Intel, Apple), Windows on x86-64. None for Windows on ARM; none
current for musl (Alpine). The Linux x86-64 wheel is compiled for AVX2, FMA and F16C and doesn't
look for them: on an older processor it dies of an illegal instruction.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path

from deepseek_jupyter.errors import LocalModelError

_ELSE = "Or use a server of your own: Ollama with `-p ollama`, llama.cpp with `-p llamacpp`."
_INSTALL = 'Run `pip install "deepseek-jupyter[local]"`. ' + _ELSE
_FLAGS = ("avx2", "fma", "f16c")


def has_package() -> bool:
    """Is xllamacpp installed for this interpreter? It isn't imported to find out."""
    try:
        return importlib.util.find_spec("xllamacpp") is not None
    except (ImportError, ValueError):  # a None, or a half-made module, in sys.modules
        return False


def problem() -> tuple[str, str] | None:
    """What stands in the way of the server here, and what to do; None if nothing is known to."""
    if not has_package():
        why = _no_wheel()
        if why:
            return f"The embedded model's server (xllamacpp) has no wheel for {why}.", _ELSE
        return "The embedded model's server (xllamacpp) is not installed.", _INSTALL
    missing = _missing_flags()
    if missing:
        return (
            f"This processor lacks {', '.join(missing)}, which the embedded model's server needs.",
            _ELSE,
        )
    return None


def need_support() -> None:
    """Raise LocalModelError if the server can't run here."""
    found = problem()
    if found:
        raise LocalModelError(*found)


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
