"""The fields of a request, checked: a page is another program, none of its types is trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deepseek_jupyter.conversation.turn import sound_id
from deepseek_jupyter.errors import ParameterError

_LONGEST_PROMPT = 4_000_000  # characters
_MOST_ITEMS = 64

Body = Mapping[str, Any]


def text(body: Body, name: str, longest: int = _LONGEST_PROMPT) -> str:
    value = body.get(name)
    if not isinstance(value, str) or len(value) > longest:
        raise ParameterError(
            f"The request's {name} is not a text of at most {longest:,} characters."
        )
    return value


def turn_id(body: Body, name: str) -> str:
    found = sound_id(body.get(name))
    if found is None:
        raise ParameterError(f"The request's {name} is not an id.")
    return found


def ids(body: Body, name: str) -> list[str]:
    """Some ids, at most 64."""
    return _list(body.get(name), name, "ids", sound_id)


def texts(body: Body, name: str) -> list[str]:
    """Some short texts, at most 64; none where there are none."""
    return _list(body.get(name, []), name, "texts", lambda t: isinstance(t, str) and len(t) <= 500)


def objects(body: Body, name: str) -> list[Body]:
    """Some objects, at most 64; none where there are none. Their own fields are unchecked."""
    return _list(body.get(name, []), name, "objects", lambda item: isinstance(item, Mapping))


def _list(value: object, name: str, what: str, fits: Callable[[Any], object]) -> list[Any]:
    if isinstance(value, list) and len(value) <= _MOST_ITEMS and all(map(fits, value)):
        return list(value)
    raise ParameterError(f"The request's {name} are not a list of at most {_MOST_ITEMS} {what}.")


def flag(body: Body, name: str) -> bool:
    """True or False; False where it is not there."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise ParameterError(f"The request's {name} is neither true nor false.")
    return value


def whole(body: Body, name: str, least: int, most: int, default: int) -> int:
    """A whole number within bounds."""
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ParameterError(f"The request's {name} is not a number from {least} to {most}.")
    return value


def number(value: object, name: str, least: float, most: float) -> float | None:
    """A number within bounds; None stays None."""
    if value is None:
        return None
    fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    if not fits:
        raise ParameterError(f"{name} is a number from {least:g} to {most:g}.")
    return value  # type: ignore[return-value]
