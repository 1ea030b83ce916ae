"""`RowFunction`: a map as one picklable function, for engines that bring their own workers.

It holds words and options and nothing else: no key, no connection, no frame. Each worker reads its
own key from its environment, keeps its own journal and has its own limit, so the number of workers
times `concurrency` is what the account must allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RowFunction:
    """Call it with a frame, or with an iterator of frames as Spark's ``mapInPandas`` does."""

    prompt: str
    options: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, batch: Any) -> Any:
        if isinstance(batch, Iterator):
            return (self._answered(frame) for frame in batch)
        return self._answered(batch)

    def _answered(self, frame: Any) -> Any:
        from deepseek_jupyter.session.session import get_session

        from .verbs import map

        config = get_session().config
        for name, value in self.settings.items():
            setattr(config, name, value)
        return map(frame, self.prompt, rows="all", show=False, **self.options)


# What a worker needs of the settings; there is none for a key.
_SETTINGS = (
    *("provider", "model", "base_url", "think", "system", "parameters", "providers"),
    *("prices", "data_policy", "detectors", "attempts", "first_timeout"),
)


def row_function(prompt: str, *, budget: float | str, **options: Any) -> RowFunction:
    """A function from a frame to the frame with answers, for ``map_batches`` and ``mapInPandas``.

    It takes the options of `map`; `budget` is for each call, that is for each batch. The present
    settings go along, and no key: each worker needs its own in its environment. Name columns only:
    a variable of this notebook is not there on the workers.
    """
    from deepseek_jupyter.session.session import get_session

    config = get_session().config
    settings = {name: getattr(config, name) for name in _SETTINGS}
    plain = {n: list(v) if isinstance(v, list) else v for n, v in settings.items()}
    plain = {n: dict(v) if isinstance(v, dict) else v for n, v in plain.items()}
    return RowFunction(prompt, {"budget": budget, **options}, plain)
