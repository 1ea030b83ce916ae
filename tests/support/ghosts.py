"""A page that asks for ghost text, without a browser and without a kernel."""

from __future__ import annotations

import json
import threading

from deepseek_jupyter.display.pages import Request
from deepseek_jupyter.page.inline_completion import cancel, complete, settle

__all__ = ["Page"]


class Page:
    """A page: it asks, and remembers what it is told."""

    def __init__(self, session, name: str = "page") -> None:
        self.session, self.name = session, name
        self.told: list[dict] = []
        self._news = threading.Condition()

    def complete(self, id: str, prefix: str = "def add(a, b):\n    ", **more) -> None:
        complete(self.session, self._request(id=id, prefix=prefix, **more))

    def settle(self) -> None:
        settle(self.session, self._request())

    def cancel(self, id: str) -> None:
        cancel(self.session, self._request(id=id))

    def until(self, test, seconds: float = 10):
        with self._news:
            assert self._news.wait_for(lambda: any(map(test, self.told)), seconds), self.told
            return next(filter(test, self.told))

    def done(self, id: str) -> dict:
        return self.until(lambda m: m["id"] == id and m.get("done"))

    def text(self, id: str) -> str:
        return "".join(m.get("text", "") for m in self.told if m["id"] == id)

    def _request(self, **body) -> Request:
        return Request({"page": self.name, **body}, self._tell)

    def _tell(self, message) -> None:
        with self._news:
            self.told.append(json.loads(json.dumps(message)))
            self._news.notify_all()
