"""A progress bar for what takes a while: one line in a terminal, one output in a notebook."""

from __future__ import annotations

import html
import sys
import time
from uuid import uuid4

from .frontend import has_frontend, publish

_INTERVAL = 0.2  # seconds between updates
_WIDTH = 30  # characters of the bar


class Progress:
    """Call it with bytes done, bytes in all (0 if unknown) and what is being done."""

    def __init__(self) -> None:
        self._id = uuid4().hex
        self._begun = False
        self._last = 0.0
        self._phase = ""

    def __call__(self, done: int, total: int, phase: str) -> None:
        """Show it, at most five times a second and at every change of phase."""
        now = time.monotonic()
        if phase == self._phase and now - self._last < _INTERVAL and done < total:
            return
        self._last = now
        changed, self._phase = phase != self._phase, phase
        if has_frontend():
            self._publish(done, total, phase)
        else:
            self._print(done, total, phase, changed)

    def close(self) -> None:
        """End the line in a terminal."""
        if self._begun and not has_frontend():
            print(file=sys.stderr)

    def _publish(self, done: int, total: int, phase: str) -> None:
        text = _text(done, total, phase)
        bar = f'<progress value="{done}" max="{total}"></progress> ' if total else ""
        bundle = {"text/html": f"<div>{bar}{html.escape(text)}</div>", "text/plain": text}
        publish(bundle, self._id, update=self._begun)
        self._begun = True

    def _print(self, done: int, total: int, phase: str, changed: bool) -> None:
        if not sys.stderr.isatty():
            if changed:
                print(_text(done, total, phase), file=sys.stderr)
            return
        filled = _WIDTH * done // total if total else 0
        bar = f"[{'█' * filled}{' ' * (_WIDTH - filled)}] " if total else ""
        print(f"\r\x1b[2K{bar}{_text(done, total, phase)}", end="", file=sys.stderr, flush=True)
        self._begun = True


def _text(done: int, total: int, phase: str) -> str:
    if not total:
        return phase
    return f"{phase} {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
