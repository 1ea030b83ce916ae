"""The embedded model: start, first token, tokens a second. Skipped where it is not installed."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rows import Row, alone, skipped
from serving import ROOT

TITLE = "Embedded model"
RUNS = 5
TOKENS = 64

_CLAIM = "embedded model: start, first token, tokens a second"
_OWN = ("DEEPSEEK_BASE_URL", "DEEPSEEK_MODEL", "DEEPSEEK_JUPYTER_HOME")


def rows() -> list[Row]:
    """A server of our own each time, from a home of our own: nobody else's is stopped."""
    from deepseek_jupyter import local

    model = _model_file()
    if model is None:
        return [skipped(_CLAIM, "not installed; `deepseek-jupyter local install` brings it")]
    with _home(model):
        if problem := local.status().problem:
            return [skipped(_CLAIM, problem)]
        runs = [_one_run() for _ in range(RUNS)]
    return [
        Row("cold start of the server", [run[0] for run in runs], "s"),
        Row("first question: first token", [run[1] for run in runs], "s"),
        Row("second question: first token", [run[2] for run in runs], "s"),
        Row(f"tokens a second over {TOKENS}", [run[3] for run in runs], "/s"),
    ]


def _one_run() -> tuple[float, float, float, float]:
    from deepseek_jupyter import local

    began = time.monotonic()
    local.ensure_server()
    start = time.monotonic() - began
    try:
        first, _ = _ask("Name some colours.")
        second, rate = _ask("Name some rivers of the world, and say where they rise.")
    finally:
        local.stop_server()
    return start, first, second, rate


def _ask(prompt: str) -> tuple[float, float]:
    """Seconds to the first token, and tokens a second after it."""
    import deepseek_jupyter as ds

    options = {"provider": "local", "think": False, "temperature": 0, "max_tokens": TOKENS}
    began, first, last, deltas = time.monotonic(), 0.0, 0.0, 0
    for delta in ds.stream(prompt, history=False, **options):
        if hasattr(delta, "text"):
            last = time.monotonic()
            first = first or last
            deltas += 1
    return first - began, (deltas - 1) / (last - first) if deltas > 1 else 0.0


def _model_file() -> Path | None:
    """The default model's file, from where `make` keeps it or where the user does."""
    from deepseek_jupyter import local
    from deepseek_jupyter.home import home

    name = local.MODELS[local.DEFAULT_MODEL].hub[1]
    places = [home() / "local" / "models" / f"{local.DEFAULT_MODEL}.gguf"]
    if named := os.environ.get("DEEPSEEK_TEST_MODELS"):
        places += [Path(named) / name, Path(named) / f"{local.DEFAULT_MODEL}.gguf"]
    made = ROOT / ".make" / "home" / "local" / "models"
    places.append(made / f"{local.DEFAULT_MODEL}.gguf")
    return next((place for place in places if place.is_file()), None)


@contextmanager
def _home(model: Path) -> Iterator[None]:
    """A state directory of our own beside the model, whose file is linked, not copied."""
    from deepseek_jupyter import local

    before = {name: os.environ.pop(name, None) for name in _OWN}
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=model.parent) as scratch:
        os.environ["DEEPSEEK_JUPYTER_HOME"] = scratch
        try:
            local.install(path=model)
            yield
        finally:
            local.stop_server()
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


if __name__ == "__main__":
    alone(TITLE, rows)
