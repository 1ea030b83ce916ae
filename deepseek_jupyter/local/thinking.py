"""Thinking with a model that was never taught to think.

The embedded models know no ``<think>``: with a word about it in the system prompt, they forget to
close it, open it again inside the answer, or answer worse. Without one, but held to a grammar, they
do well. So the template (`thinking.jinja`) only opens the block, and a grammar sent with each
request bounds what follows:

1. the thought: "The user wants ... I need to ...", two sentences without code, so that the
   answer isn't spent before it began;
2. ``</think>``, which llama.cpp takes as the end of `reasoning_content`;
3. the answer: any text that isn't empty and doesn't open or close a second block.

Grammars are GBNF, llama.cpp's own notation. Sampling isn't touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .models import DEFAULT_MODEL, MODELS

# The states from `any` on are an automaton that accepts every text without "<think", "</think"
# and the misspelt ends "</thank>", "</thought>" that the models try when the right one is barred:
# GBNF has no negation. The empty alternative in each state lets a text end there ("x <").
_GRAMMAR = Path(__file__).with_name("thinking.gbnf").read_text("utf-8").strip()


def thinking_body(
    think: bool,
    *,
    response_format: bool = False,
    tools: bool = False,
    repeatable: bool = False,
    model: str = DEFAULT_MODEL,
) -> dict[str, Any]:
    """The fields that a chat request to the embedded server needs for thinking on or off.

    `response_format` and `tools` say whether the request has those fields: llama.cpp takes one
    grammar a request and makes its own for them, so thinking is then off. A `model` outside the
    table (a file of the user's own) keeps its own template and thinks as it was taught.

    `repeatable`, for temperature 0 or a seed: an equal request gives an equal answer, to the bit.
    It costs the prompt cache: what is left over from the request before changes how the prompt is
    cut into batches, with that the last bits of the sums, and so now and then a word.
    """
    known = model in MODELS
    bounded = think and known and not response_format and not tools
    switch = bounded if known else think
    body: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": switch}}
    if bounded:
        body["grammar"] = _GRAMMAR
    if repeatable:
        body["cache_prompt"] = False
    return body
