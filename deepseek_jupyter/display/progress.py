"""A progress bar for what takes a while: one line in a terminal, one output in a notebook."""

from __future__ import annotations

import sys
import time

from deepseek_jupyter.words import said

from .frontend import Output, has_frontend
from .report import inert

_INTERVAL = 0.2  # seconds between updates
_WIDTH = 30  # characters of the bar


class Progress:
    """Call it with bytes done, bytes in all (0 if unknown) and what is being done."""

    def __init__(self) -> None:
        self._output = Output()
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
        text = f"{phase} {done / 1e6:,.0f} of {total / 1e6:,.0f} MB" if total else phase
        shown = said(text)
        if has_frontend():
            bar = f'<progress value="{done}" max="{total}"></progress> ' if total else ""
            bundle = {"text/html": f"<div>{bar}{inert(shown)}</div>", "text/plain": text}
            self._output.show(bundle)
            self._begun = True
        elif sys.stderr.isatty():
            filled = _WIDTH * done // total if total else 0
            bar = f"[{'█' * filled}{' ' * (_WIDTH - filled)}] " if total else ""
            print(f"\r\x1b[2K{bar}{shown}", end="", file=sys.stderr, flush=True)
            self._begun = True
        elif changed:
            print(shown, file=sys.stderr)

    def close(self) -> None:
        if self._begun and not has_frontend():
            print(file=sys.stderr)
