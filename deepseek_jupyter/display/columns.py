"""Several turns side by side in one output, a column each, while they grow and afterwards.

A column is a surface as any turn has it; what it would publish is kept, and the output has all of
them. A terminal prints each when it has ended.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from deepseek_jupyter.protocol.output import COMPARE_MIME, TURN_MIME
from deepseek_jupyter.sanitizer.text import plain

from .frontend import Output, has_frontend, in_jupyter
from .render import Bundle, compared_bundle, growing_columns, streaming_bundle
from .report import Report
from .surfaces import UNSETTLED, Card, Notebook, Nowhere, Surface, Terminal, surface
from .transcript import Throttle


class Columns(Surface):
    """The output: `columns` are the surfaces of its turns, `id` is its own. Without an output where
    the surfaces are given.
    """

    def __init__(
        self, names: Sequence[str], show: bool | None = None, columns: Sequence[Surface] = ()
    ) -> None:
        self.id, self.names = uuid4().hex, list(names)
        fitting = surface(show)
        self.visible = fitting.visible
        self._output, self._throttle, self._closed = Output(), Throttle(), False
        self._parts: list[_Part] = []
        self.columns = columns or [self._column(fitting, name) for name in names]

    def _column(self, fitting: Surface, name: str) -> Surface:
        if isinstance(fitting, Card | Notebook):
            self._parts.append(_Part(self._output))
            return type(fitting)(self._parts[-1])
        return _Printed(name) if isinstance(fitting, Terminal) else Nowhere()

    def open(self, prompt: str) -> None:
        for column in self.columns:
            column.open(prompt)
        self.tick()

    def refuse(self, error: BaseException) -> None:
        if self._output.begun and not self._closed:  # the cell's own error says it all
            self._output.end({"text/html": "", "text/plain": ""})

    def tick(self) -> None:
        """Show what has changed, as often as its size allows."""
        now, bundles = time.monotonic(), [part.bundle for part in self._parts]
        if not any(part.changed for part in self._parts) or not self._throttle.due(now):
            return
        for part in self._parts:
            part.changed = False
        bundle: Bundle = {"text/plain": "…"}
        if any("text/html" in one for one in bundles):
            cards = [one.get("text/html", "") for one in bundles]
            bundle["text/html"] = growing_columns(self.names, cards)
        if "text/html" not in bundle or in_jupyter():
            turns = [{k: one[k] for k in one.keys() - {"text/html"}} for one in bundles]
            bundle[COMPARE_MIME] = {"schema": 1, "id": self.id, "names": self.names, "turns": turns}
        self._output.show(bundle)
        size = len(str(bundle))
        self._throttle.published(now, size, size)

    def close(self, records: Mapping[str, Mapping[str, Any]], figures: Report) -> None:
        """The last state, of the turns' records by name; a terminal shows `figures` below them,
        and their remark is said of all.
        """
        self._closed = True
        if has_frontend() and self.visible:
            first = next(iter(records.values()))
            bundle = compared_bundle(self.id, records, figures.remark)
            self._output.end(bundle, {"id": self.id, "cell_id": first["cell_id"]})
        elif self.visible:
            print(figures.said(), flush=True)


class _Part(Output):
    """What a column publishes."""

    def __init__(self, whole: Output) -> None:
        super().__init__()
        self.share = whole.share  # type: ignore[method-assign]
        self.bundle: Bundle = {TURN_MIME: UNSETTLED}
        self.changed = False

    def show(self, bundle: Mapping[str, Any]) -> None:
        self.begun, self.bundle, self.changed = True, dict(bundle), True

    def end(
        self, bundle: Mapping[str, Any], record: Mapping[str, Any] | None = None, html: str = ""
    ) -> None:
        """Its card stays beside those that grow."""
        card = {}
        if record and "text/html" in self.bundle:
            took = record["timing"]["total"] or 0.0
            said = {"status": record["status"], "elapsed": took, "notices": record["notices"]}
            card = streaming_bundle(html, record["reasoning"], steps=record["steps"], **said)
        self.show({**card, **bundle})


class _Printed(Terminal):
    """A column of a terminal, printed at its end."""

    def __init__(self, name: str) -> None:
        self._name, self._text = name, io.StringIO()
        super().__init__(self._text)

    def end(self, record: Mapping[str, Any]) -> None:
        super().end(record)
        print(f"── {plain(self._name)} ──\n{self._text.getvalue()}", flush=True)
