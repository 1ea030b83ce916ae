"""What a model would write next after a text: one token, with those that it might have been; and
an answer that goes on from another token than its own.

Temperature and top-p re-weight what came, here or in the page, without another request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.display.surfaces import surface
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.logprobs import Token, chance, percent, rows, tokens_of, visible
from deepseek_jupyter.session.session import Session

from .ask import ask
from .question import Beginning, Question
from .reply import Reply
from .toolset import NO_TOOLS

NEXT_MIME = "application/vnd.deepseek.next-tokens+json"
_THINKING = ("thinking", "reasoning_effort", "reasoning", "enable_thinking", "chat_template_kwargs")
_END = re.compile(rb"<(\||\xef\xbd\x9c).*(\||\xef\xbd\x9c)>|</?s>|")
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
        found = {"text": self.text, "model": self.model, "tokens": [*map(list, self.tokens)]}
        return {NEXT_MIME: found, "text/html": self._report().html(), "text/plain": repr(self)}


def next_tokens(session: Session, text: str, n: int, **options: Any) -> NextTokens:
    """Ask for one token after `text`. Raises `ParameterError` where no host reports `n`."""
    if not isinstance(text, str) or not text.strip():
        raise ParameterError("There is no text to go on from.", "Pass the beginning of one.")
    if not 1 <= n <= 20:
        raise ParameterError("n is a number from 1 to 20.")
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
            f"{reply.model} returned no probabilities of tokens.",
            "Ask with -p deepseek or -p local.",
        )
    every = {found[0]["token"]: found[0]["p"], **found[0]["alternatives"]}
    listed = sorted(every.items(), key=lambda pair: -pair[1])
    return NextTokens(text, tuple(pair for pair in listed if pair[1])[:n], reply.model)


def branching(turn: Turn, at: int, choice: int) -> Question:
    """The question whose answer is that of `turn` before token `at`, and goes on from the
    alternative with the number `choice`; -1 is the answer's own token.

    Raises `ParameterError` where there is no such token, or no text to go on from.
    """
    tokens = tokens_of((Reply(turn).logprobs or {}).get("content"))
    if not 0 <= at < len(tokens) or not -1 <= choice < len(tokens[at].pairs) - 1:
        raise ParameterError("This answer has no such token.", "Ask again with --logprobs 5.")
    own, *others = tokens[at].pairs
    new = tokens[at].pairs[choice + 1]
    before = b"".join(token.raw for token in tokens[:at])
    if not turn.answer.encode().startswith(before):
        raise ParameterError(
            "The tokens of this answer are not its text, so there is no text to go on from.",
            "Ask without tools and schema.",
        )
    if _END.fullmatch(new[0]):
        raise ParameterError(
            "With this token the answer ends; nothing can follow it.", "Choose another token."
        )
    try:
        text = (before + new[0]).decode()
    except UnicodeDecodeError:
        raise ParameterError(
            "This token ends within a character, which cannot be sent.", "Choose one after it."
        ) from None
    shown = [f"{visible(raw)} ({percent(chance(logprob))})" for raw, logprob in (new, own)]
    chosen = Token((new, *(pair for pair in (own, *others) if pair != new)), chosen=True)
    said = (
        f"You chose {shown[0]}." if new == own else f"You chose {shown[0]} in place of {shown[1]}."
    )
    parameters = {name: v for name, v in turn.parameters.items() if name not in _THINKING}
    return Question(
        turn.prompt,
        provider=turn.provider,
        model=turn.model,
        think=False,
        system=turn.sending.get("system"),
        parameters={**parameters, "logprobs": True},
        cell_id=turn.cell_id,
        instead_of=turn.id,
        cells="none",
        tools=(NO_TOOLS,),
        replay="never",
        format=turn.format,
        on_error="return",
        begins=Beginning(text, turn, tuple(t.wire() for t in (*tokens[:at], chosen)), said),
    )
