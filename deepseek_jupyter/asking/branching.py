"""An answer that goes on from another token than its own: the question for it."""

from __future__ import annotations

import re

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.logprobs import Token, chance, percent, tokens_of, visible

from .question import Beginning, Question
from .reply import Reply
from .toolset import NO_TOOLS

_THINKING = ("thinking", "reasoning_effort", "reasoning", "enable_thinking", "chat_template_kwargs")
_END = re.compile(rb"<(\||\xef\xbd\x9c).*(\||\xef\xbd\x9c)>|</?s>|")


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
        raise ParameterError("With this token the answer ends; nothing can follow it.")
    try:
        text = (before + new[0]).decode()
    except UnicodeDecodeError:
        raise ParameterError(
            "This token ends within a character, which cannot be sent.", "Choose one after it."
        ) from None
    told = [f"{visible(raw)} ({percent(chance(logprob))})" for raw, logprob in (new, own)]
    chosen = Token((new, *(pair for pair in (own, *others) if pair != new)), chosen=True)
    said = f"You chose {told[0]}." if new == own else f"You chose {told[0]} in place of {told[1]}."
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
