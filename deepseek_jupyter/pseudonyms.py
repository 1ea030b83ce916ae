"""Pseudonyms such as ``<email-1>``: their form, and the way back. Pure.

`context.gate` gives them out; whatever shows a turn puts the originals back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["PSEUDONYM", "reveal"]

PSEUDONYM = re.compile(r"<([a-z]{2,12})-(\d{1,7})>")


def reveal(text: str, known: Mapping[str, str]) -> str:
    """`text` with the originals in place of their pseudonyms; one without an original stays."""
    if not known or "<" not in text:
        return text
    return PSEUDONYM.sub(lambda match: known.get(match[0]) or match[0], text)
