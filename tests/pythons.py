"""The fast tests on every other CPython of this machine, 3.11 and later: `make test-pythons`.

Looked for on PATH and among pyenv's versions; each gets an environment in .make/pythons, kept for
the next time. Exit status 1 where the tests of one failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
OLDEST = (3, 11)
_VERSION = (
    "import sys, sysconfig\n"
    "cpython = sys.implementation.name == 'cpython' and sys.version_info.releaselevel == 'final'\n"
    "free_threaded = sysconfig.get_config_var('Py_GIL_DISABLED')\n"
    "print(*sys.version_info[:2]) if cpython and not free_threaded else None"
)


def candidates() -> Iterator[Path]:
    """Files that are called like an interpreter."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep) if p]
    for folder in [*folders, *sorted(pyenv.glob("*/bin"), reverse=True)]:
        yield from sorted(folder.glob("python3.[0-9]*[0-9]"))


def others() -> dict[tuple[int, int], Path]:
    """Version to interpreter, without the version that runs this."""
    found: dict[tuple[int, int], Path] = {}
    for path in candidates():
        try:
            asked = [str(path), "-c", _VERSION]
            told = subprocess.run(asked, capture_output=True, text=True, timeout=30).stdout.split()
        except (OSError, subprocess.TimeoutExpired):
            continue
        if len(told) == 2:  # a shim may stand for a version that is not there, and prints nothing
            found.setdefault((int(told[0]), int(told[1])), path)
    return {v: p for v, p in sorted(found.items()) if v >= OLDEST and v != sys.version_info[:2]}


def tested(version: tuple[int, int], python: Path, arguments: list[str]) -> bool:
    """Whether the fast tests pass there."""
    folder = ROOT / ".make" / "pythons" / ".".join(map(str, version))
    own = folder / "bin" / "python"
    if not own.exists():
        subprocess.run([str(python), "-m", "venv", str(folder)], check=True)
    install = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    environment = {**os.environ, "SKIP_JUPYTER_BUILDER": "1"}
    subprocess.run([*install, "-e", ".[all,dev]"], cwd=ROOT, env=environment, check=True)
    environment["PATH"] = os.pathsep.join([str(own.parent), environment.get("PATH", "")])
    command = [str(own), "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode == 0


def main() -> int:
    """Test them all; the arguments are pytest's."""
    found = others()
    if not found:
        print(f"No CPython from {OLDEST[0]}.{OLDEST[1]} on but {sys.version.split()[0]} is here.")
    failed = []
    for version, python in found.items():
        print(f"\nCPython {version[0]}.{version[1]} ({python})", flush=True)
        if not tested(version, python, sys.argv[1:]):
            failed.append(f"{version[0]}.{version[1]}")
    print(f"failed on: {', '.join(failed)}" if failed else f"passed on {len(found)} other versions")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
