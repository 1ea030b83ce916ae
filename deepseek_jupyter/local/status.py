"""What is installed and what is running, and how to be rid of it."""

from __future__ import annotations

from dataclasses import dataclass
from glob import glob
from pathlib import Path

from .models import forget, installed, model_path, models_directory, problem, sealed
from .serve import reach, run_directory, stop_server


@dataclass(frozen=True)
class InstalledModel:
    """A model on the disk; `verified`: its SHA-256 was found right, and it is unchanged since."""

    id: str
    path: Path
    size: int  # bytes
    verified: bool


@dataclass(frozen=True)
class RunningServer:
    """A server that answers now."""

    model: str
    pid: int
    idle_seconds: float


@dataclass(frozen=True)
class LocalStatus:
    """Models, servers and what hinders them, on this machine."""

    models: tuple[InstalledModel, ...]
    servers: tuple[RunningServer, ...]
    problem: str  # why the server can't run here and what to do; "" if nothing is known to hinder

    @property
    def ready(self) -> bool:
        """Can `ensure_server` work: a model, a package, a machine?"""
        return bool(self.models) and not self.problem


def status() -> LocalStatus:
    """Look at the disk and at the servers; starts nothing and hashes nothing."""
    models = [
        InstalledModel(id, path := model_path(id), path.stat().st_size, sealed(id) == "verified")
        for id in installed()
    ]
    return LocalStatus(tuple(models), _servers(), " ".join(problem() or ()))


def remove(model_id: str | None = None) -> int:
    """Stop the server and delete the model, or all models; the bytes freed.

    What a broken-off install left goes too. A file that the user named stays where it was.
    """
    partials = glob("*.gguf.partial", root_dir=models_directory())
    freed = 0
    for found in {*installed(), *(name.removesuffix(".gguf.partial") for name in partials)}:
        if model_id in (None, found):
            stop_server(found)
            freed += forget(found)
    return freed


def _servers() -> tuple[RunningServer, ...]:
    found = []
    for name in sorted(glob("*.json", root_dir=run_directory())):
        if reached := reach(run_directory() / name):
            server, lease = reached
            found.append(RunningServer(server.model, server.pid, float(lease.say("idle") or 0)))
            lease.close()
    return tuple(found)
