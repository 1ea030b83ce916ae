"""Every lower bound of pyproject.toml, installed at once, with the wheel and its extras."""

from __future__ import annotations

import shutil

from .venvs import FOLDER, ROOT, run, venv

EXTRAS = "lab,sql,keyring,tokenizer,documents"
TESTED = ("protocol", "display", "page", "magics", "kernel", "session", "asking")
# They need what is not installed here: other kinds of frames and pictures.
NOT = ("asking/test_attaching.py", "asking/test_sentinels.py", "asking/test_sentinels_ways.py")


def test_the_lower_bounds_hold():
    tools = ("pytest>=8.3", "pytest-asyncio", "pytest-timeout", "hypothesis", "nbclient", "pandas")
    python = venv(
        *("lowest", *tools, "pillow", "polars", "psutil", "pyyaml"), extras=EXTRAS, lowest=True
    )
    tree = FOLDER / "lowest" / "tree"  # without the package: the wheel is what is imported
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(ROOT / "tests", tree / "tests")
    for name in ("pyproject.toml", "README.md", "docs", "notebooks", "labextension"):
        (tree / name).symlink_to(ROOT / name)
    leave = [f"--ignore=tests/{name}" for name in NOT]
    chosen = ["-m", "not browser and not local_model and not soak", "-p", "no:cacheprovider"]
    tests = [f"tests/{name}" for name in TESTED]
    print(run(python, "-m", "pytest", "-q", *chosen, *leave, *tests, cwd=tree)[-2000:])
