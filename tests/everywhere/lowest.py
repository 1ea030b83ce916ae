"""Every lower bound of pyproject.toml, installed at once, with the wheel and its extras."""

from __future__ import annotations

import shutil
from pathlib import Path

from .venvs import FOLDER, ROOT, run, venv

EXTRAS = "lab,sql,keyring,tokenizer,documents"
TESTED = ("protocol", "display", "page", "magics", "kernel", "session", "asking")
# They need what is not installed here: other kinds of frames and pictures.
NOT = ("asking/test_attaching.py", "asking/test_sentinels.py", "asking/test_sentinels_ways.py")


TOOLS = (
    *("pytest>=8.3", "pytest-asyncio", "pytest-timeout", "hypothesis", "nbclient", "pandas"),
    *("pillow", "polars", "psutil", "pyyaml"),
)


def tree_of(name: str) -> Path:
    """The tests without the package, so that the wheel is what is imported."""
    tree = FOLDER / name / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(ROOT / "tests", tree / "tests")
    for shared in ("pyproject.toml", "README.md", "docs", "notebooks", "labextension"):
        (tree / shared).symlink_to(ROOT / shared)
    return tree


def test_the_lower_bound_of_dask_holds():
    """Beside the newest of all others, as the lowest ones leave it no pandas that it takes."""
    dask = ("dask[dataframe]==2025.1.0", "distributed==2025.1.0")
    python = venv("lowest-dask", *TOOLS, *dask, extras="dask,sql")
    chosen = ["-p", "no:cacheprovider", "tests/jobs/test_cluster.py"]
    print(run(python, "-m", "pytest", "-q", *chosen, cwd=tree_of("lowest-dask"))[-2000:])


def test_the_lower_bounds_hold():
    python = venv("lowest", *TOOLS, extras=EXTRAS, lowest=True)
    tree = tree_of("lowest")
    leave = [f"--ignore=tests/{name}" for name in NOT]
    chosen = ["-m", "not browser and not local_model and not soak", "-p", "no:cacheprovider"]
    tests = [f"tests/{name}" for name in TESTED]
    print(run(python, "-m", "pytest", "-q", *chosen, *leave, *tests, cwd=tree)[-2000:])
