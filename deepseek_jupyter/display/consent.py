"""Asking the user whether a call may run: by the card's buttons, by `input`, or nobody can answer.

Everything that would run is shown, as it would run, in characters that cannot hide or reorder
anything. Where nobody can answer (nbclient, papermill, a script without a terminal) it is no.
"""

from __future__ import annotations

import sys
import unicodedata

from .frontend import shell
from .pages import Answer, pages

__all__ = ["Answer", "Asking", "shown"]

_WORDS: dict[str, Answer] = {
    **dict.fromkeys(("y", "yes"), "yes"),
    **dict.fromkeys(("a", "always"), "always"),
}
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def shown(text: str) -> str:
    """`text` with every character that is not seen written as its code point."""
    return "".join(
        f"⟨U+{ord(char):04X}⟩"
        if char not in "\n\t" and unicodedata.category(char) in _INVISIBLE
        else char
        for char in text
    )


class Asking:
    """One question to the user. `poll` gives the answer once it is there, else None.

    With `on_card` the card of the turn shows the question and has the buttons; otherwise the
    first `poll` asks with `input` and waits for it.
    """

    def __init__(self, turn: str, call: str, name: str, text: str, *, on_card: bool) -> None:
        self._turn, self._call = turn, call
        self._name, self._text = name, text
        self._on_card = on_card
        if on_card:
            pages.expect(turn, call)

    def poll(self, seconds: float = 0.0) -> Answer | None:
        """The answer, waited for up to `seconds`."""
        if self._on_card:
            return pages.answer(self._turn, self._call, seconds)
        return self._by_input() if _stdin() else "nobody"

    def close(self) -> None:
        """An answer is not expected any more."""
        if self._on_card:
            pages.expect_no_more(self._turn, self._call)

    def _by_input(self) -> Answer:
        print(f"The model asks to run {shown(self._name)}:\n\n{self._text}\n", flush=True)
        try:
            said = input("Run it? [y]es, [n]o, [a]lways in this conversation: ")
        except (EOFError, NotImplementedError):
            return "nobody"
        return _WORDS.get(said.strip().lower(), "no")


def _stdin() -> bool:
    """Whether somebody can type: the front end says so with each execution."""
    running = shell()
    if getattr(running, "kernel", None) is not None:
        parent = running.get_parent() if hasattr(running, "get_parent") else None
        return bool(((parent or {}).get("content") or {}).get("allow_stdin"))
    stream = sys.stdin
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
