"""The settings that the panel has controls for. They are the kernel's: cells see them too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.errors import DeepSeekError, ParameterError

from .fields import number, texts

if TYPE_CHECKING:
    from deepseek_jupyter.display.pages import Request
    from deepseek_jupyter.session.session import Session

__all__ = ["models", "settings", "values"]

_THINK = ("auto", "on", "off")
_EFFORTS = ("", "none", "low", "high", "max")


def settings(session: Session, request: Request) -> dict[str, Any]:
    """``{set?: {model?, think?, effort?, temperature?, max_tokens?, tools?}}``: set some, tell all.

    `tools` are names; see `DeepSeek.panel_tools`.
    """
    wanted = request.body.get("set", {})
    if not isinstance(wanted, Mapping):
        raise ParameterError("The request's set is no object.")
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
        from .watching import tell

        tell()
    return values(session)


def values(session: Session) -> dict[str, Any]:
    """Each of them as it is, None where the provider decides."""
    config = session.config
    return {
        "model": config.model,
        "think": config.think,
        "effort": config.effort,
        "temperature": config.parameters.get("temperature"),
        "max_tokens": config.parameters.get("max_tokens"),
        "tools": list(config.panel_tools),
    }


def models(session: Session, request: Request) -> dict[str, Any]:
    """The ids that the provider lists, and the one that is used when none is set."""
    provider, key = session.endpoints.provider(None)
    try:
        listed = [str(m["id"]) for m in session.endpoints.models(provider, key)]
    except DeepSeekError:
        listed = []  # any id can be typed; a host that lists none is no trouble
    default = session.endpoints.model(None, provider, key)
    return {"provider": provider.title, "default": default, "models": sorted({*listed, default})}


def _checked(name: str, value: object) -> Any:
    if name == "model" and isinstance(value, str) and len(value) <= 200:
        return value.strip()
    if name == "think" and value in _THINK:
        return value
    if name == "effort" and value in _EFFORTS:
        return value
    if name == "temperature":
        return number(value, name, 0, 2)
    if name == "max_tokens":
        count = number(value, name, 1, 10_000_000)
        return None if count is None else int(count)
    if name == "tools":
        return list(dict.fromkeys(filter(None, map(str.strip, texts({name: value}, name)))))
    raise ParameterError(f"The setting {name!r} cannot be {value!r}.")
