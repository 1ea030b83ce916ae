"""Watch a page while a card streams."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_suffix(".js").read_text()


@dataclass(frozen=True)
class Seen:
    """What the page went through."""

    long_frames: int
    """Frames that took more than 50 ms."""
    longest: float
    removed: int
    """Nodes that were taken out of the card, as the browser counts them."""
    blank: int
    """Frames in which text that had been there was gone."""
    shrunk: int
    """Frames in which much of the text was gone."""
    last: float
    """When the text last changed, in seconds since 1970."""


def watch(page: Any) -> None:
    page.evaluate(SCRIPT)


def seen(page: Any) -> Seen:
    raw = page.evaluate("() => window.__seen")
    frames = raw["frames"]
    return Seen(
        long_frames=sum(frame > 50 for frame in frames),
        longest=max(frames, default=0.0),
        removed=raw["removed"],
        blank=raw["blank"],
        shrunk=raw["shrunk"],
        last=raw["last"] / 1000,
    )
