"""What ran in this kernel: `Executed` is one run of a cell, `Log` keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Executed:
    """One run of a cell.

    `count` is the number in ``In[…]``, `source` what the cell said, `python` what IPython made of
    it (magics turned into calls; the source itself where that is unknown), `id` the cell's id where
    the front end sends one, `failed` whether the run ended in an error, `at` when it ended
    (seconds since the epoch, 0 where that is unknown).
    """

    count: int
    source: str
    python: str = ""
    id: str | None = None
    failed: bool = False
    at: float = 0.0

    @property
    def name(self) -> str:
        """As people and prompts call it: ``In[3]``."""
        return f"In[{self.count}]"


class Log:
    """The runs since the extension was loaded, and the error that came last."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.failed: Executed | None = None
        self._runs: dict[int, Executed] = {}

    def add(self, run: Executed, error: BaseException | None = None) -> None:
        self._runs[run.count] = run
        if error is not None:
            self.failed, self.error = run, error

    def has(self, count: int) -> bool:
        return count in self._runs

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]

    def runs(self, earlier: Sequence[str], transform: Callable[[str], str]) -> list[Executed]:
        """Every run in order, also of `earlier` sources, which `transform` of IPython's reads."""
        found = {n: Executed(n, text) for n, text in enumerate(earlier) if n and text}
        found |= self._runs
        return [
            run if run.python else replace(run, python=_transformed(run.source, transform))
            for _, run in sorted(found.items())
        ]


def _transformed(source: str, transform: Callable[[str], str]) -> str:
    try:
        return transform(source)
    except SyntaxError:  # as the cell itself failed
        return source


log = Log()
