"""What the commands say about the session, as `Report`s; shared by magics and command line."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from deepseek_jupyter._version import __version__
from deepseek_jupyter.display.report import Progress, Report
from deepseek_jupyter.errors import DeepSeekError, LocalModelError, MissingKeyError, counted
from deepseek_jupyter.privacy.rules import file_in_words
from deepseek_jupyter.session.accounts import in_words, session_totals

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session

_ROOMY = 6 << 30  # bytes of memory with room for the 2.1 GB of the larger embedded model


def status(session: Session) -> Report:
    """Where questions go, what is remembered, what was spent."""
    rows = [("version", __version__), *_endpoint(session)]
    rows += _policy(session)
    rows.append(("conversation", counted(len(session.conversation.way()), "turn")))
    spent = in_words(session_totals(session))
    rows.append(("spent", counted(len(session.spent), "answer") + (f", {spent}" if spent else "")))
    if session.last:
        rows.append(("last answer", session.last.footer))
    return Report("deepseek_jupyter", rows, remark="%deepseek help lists the commands.")


def _policy(session: Session) -> list[tuple[str, str]]:
    """The rules of the policy files, a row a file; what is wrong with one."""
    try:
        return [("policy", file_in_words(file)) for file in session.policy_files().files]
    except DeepSeekError as error:
        return [("policy", error.what), ("to do", error.hint)]


def _endpoint(session: Session) -> list[tuple[str, str]]:
    try:
        provider, key = session.endpoints.provider()
        model = session.endpoints.model(None, provider, key)
    except DeepSeekError as error:
        return [("provider", error.what), ("to do", error.hint)]
    source = key.source if key else "none needed"
    url = provider.base_url
    rows = [("provider", f"{provider.title}, {url}"), ("model", model), ("key", source)]
    if session.config.fallback:
        rows.append(("fallback", ", ".join(session.config.fallback)))
    return rows


def models(session: Session, name: str | None = None) -> Report:
    """The ids that the provider lists, with what it says of each."""
    provider, key = session.endpoints.provider(name)
    listed = session.endpoints.models(provider, key)
    rows = []
    for m in listed:
        size = m.get("context_window")
        shown = f"{size:,}" if isinstance(size, int) else ""
        rows.append((str(m["id"]), shown, str(m.get("owned_by") or "")))
    return Report(
        f"Models at {provider.title}: {len(rows)}",
        sorted(rows),
        ("id", "context", "owner") if rows else (),
        "Other ids are sent as they are; not every host lists all it serves.",
    )


def balance(session: Session, name: str | None = None) -> Report:
    """What is left on the account. Granted credit is spent before money topped up."""
    provider, key = session.endpoints.provider(name)
    answer = session.endpoints.balance(provider, key)
    names = ("total_balance", "granted_balance", "topped_up_balance")
    rows = []
    for info in answer.get("balance_infos") or ():
        currency = str(info.get("currency") or "")
        amounts = (Decimal(str(info.get(name) or 0)) for name in names)
        rows.append(tuple(f"{amount:.2f} {currency}".strip() for amount in amounts))
    remark = "" if answer.get("is_available", True) else "Not enough for a request: top up."
    return Report(f"Balance at {provider.title}", rows, ("total", "granted", "topped up"), remark)


def providers(session: Session) -> Report:
    """Every profile: where it is, where its key comes from, its default model."""
    from deepseek_jupyter.transport.keys import find_key

    rows = []
    for name in session.endpoints.names:
        provider = session.endpoints.profile(name)
        try:
            key = find_key(provider)
            source = key.source if key else "needs none"
        except MissingKeyError:
            source = f"no key ({provider.key_variables[0]})"
        chosen = "→ " if name == session.config.provider else ""
        where = provider.base_url or "started when used"
        rows.append((chosen + name, where, source, provider.default_model))
    return Report(
        "Providers",
        rows,
        ("name", "base URL", "key", "default model"),
        "%deepseek provider NAME chooses one for this kernel; -p NAME for one question.",
    )


def parameters(session: Session, name: str | None = None) -> Report:
    """What ``--param`` takes at a provider: range, default, meaning, and when it has no effect."""
    from deepseek_jupyter.protocol.parameters import MEANINGS

    provider = session.endpoints.profile(name)
    dialect, rows = provider.dialect, []
    ignored = dialect.ignored_when_thinking, dialect.ignored_when_not_thinking
    without_effect = (dialect.ignored, *ignored)
    for row, takes in sorted(dialect.rows.items()):
        default, meaning = MEANINGS.get(row, ("", ""))
        notes = [where[row] for where in without_effect if row in where]
        rows.append((row, takes.describe(), default, ". ".join(filter(None, [meaning, *notes]))))
    return Report(
        f"Parameters at {provider.title}",
        rows,
        ("name", "takes", "default", "meaning"),
        "--param NAME=VALUE for one question, %config DeepSeek.parameters for all.",
        1,
    )


# The embedded model


LOCAL_VERBS = ("install", "status", "remove")


def local_model(verb: str, model: str | None) -> Report:
    """What ``local VERB [MODEL]`` does; `model` is an id or, to install, a GGUF file's path."""
    from deepseek_jupyter import local

    if verb == "install":
        return _install(model)
    if verb == "remove":
        freed = local.remove(model)
        return Report(f"{_megabytes(freed)} freed." if freed else "Nothing was installed.")
    now = local.status()
    rows = [
        (m.id, _megabytes(m.size), "verified" if m.verified else "NOT verified", str(m.path))
        for m in now.models
    ]
    have = {m.id for m in now.models}
    rows += [
        (m.id, _megabytes(m.size), _lacking(m.id), m.licence)
        for m in local.MODELS.values()
        if m.id not in have
    ]
    running = [
        f"{s.model} runs (process {s.pid}, idle {s.idle_seconds:.0f} s)" for s in now.servers
    ]
    remark = now.problem or "; ".join(running) or "No server runs; a question starts it."
    return Report("Embedded models", rows, ("model", "size", "state", "where"), remark)


def _lacking(model_id: str) -> str:
    """The state of a model that is not installed."""
    from deepseek_jupyter.local.models import partial_path

    try:
        arrived = _megabytes(partial_path(model_id).stat().st_size)
    except OSError:
        return "not installed"
    return f"{arrived} arrived; install goes on from there"


def _install(model: str | None) -> Report:
    """Say size and licence, then install."""
    from deepseek_jupyter import local

    progress = Progress()
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
    remark = local.status().problem or "Ask it with -p local."
    return Report(
        f"Installed: {installed}", remark=f"{remark}\n{larger_model(model, _memory())}".strip()
    )


def larger_model(asked: str | None, memory: int) -> str:
    """The offer of the larger model, where none was named and so many bytes of memory hold it."""
    from deepseek_jupyter import local

    model = local.MODELS["qwen2.5-coder-1.5b"]
    if asked or memory < _ROOMY or model.id in {m.id for m in local.status().models}:
        return ""
    return (
        f"This machine's memory also holds {model.title}, which is more often right and can call "
        f"tools: deepseek-jupyter local install {model.id} ({_megabytes(model.size)})."
    )


def _memory() -> int:
    """The bytes of this machine's memory; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
