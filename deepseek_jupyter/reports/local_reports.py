"""The embedded model's commands, shared by ``%deepseek local`` and the command line."""

from __future__ import annotations

from pathlib import Path

from deepseek_jupyter import local
from deepseek_jupyter.display.progress import Progress
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import LocalModelError

__all__ = ["install_local", "local_status", "remove_local"]


def local_status() -> Report:
    """What is installed, what runs, and what could be installed."""
    now = local.status()
    rows = [
        (m.id, _megabytes(m.size), "verified" if m.verified else "NOT verified", str(m.path))
        for m in now.models
    ]
    have = {m.id for m in now.models}
    rows += [
        (m.id, _megabytes(m.size), "not installed", m.licence)
        for m in local.MODELS.values()
        if m.id not in have
    ]
    running = [
        f"{s.model} runs (process {s.pid}, idle {s.idle_seconds:.0f} s)" for s in now.servers
    ]
    remark = now.problem or "; ".join(running) or "No server runs; a question starts it."
    return Report("Embedded models", rows, ("model", "size", "state", "where"), remark)


def install_local(model: str | None, progress: Progress) -> Report:
    """Say size and licence, then install. `model` is an id or the path of a GGUF file."""
    path = Path(model).expanduser() if model and model not in local.MODELS else None
    if path is not None and not path.is_file():
        known = ", ".join(local.MODELS)
        raise LocalModelError(f"{model!r} is neither a model nor a file.", f"Models: {known}.")
    if path is None:
        chosen = local.MODELS[model or local.DEFAULT_MODEL]
        progress(0, chosen.size, f"{chosen.title} ({chosen.licence}), {_megabytes(chosen.size)}:")
    try:
        installed = local.install(model if path is None else None, path=path, progress=progress)
    finally:
        progress.close()
    problem = local.status().problem
    return Report(f"Installed: {installed}", remark=problem or "Ask it with -p local.")


def remove_local(model: str | None) -> Report:
    """Stop the server and delete the files."""
    freed = local.remove(model)
    return Report(f"{_megabytes(freed)} freed." if freed else "Nothing was installed.")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
