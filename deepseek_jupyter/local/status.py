"""What is installed and what is running, and how to be rid of it."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from deepseek_jupyter.home import home

from .models import MODELS, forget, has_package, installed, model_path, problem, sealed
from .serve import reach, stop_server


@dataclass(frozen=True)
class InstalledModel:
    """A model on the disk; `verified`: its SHA-256 was found right, and it is unchanged since."""

    id: str
    title: str
    path: Path
    size: int  # bytes
    verified: bool
    source: str  # "hub", "registry", "found", or the file that was named


@dataclass(frozen=True)
class RunningServer:
    """A server that answers now."""

    model: str
    url: str
    pid: int
    idle_seconds: float


@dataclass(frozen=True)
class LocalStatus:
    """Models, servers and what hinders them, on this machine."""

    models: tuple[InstalledModel, ...]
    servers: tuple[RunningServer, ...]
    has_package: bool
    platform: str
    problem: str  # why the server can't run here and what to do; "" if nothing is known to hinder

    @property
    def ready(self) -> bool:
        """Can `ensure_server` work: a model, a package, a machine?"""
        return bool(self.models) and not self.problem


def status() -> LocalStatus:
    """Look at the disk and at the servers; starts nothing and hashes nothing."""
    return LocalStatus(
        models=tuple(_model(model_id) for model_id in installed()),
        servers=_servers(),
        has_package=has_package(),
        platform=f"{sys.platform} {platform.machine()}",
        problem=" ".join(problem() or ()),
    )


def remove(model_id: str | None = None) -> int:
    """Stop the server and delete the model, or all models; the bytes freed.

    What a broken-off install left goes too. A file that the user named stays where it was.
    """
    partials = (home() / "local" / "models").glob("*.gguf.partial")
    freed = 0
    for found in {*installed(), *(path.name.removesuffix(".gguf.partial") for path in partials)}:
        if model_id in (None, found):
            stop_server(found)
            freed += forget(found)
    return freed


def _model(model_id: str) -> InstalledModel:
    path, known, seal = model_path(model_id), MODELS.get(model_id), sealed(model_id)
    return InstalledModel(
        id=model_id,
        title=known.title if known else f"{model_id} (your own file)",
        path=path,
        size=path.stat().st_size,
        verified=bool(seal and seal.verified),
        source=seal.source if seal else "unknown",
    )


def _servers() -> tuple[RunningServer, ...]:
    found = []
    for path in sorted((home() / "local" / "run").glob("*.json")):
        if reached := reach(path):
            state, lease = reached
            idle = lease.say("idle")
            lease.close()
            found.append(RunningServer(state.model, state.url, state.pid, float(idle or 0)))
    return tuple(found)
