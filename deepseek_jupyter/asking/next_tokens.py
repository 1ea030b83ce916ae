"""What a model would write next after a text: one token, with those that it might have been.

Temperature and top-p then re-weight what came, here or in the page, without another request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.display.report import Report
from deepseek_jupyter.display.surfaces import surface
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.logprobs import percent, rows, visible
from deepseek_jupyter.session.session import Session

from .ask import ask
from .question import Beginning, Question
from .toolset import NO_TOOLS

NEXT_MIME = "application/vnd.deepseek.next-tokens+json"
_WISH = "Go on with this text, without a word before it."


@dataclass(frozen=True, slots=True, repr=False)
class NextTokens:
    """What most likely follows `text`: `tokens` are pairs of a token and its probability.

    In JupyterLab it has sliders for temperature and top-p.
    """

    text: str
    tokens: tuple[tuple[str, float], ...]
    model: str

    def at(self, temperature: float = 1.0, top_p: float = 1.0) -> tuple[tuple[str, float], ...]:
        """The tokens with the probabilities that they have at these settings, among themselves."""
        first = self.tokens[0][1]  # as 1, so that no power of it vanishes
        powers = [(p / first) ** (1 / max(temperature, 0.01)) for _, p in self.tokens]
        kept = [w for at, w in enumerate(powers) if sum(powers[:at]) < top_p * sum(powers)]
        names = [name for name, _ in self.tokens]
        return tuple((n, weight / sum(kept)) for n, weight in zip(names, kept, strict=False))

    def __repr__(self) -> str:
        return str(self._report())

    def _report(self) -> Report:
        listed = [(visible(name.encode()), percent(p)) for name, p in self.tokens]
        title = " · ".join((self.text, self.model))
        return Report(title, listed, ("token", "p"), quoted=-1)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        told = {"text": self.text, "model": self.model, "tokens": [*map(list, self.tokens)]}
        return {NEXT_MIME: told, "text/html": self._report().html(), "text/plain": repr(self)}


def next_tokens(session: Session, text: str, n: int, **options: Any) -> NextTokens:
    """Ask for one token after `text`. Raises `ParameterError` where the host does not say `n`."""
    question = Question(
        _WISH,
        parameters={"max_tokens": 1, "top_logprobs": n},
        think=False,
        system="",
        history=False,
        cells="none",
        tools=(NO_TOOLS,),
        begins=Beginning(text),
        **options,
    )
    reply = ask(session, question, surface(False))
    found = rows((reply.logprobs or {}).get("content"))
    if not found:
        raise ParameterError(
            f"{reply.model} came without probabilities.", "Ask with -p deepseek or -p local."
        )
    every = {found[0]["token"]: found[0]["p"], **found[0]["alternatives"]}
    listed = sorted(every.items(), key=lambda pair: -pair[1])
    return NextTokens(text, tuple(pair for pair in listed if pair[1])[:n], reply.model)
