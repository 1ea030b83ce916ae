"""`Tool`: one function the model may ask for, as a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Consent", "Tool"]

# "ask": each call waits for the user's yes. "never needed": it can only read what the user has
# handed over, so a call runs without asking (unless `--approve ask` or `never` says otherwise).
Consent = Literal["ask", "never needed"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call by `name`.

    `description` and `parameters_schema` (a JSON schema of type object) are what the model reads.
    `call` takes the arguments as keywords and returns any value, or an awaitable of one; what it
    raises is told to the model. `consent` says whether a call waits for the user.

    `text` turns the value into what the model reads; None leaves that to the loop. `check` turns
    the parsed arguments into the keywords of `call`, and raises `ToolArgumentsError` with words
    for the model; None passes them as they are. `preview` is what the user is shown before
    consenting: all of what would run; None shows the arguments as JSON. `on_caller_thread` False
    lets synchronous calls of one round run side by side in threads; such a call may not display.
    `masked` gives `call` the arguments as the model wrote them, pseudonyms and all: its data has
    the same ones. `close` is called once the question is answered. `notice` is a sentence for the
    user that stands under the answer.
    """

    name: str
    description: str
    parameters_schema: Mapping[str, Any]
    call: Callable[..., Any]
    consent: Consent = "ask"
    text: Callable[[Any], str] | None = None
    check: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    preview: Callable[[Mapping[str, Any]], str] | None = None
    on_caller_thread: bool = True
    masked: bool = False
    close: Callable[[], None] | None = None
    notice: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The item of the request's ``tools``."""
        function: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters_schema),
        }
        return {"type": "function", "function": function}

    def shown(self, arguments: Mapping[str, Any]) -> str:
        """Everything that a call with these arguments would run, for the user's eyes."""
        if self.preview is not None:
            return self.preview(arguments)
        return json.dumps(arguments, ensure_ascii=False, indent=2, default=str)
