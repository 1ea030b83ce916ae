"""What pages hear of the kernel: running turns, position, settings, and what the notebook cost.

The session announces turns as they happen, from a cell, a panel or Python alike. Commands and
assignments of cells (``%deepseek undo``, ``%config DeepSeek.model = …``) are noticed when their
cell has run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from deepseek_jupyter.asking.budget import search_notice
from deepseek_jupyter.config import EFFORTS, THINK
from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.display.frontend import shell
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.errors import ParameterError, PolicyError
from deepseek_jupyter.privacy.rules import Teaching
from deepseek_jupyter.protocol.responses import WEB_SEARCH
from deepseek_jupyter.session.accounts import in_words, notebook_ghosts, notebook_totals
from deepseek_jupyter.session.session import get_session

from .fields import number, texts

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.display.pages import Request
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.transport.providers import Provider

_lock = threading.Lock()
_running: dict[str, Mapping[str, Any]] = {}
_failed: list[tuple[Mapping[str, Any], str | None]] = []  # the newest turn, if it has no answer
_sent: dict[str, Any] = {}
_hooked: WeakSet[Any] = WeakSet()


# Watching


def session() -> Session:
    """The running session; from now on its status is sent to the pages after each turn."""
    found = get_session()
    with _lock:
        if _send_status not in found.watchers:
            found.watchers.append(_send_status)
        running_shell = shell()
        if running_shell is not None and running_shell not in _hooked:
            _hooked.add(running_shell)
            running_shell.events.register("post_run_cell", _cell_has_run)
    return found


def panel_session() -> Session:
    """The running session; from now on its turns, moves and settings too are sent to the pages."""
    found = session()
    with _lock:
        if _send_turn not in found.watchers:
            found.watchers.append(_send_turn)
    return found


def running() -> list[Mapping[str, Any]]:
    """The records, without texts, of the turns that run."""
    with _lock:
        return list(_running.values())


def failed(conversation: Conversation) -> Mapping[str, Any] | None:
    """The record of the newest turn where it brought no answer and the tip has not moved since."""
    here = (conversation.id, conversation.tip)
    with _lock:
        return next((r for r, tip in _failed if (r["conversation"], tip) == here), None)


def forget_failed() -> None:
    """The user has gone on from another turn."""
    with _lock:
        _failed.clear()


def send_state() -> None:
    """Send position and settings to the pages, if they are others than the last time."""
    found = get_session()
    pages.set_seams(_seams(found.conversation))
    lost = failed(found.conversation)
    state = {**position(found.conversation), "failed": lost and lost["id"]}
    state["settings"] = values(found)
    with _lock:
        if state == _sent:
            return
        _sent.clear()
        _sent.update(state)
    pages.send({"type": "moved", **state})


def _cell_has_run(*_: Any) -> None:
    if pages.heard:
        send_state()


def _send_turn(event: str, record: Mapping[str, Any]) -> None:
    if event not in ("begun", "ended"):
        return
    with _lock:
        _failed.clear()
        if event == "begun":
            _running[record["id"]] = record
        else:
            _running.pop(record["id"], None)
            if not (record.get("answer") or record.get("tool_calls") or record.get("steps")):
                _failed.append((record, get_session().conversation.tip))
    if pages.heard:
        pages.send({"type": "turn", "event": event, "record": record})
        if event == "ended":
            send_state()


def _send_status(event: str, record: Mapping[str, Any]) -> None:
    if event in ("kept", "paid") and pages.connected:
        pages.set_seams(_seams(get_session().conversation))
        pages.send({"type": "notebook_status", **status(get_session())})


# Position


def position(conversation: Conversation) -> dict[str, Any]:
    """What distinguishes one state of the tree from another; branches by name with their tips."""
    return {
        "conversation": conversation.id,
        "active": conversation.active,
        "tip": conversation.tip,
        "branches": dict(conversation.branches),
        "count": len(conversation),
    }


def way(conversation: Conversation) -> list[list[Any]]:
    """``[id, tokens, index, count, left, last]`` of each turn of the active branch, oldest first.

    `index` and `count` say which of how many siblings it is, from 1; `left` counts the turns after
    an earlier answer that are out of sight, of which `last` is the last.
    """
    seams = _seams(conversation)
    siblings: dict[str | None, list[str]] = {}
    for node in conversation.nodes():
        siblings.setdefault(node.parent, []).append(node.id)
    found: list[list[Any]] = []
    for node in conversation.way():
        same = siblings[node.parent]
        found.append([node.id, node.tokens, same.index(node.id) + 1, len(same)])
        found[-1] += seams.get(node.id, ())
    return found


def _seams(conversation: Conversation) -> dict[str, list[Any]]:
    return {id: [len(left), left[-1]] for id, left in conversation.seams().items()}


# Status


def status(session: Session, request: Request | None = None) -> dict[str, Any]:
    """``{notebook, asked, turns, spent, tokens, hit, ghosts, ghost_spent}``.

    Money is an estimate; `hit` is the share of the prompt tokens that the provider's cache had.
    Before the first question `asked` is false and `notebook` null: looking must not open the
    journal, nor give a UUID to a notebook that never asks anything. Ghost texts of earlier kernels
    count from the first question or ghost text on.
    """
    asked = bool(session.spent)
    total = sum(notebook_totals(session), Total("")) if asked else Total("")
    paid = notebook_ghosts(session) if asked or session.ghosts.spent else []
    ghosts = sum(paid, Total(""))
    usage = total.usage
    return {
        "notebook": session.conversation.notebook if asked else None,
        "asked": asked,
        "turns": total.turns,
        "spent": in_words([total]),
        "tokens": usage.prompt_tokens + usage.completion_tokens,
        "hit": usage.cache_hit_tokens / usage.prompt_tokens if usage.prompt_tokens else None,
        "ghosts": ghosts.turns,
        "ghost_spent": in_words([ghosts]),
    }


# Settings


def settings(session: Session, request: Request) -> dict[str, Any]:
    """``{set?: {model?, think?, effort?, temperature?, max_tokens?, tools?}}``: set, answer all.

    `tools` are names; see `DeepSeek.panel_tools`.
    """
    wanted = request.body.get("set", {})
    if not isinstance(wanted, Mapping):
        raise ParameterError("The request's set is not an object.")
    checked = {name: _checked(name, value) for name, value in wanted.items()}
    config = session.config
    for name, value in checked.items():
        if name in ("model", "think", "effort"):
            setattr(config, name, value)
        elif name == "tools":
            config.panel_tools = value
        else:
            others = {key: kept for key, kept in config.parameters.items() if key != name}
            config.parameters = others if value is None else {**others, name: value}
    if checked:
        send_state()
    return values(session)


def values(session: Session) -> dict[str, Any]:
    """Each of them as it is, None where the provider decides."""
    config = session.config
    return {
        "provider": config.provider,
        "model": config.model,
        "think": config.think,
        "effort": config.effort,
        "temperature": config.parameters.get("temperature"),
        "max_tokens": config.parameters.get("max_tokens"),
        "tools": list(config.panel_tools),
        "data": config.data_policy,
        "fallback": list(config.fallback),
    }


def models(session: Session, request: Request) -> dict[str, Any]:
    """``{only?}``: the provider and the model that answer when none is set; but for ``only:
    "default"`` the ids that the providers list too, ``provider:id``. `web` is what a web search
    means with the model that is set; empty where it cannot or must not be.
    """
    standard, default = session.endpoints.standard()
    web = _web_search(session, standard, default)
    found: dict[str, Any] = {"provider": standard.title, "default": default, "web": web}
    if request.body.get("only") != "default":
        listed = {default: None, **dict.fromkeys(session.endpoints.offered(standard))}
        found["models"] = list(listed)
    return found


def _web_search(session: Session, standard: Provider, default: str) -> str:
    endpoints, model = session.endpoints, session.config.model
    name, id = endpoints.named(None, model)
    provider = endpoints.profile(name) if name else standard
    try:
        forbidden = Teaching(session.policy_files()).forbids_tool(WEB_SEARCH["type"])
    except PolicyError:  # a file that cannot be read lets no question out
        forbidden = True
    possible = provider.web_search and not forbidden
    return search_notice(session.price(provider, id or default)) if possible else ""


def _checked(name: str, value: object) -> Any:
    if name == "model" and isinstance(value, str) and len(value) <= 200:
        return value.strip()
    if (name == "think" and value in THINK) or (name == "effort" and value in ("", *EFFORTS)):
        return value
    if name == "temperature":
        return number(value, name, 0, 2)
    if name == "max_tokens":
        count = number(value, name, 1, 10_000_000)
        return None if count is None else int(count)
    if name == "tools":
        return list(dict.fromkeys(filter(None, map(str.strip, texts({name: value}, name)))))
    raise ParameterError(f"The setting {name!r} cannot be {value!r}.")
