"""Several turns side by side in one output, a column each, while they grow and afterwards.

A column is a surface as any turn has it; what it would publish is kept, and the output has all of
them. A terminal prints each when it has ended.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from deepseek_jupyter.protocol.output import COMPARE_MIME, TURN_MIME
from deepseek_jupyter.sanitizer.text import plain

from .frontend import Output, has_frontend, in_jupyter
from .render import Bundle, compared_bundle, growing_columns, whole_card
from .report import Report
from .surfaces import UNSETTLED, Card, Notebook, Nowhere, Surface, Terminal, surface
from .transcript import Throttle


class Columns(Surface):
    """The output: `columns` are the surfaces of its turns, `id` is its own. There is none where
    the surfaces are given.
    """

    def __init__(
        self,
        names: Sequence[str],
        show: bool | None = None,
        columns: Sequence[Surface] = (),
    ) -> None:
        self.id, self.names = uuid4().hex, list(names)
        fitting = surface(show)
        self.visible = fitting.visible
        self._output = Output()
        self._parts: list[_Part] = []
        self._throttle, self._changed, self._closed = Throttle(), False, False
        self.columns = columns or [self._column(fitting, name) for name in names]

    def _column(self, fitting: Surface, name: str) -> Surface:
        if isinstance(fitting, Card | Notebook):
            self._parts.append(_Part(self))
            return type(fitting)(self._parts[-1])
        return _Printed(name) if isinstance(fitting, Terminal) else Nowhere()

    def open(self, prompt: str) -> None:
        for column in self.columns:
            column.open(prompt)
        self.tick()

    def refuse(self, error: BaseException) -> None:
        if self._output.begun and not self._closed:  # the cell's own error says it all
            self._output.end({"text/html": "", "text/plain": ""})

    def change(self) -> None:
        """A column is another."""
        self._changed = True

    def share(self) -> None:
        """Something else is about to be shown in the cell."""
        self._output.share()

    def tick(self) -> None:
        """Show what has changed, as often as its size allows."""
        now = time.monotonic()
        if not self._changed or not self._throttle.due(now):
            return
        self._changed = False
        bundle: Bundle = {"text/plain": "…"}
        if any("text/html" in part.bundle for part in self._parts):
            shown = [part.bundle.get("text/html", "") for part in self._parts]
            bundle["text/html"] = growing_columns(self.names, shown)
        if "text/html" not in bundle or in_jupyter():
            turns = [part.turn for part in self._parts]
            bundle[COMPARE_MIME] = {"schema": 1, "id": self.id, "names": self.names, "turns": turns}
        self._output.show(bundle)
        size = sum(len(str(part.bundle)) for part in self._parts)
        self._throttle.published(now, size, size)

    def close(self, records: Sequence[Mapping[str, Any]], figures: Report) -> None:
        """The last state, of the turns' records; `figures` are what a terminal shows below them,
        and their remark is said of all.
        """
        self._closed = True
        if has_frontend() and self.visible:
            bundle = compared_bundle(self.id, records, figures.remark)
            self._output.end(bundle, {"id": self.id, "cell_id": records[0]["cell_id"]})
        elif self.visible:
            print(figures.said(), flush=True)


class _Part(Output):
    """What a column publishes."""

    def __init__(self, whole: Columns) -> None:
        super().__init__()
        self._whole = whole
        self.bundle: Bundle = {TURN_MIME: UNSETTLED}

    @property
    def turn(self) -> Bundle:
        return {kind: value for kind, value in self.bundle.items() if kind != "text/html"}

    def show(self, bundle: Mapping[str, Any]) -> None:
        self.begun, self.bundle = True, dict(bundle)
        self._whole.change()

    def share(self) -> None:
        self._whole.share()

    def end(self, bundle: Mapping[str, Any], record: Mapping[str, Any] | None = None) -> None:
        html = {"text/html": whole_card(record)} if record and "text/html" in self.bundle else {}
        self.show({**bundle, **html})


class _Printed(Terminal):
    """A column of a terminal, printed at its end."""

    def __init__(self, name: str) -> None:
        super().__init__(io.StringIO())
        self._name = name

    def end(self, record: Mapping[str, Any]) -> None:
        super().end(record)
        written = self._out.getvalue()  # type: ignore[attr-defined]
        print(f"── {plain(self._name)} ──\n{written}", file=sys.stdout, flush=True)
