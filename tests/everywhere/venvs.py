"""The wheel, and virtual environments with it; kept in .make/everywhere for the next time."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("DEEPSEEK_EVERYWHERE", ROOT / ".make" / "everywhere"))


def run(*command: object, **options: object) -> str:
    """Run a command; what it printed. AssertionError with all of it where it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= options.pop("env", {})  # type: ignore[arg-type, operator]
    done = subprocess.run(
        [str(part) for part in command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,  # type: ignore[arg-type]
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


@functools.cache
def uv() -> Path:
    tools = FOLDER / "tools"
    found = tools / "bin" / "uv"
    if not found.exists():
        run(sys.executable, "-m", "venv", tools)
        packages = ["uv", "build", "hatchling", "hatch-jupyter-builder", "jupyter-builder"]
        run(tools / "bin" / "python", "-m", "pip", "install", "--quiet", *packages)
    return found


@functools.cache
def wheel() -> Path:
    """Built from this tree, with the front end that `make` has built; until this process ends."""
    builder = uv().parent / "python"
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    skip = {"SKIP_JUPYTER_BUILDER": "1"}
    run(builder, "-m", "build", "--wheel", "--no-isolation", "-o", folder, ROOT, env=skip)
    (built,) = folder.glob("*.whl")
    return built


@functools.cache
def venv(
    name: str,
    *packages: str,
    extras: str = "",
    lowest: bool = False,
    python: str = "",
    prerelease: bool = False,
) -> Path:
    """The interpreter of an environment with the wheel and these packages.

    With `lowest` each of the project's own bounds is installed at its minimum.
    """
    folder = FOLDER / name
    own = folder / "bin" / "python"
    if not own.exists():
        run(uv(), "venv", "--python", python or sys.executable, folder)
    extra = [part for one in extras.split(",") if one for part in ("--extra", one)]
    asked = [*packages, f"deepseek-jupyter[{extras}] @ {wheel().as_uri()}"]
    options = ["--prerelease", "allow"] if prerelease else []
    if lowest:
        bounds = folder / "lowest.txt"
        how = ["--resolution", "lowest-direct", "--python", own, *extra]
        run(uv(), "pip", "compile", "-q", *how, ROOT / "pyproject.toml", "-o", bounds)
        options += ["-c", bounds]
    install = [uv(), "pip", "install", "--python", own, "--reinstall-package", "deepseek-jupyter"]
    run(*install, *options, *asked)
    return own


def versions(python: Path, *names: str) -> str:
    """For the report: what was installed."""
    code = "import sys; from importlib.metadata import version; "
    code += "print(*(f'{n} {version(n)}' for n in sys.argv[1:]), sep=', ')"
    return run(python, "-c", code, *names).strip()
