"""`Variant`: a model and how it is asked, as one of several that are compared.

Written ``[provider:]model[?name=value&…]``, as ``deepseek-flash?think=off&t=0``. Names are
``think`` (on, off), ``effort``, ``system`` (a text, or ``@name`` of the notebook), ``provider``,
``name``, ``t`` for temperature, and any parameter of the provider. ``%2C`` is a comma in a value,
``%26`` an ampersand. From Python also a dict of these with ``model``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.parameters import parse_value

if TYPE_CHECKING:
    from deepseek_jupyter.asking.prepare import Prepared
    from deepseek_jupyter.asking.question import Question

_SWITCH = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
_SHORT = {"t": "temperature", "p": "provider", "s": "system"}
_OWN = ("name", "model", "provider", "think", "effort", "system")
_LEAST_TOP_P = 0.95  # of a thinking DeepSeek model; lower values count as this one


@dataclass(frozen=True, slots=True)
class Variant:
    """`name` is what it is called in results. None: as the question says, or the settings."""

    name: str
    model: str | None = None
    provider: str | None = None
    think: bool | None = None
    effort: str | None = None
    system: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: object, names: Mapping[str, Any]) -> Variant:
        """The variant that a text or dict means; `names` are the notebook's.

        Raises `ParameterError`.
        """
        if isinstance(given, Variant):
            return given
        if isinstance(given, str):
            model, _, query = given.strip().partition("?")
            values: dict[str, Any] = {"name": given.strip(), **_parsed(query, given)}
            values["model"] = model.strip() or None
        elif isinstance(given, Mapping):
            values = {_SHORT.get(str(name), str(name)): value for name, value in given.items()}
            values.setdefault("name", _written(values))
        else:
            raise ParameterError(f"A variant cannot be {given!r}.", _FORM)
        values["think"] = _switched(values.get("think"), given)
        values["system"] = _system(values.get("system"), names)
        own = {name: values.pop(name) for name in _OWN if name in values}
        return cls(**{**own, "name": str(own["name"])}, parameters=values)

    def ask(self, question: Question) -> Question:
        """`question`, asked of this variant."""
        settled = {"effort": self.effort, "think": self.think, "system": self.system}
        given: dict[str, Any] = {n: value for n, value in settled.items() if value is not None}
        if self.model or self.provider:  # a provider of its own goes with a model of its own
            given |= {"model": self.model, "provider": self.provider}
        return replace(question, **given, parameters={**question.parameters, **self.parameters})


_AGAIN = "repeats= in a suite, times= in a comparison asks one again."
_FORM = 'Write "model", "provider:model" or "model?think=off&t=0", or a dict of these.'


def variants_of(given: object, names: Mapping[str, Any], least: int = 2) -> tuple[Variant, ...]:
    """The variants in a text with commas, or in a list; each has a name of its own.

    Raises `ParameterError` for less than `least`, and for two of one name.
    """
    if isinstance(given, str):
        given = [part for part in given.split(",") if part.strip()]
    several = isinstance(given, Iterable) and not isinstance(given, Mapping)
    found = tuple(Variant.of(one, names) for one in (given if several else (given,)))  # type: ignore[attr-defined]
    called = [variant.name for variant in found]
    if twice := next((name for name in called if called.count(name) > 1), None):
        raise ParameterError(f"The variant {twice} is there twice.", _AGAIN)
    if len(found) < least:
        raise ParameterError(f"{len(found)} variants are too few to compare.", _FORM)
    return found


def check_different(variants: Sequence[Variant], prepared: Sequence[Prepared]) -> None:
    """Raise `ParameterError` where two variants of one question send the server the same thing."""
    seen: dict[str, Variant] = {}
    for variant, one in zip(variants, prepared, strict=True):
        other = seen.setdefault(_effective(one), variant)
        if other is not variant:
            raise ParameterError(
                f"{other.name} and {variant.name} ask the same of {one.provider.title}.",
                " ".join(_void(one).values()) or _AGAIN,
            )


def _effective(prepared: Prepared) -> str:
    """What a request asks of its server, without parameters that have no effect there."""
    built, dialect = prepared.built, prepared.provider.dialect
    body = {n: v for n, v in built.body.items() if n not in _void(prepared)}
    if built.thinks and "top_p" in dialect.ignored_when_thinking and "top_p" in built.body:
        body["top_p"] = max(built.body["top_p"], _LEAST_TOP_P)
    body.pop("thinking", None)  # the provider's default, or said: what counts is whether it does
    return json.dumps([prepared.provider.base_url, built.thinks, body], sort_keys=True)


def _void(prepared: Prepared) -> dict[str, str]:
    """The parameters that have no effect on the answer, each with the reason."""
    dialect, thinks = prepared.provider.dialect, prepared.built.thinks
    by_mode = dialect.ignored_when_thinking if thinks else dialect.ignored_when_not_thinking
    said = {**dialect.ignored, **by_mode}
    return {name: reason for name, reason in said.items() if name in prepared.built.body}


def _parsed(query: str, given: str) -> dict[str, Any]:
    """The values of ``name=value&…``; a name that is repeated has a list."""
    values: dict[str, Any] = {}
    for part in filter(None, query.split("&")):
        name, equals, text = part.partition("=")
        name, text = _SHORT.get(name.strip(), name.strip()), unquote(text)
        if not equals or not name:
            raise ParameterError(f"{part!r} in the variant {given!r} sets nothing.", _FORM)
        value: Any = text if name in _OWN else parse_value(text)
        values[name] = [*_list(values[name]), value] if name in values else value
    return values


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _written(values: Mapping[str, Any]) -> str:
    """A dict as a text would say it."""
    rest = {n: v for n, v in values.items() if n not in ("model", "name") and v is not None}
    said = {n: {True: "on", False: "off"}.get(v, v) if n == "think" else v for n, v in rest.items()}
    query = "&".join(f"{name}={quote(str(value), safe=' @:/')}" for name, value in said.items())
    return "?".join(filter(None, (str(values.get("model") or ""), query)))


def _switched(value: object, given: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    known = _SWITCH.get(str(value).casefold())
    if known is None:
        raise ParameterError(f"think={value} in the variant {given!r} is neither.", "think=on|off")
    return known


def _system(value: object, names: Mapping[str, Any]) -> str | None:
    """A system prompt: as it is, or the text of the variable that ``@name`` is."""
    if value is None or not str(value).startswith("@"):
        return None if value is None else str(value)
    text = names.get(str(value)[1:])
    if not isinstance(text, str):
        raise ParameterError(f"There is no text {value} for a system prompt.", "system=@variable")
    return text
