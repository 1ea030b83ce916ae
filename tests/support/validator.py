"""DeepSeek's own request validator (the `deepseek-recipe` package; it exists for Linux)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

try:
    import deepseek_recipe as recipe
except ImportError:  # not Linux
    recipe = None  # type: ignore[assignment]

_MODEL = "DeepSeek-V4.1-Flash"  # the validator knows the served names only


def complaint(body: Mapping[str, Any]) -> str | None:
    """What the validator says against a chat completions body; None when it accepts it.

    In its strictest mode: in thinking mode a turn with tool calls must bring its reasoning back.
    """
    if recipe is None:
        return None
    options = recipe.ConversionOptions(
        reasoning_content_behavior=recipe.ReasoningContentBehavior.Reject
    )
    try:
        recipe.ChatCompletionRequest({**body, "model": _MODEL}).convert(options)
    except (recipe.ConversionError, ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return None


_WIRES = {"messages": "MessagesRequest", "responses": "ResponsesRequest"}


def refused(wire: str, body: Mapping[str, Any]) -> str | None:
    """`complaint` about a body of any wire."""
    if recipe is None or wire == "chat":
        return complaint(body)
    reject = recipe.ReasoningContentBehavior.Reject
    try:
        options = recipe.ConversionOptions(reasoning_content_behavior=reject)
        getattr(recipe, _WIRES[wire])({**body, "model": _MODEL}).convert(options)
    except (recipe.ConversionError, ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return None
