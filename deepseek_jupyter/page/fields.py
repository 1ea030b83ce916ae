"""The fields of a request, checked: a page is another program, none of its types is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepseek_jupyter.conversation.records import sound_id
from deepseek_jupyter.errors import ParameterError

_LONGEST_PROMPT = 4_000_000  # characters
_MOST_IDS = 64

Body = Mapping[str, Any]


def text(body: Body, name: str, longest: int = _LONGEST_PROMPT) -> str:
    """A string that must be there."""
    value = body.get(name)
    if not isinstance(value, str) or len(value) > longest:
        raise ParameterError(f"The request's {name} is no text of at most {longest:,} characters.")
    return value


def optional_text(body: Body, name: str, longest: int = 500) -> str | None:
    """A string, or None where there is none or an empty one."""
    return text(body, name, longest) or None if body.get(name) is not None else None


def turn_id(body: Body, name: str) -> str:
    """An id."""
    found = sound_id(body.get(name))
    if found is None:
        raise ParameterError(f"The request's {name} is no id.")
    return found


def ids(body: Body, name: str) -> list[str]:
    """Some ids, at most 64."""
    value = body.get(name)
    found = [sound_id(item) for item in value] if isinstance(value, list) else [None]
    if len(found) > _MOST_IDS or None in found:
        raise ParameterError(f"The request's {name} are no list of at most {_MOST_IDS} ids.")
    return [item for item in found if item is not None]


def texts(body: Body, name: str) -> list[str]:
    """Some short texts, at most 64; none where there are none."""
    value = body.get(name, [])
    found = value if isinstance(value, list) else [None]
    if len(found) > _MOST_IDS or not all(isinstance(t, str) and len(t) <= 500 for t in found):
        raise ParameterError(f"The request's {name} are no list of at most {_MOST_IDS} texts.")
    return list(found)


def objects(body: Body, name: str) -> list[Body]:
    """Some objects, at most 64; none where there are none. Their own fields are unchecked."""
    value = body.get(name, [])
    found = value if isinstance(value, list) else [None]
    if len(found) > _MOST_IDS or not all(isinstance(item, Mapping) for item in found):
        raise ParameterError(f"The request's {name} are no list of at most {_MOST_IDS} objects.")
    return list(found)


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
        raise ParameterError(f"The request's {name} is no number from {least} to {most}.")
    return value


def number(value: object, name: str, least: float, most: float) -> float | None:
    """A number within bounds; None stays None."""
    if value is None:
        return None
    fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    if not fits:
        raise ParameterError(f"{name} is a number from {least:g} to {most:g}.")
    return value  # type: ignore[return-value]
