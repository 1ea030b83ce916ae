"""A page with the extension, as the kernel sees it: two comms on subshells, requests and answers.

page = Page(kernel)
page.ask("conversation")                    # waits for the answer; raises Refused
asked = page.send("ask", prompt="Hello")    # does not wait
page.until(lambda m: m["type"] == "turn" and m["event"] == "begun")
page.answer(asked)

`WidgetPage` is the same for a page without the extension, in which `ds.panel()` stands as a widget.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from .kernels import Kernel

__all__ = ["Page", "Refused", "WidgetPage"]


class Refused(Exception):
    """The kernel answered with an error."""


class Page:
    """The comms of one page."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._first = len(kernel.told)
        self._shells = {name: kernel.subshell() for name in ("data", "control")}
        self._ids = {name: uuid4().hex for name in ("data", "control")}
        for name, shell in self._shells.items():
            opened = {"comm_id": self._ids[name], "target_name": f"deepseek.{name}", "data": {}}
            kernel.say("comm_open", opened, shell)
        self._address = {"page": self._ids["data"]}

    @property
    def heard(self) -> list[dict[str, Any]]:
        """Every message so far."""
        told = self._kernel.told[self._first :]
        return [data for comm, data in told if comm == self._ids["data"]]

    def say(self, body: dict[str, Any]) -> None:
        """Send a message on the control comm."""
        content = {"comm_id": self._ids["control"], "data": body}
        self._kernel.say("comm_msg", content, self._shells["control"])

    def leave(self) -> None:
        """Say that the page is closed, as a browser's does."""
        self.say({"type": "leave", "page": self._ids["data"]})

    def send(self, type: str, **body: Any) -> str:
        """Send a request; returns its id."""
        request = uuid4().hex
        self.say({"type": type, "request": request, **self._address, **body})
        return request

    def answer(self, request: str, timeout: float = 60.0) -> dict[str, Any]:
        """The answer to a request."""
        found = self.until(lambda m: m["type"] == "answer" and m["to"] == request, timeout)
        if not found["ok"]:
            raise Refused(f"{found['error']['type']}: {found['error']['message']}")
        result: dict[str, Any] = found["result"]
        return result

    def ask(self, type: str, **body: Any) -> dict[str, Any]:
        """Send a request and wait for the answer."""
        return self.answer(self.send(type, **body))

    def until(
        self, holds: Callable[[dict[str, Any]], bool], timeout: float = 60.0
    ) -> dict[str, Any]:
        """The first message for which `holds`."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for message in self.heard:
                if holds(message):
                    return message
            self._kernel.listen()
        raise AssertionError(f"not heard in {timeout} s; the last: {self.heard[-5:]}")

    def turn(self, event: str, prompt: str) -> dict[str, Any]:
        """The record that came with the news that a turn has ``begun`` or ``ended``."""

        def holds(message: dict[str, Any]) -> bool:
            turn = message["type"] == "turn" and message["event"] == event
            return turn and message["record"]["prompt"] == prompt

        record: dict[str, Any] = self.until(holds)["record"]
        return record


class WidgetPage(Page):
    """The comm of a widget, which the kernel has opened; spoken to on a subshell, as in Lab."""

    def __init__(self, kernel: Kernel, model: str) -> None:
        self._kernel = kernel
        self._first = len(kernel.told)
        self._model = model
        self._shell = kernel.subshell()
        self._address = {}

    @property
    def heard(self) -> list[dict[str, Any]]:
        """Every message so far."""
        told = self._kernel.told[self._first :]
        return [data["content"] for comm, data in told if comm == self._model and "content" in data]

    def say(self, body: dict[str, Any]) -> None:
        """Send a message, as the model's ``send`` does."""
        data = {"method": "custom", "content": body}
        self._kernel.say("comm_msg", {"comm_id": self._model, "data": data}, self._shell)
