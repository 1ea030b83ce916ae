"""Tokens with their probabilities: read, joined, packed for a record, as rows, in words. Pure.

The API says of each token ``{token, logprob, bytes, top_logprobs}``. Tokens are joined as bytes,
for a character may be cut between two of them. Hosts and files may say anything: `tokens_of` takes
what can be read, and `unpacked` stops at a size.

Packed, the lists are base64 of deflated JSON: ``texts`` has each text once (bytes that are no text
as lone surrogates), ``content`` and ``reasoning_content`` have for each token the number of its
text, hundredths of -log p, and these two of each alternative; ``chosen`` are the tokens that the
user chose, ``left`` counts those that are not in it. The TypeScript twin is
``labextension/src/kernel/logprobs.ts``.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

LISTS = ("content", "reasoning_content")
KEPT = 2_000  # tokens in a record; the journal has all
_LARGEST = 60_000  # characters of a packed list
_UNPACKED = 4_000_000  # bytes
_UNKNOWN = 9_999  # hundredths; the API's -9999 means: not among the most likely
_SHOWN = 5  # alternatives of a token, and the least sure tokens

Logprobs = Mapping[str, Any]


class Token(NamedTuple):
    """A token as it was written; `others` are the alternatives, most likely first."""

    raw: bytes
    logprob: float
    others: tuple[tuple[bytes, float], ...] = ()
    chosen: bool = False

    @property
    def text(self) -> str:
        """For a reader: a part of a character as its bytes."""
        return self.raw.decode("utf-8", "backslashreplace")

    @property
    def p(self) -> float:
        """0 where the host does not say how unlikely it was."""
        return 0.0 if self.logprob <= -_UNKNOWN / 100 else math.exp(self.logprob)

    def wire(self) -> dict[str, Any]:
        """The API's form."""
        every = sorted([(self.raw, self.logprob), *self.others], key=lambda o: -o[1])
        top = [_wire(raw, logprob) for raw, logprob in every]
        chosen = {"chosen": True} if self.chosen else {}
        return {**_wire(self.raw, self.logprob), "top_logprobs": top, **chosen}


def _wire(raw: bytes, logprob: float) -> dict[str, Any]:
    return {"token": raw.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(raw)}


def tokens_of(entries: object) -> list[Token]:
    """The tokens of one of the API's lists, as far as it can be read."""
    found = []
    for entry in entries if isinstance(entries, list | tuple) else ():
        own = _pair(entry)
        if own is None:
            continue
        top = entry.get("top_logprobs")
        pairs = map(_pair, top if isinstance(top, list | tuple) else ())
        others = tuple(pair for pair in pairs if pair is not None and pair[0] != own[0])
        found.append(Token(*own, others, entry.get("chosen") is True))
    return found


def _pair(entry: object) -> tuple[bytes, float] | None:
    if not isinstance(entry, Mapping):
        return None
    text, logprob, raw = entry.get("token"), entry.get("logprob"), entry.get("bytes")
    if not isinstance(text, str) or not isinstance(logprob, int | float) or logprob != logprob:
        return None
    try:
        return bytes(raw or ()) or text.encode("utf-8", "replace"), min(0.0, float(logprob))
    except (TypeError, ValueError, OverflowError):
        return text.encode("utf-8", "replace"), min(0.0, float(logprob))


def joined(tokens: Iterable[Token]) -> str:
    """The text that the tokens are."""
    return b"".join(token.raw for token in tokens).decode("utf-8", "replace")


def divided(logprobs: Logprobs, answer: str) -> dict[str, list[dict[str, Any]]]:
    """The lists, where a host counts the thinking among the answer's tokens divided again."""
    lists = {name: list(logprobs.get(name) or ()) for name in LISTS}
    content = lists["content"]
    if content and not lists["reasoning_content"]:
        tokens = tokens_of(content)
        whole, at, end = joined(tokens), 0, len(answer.encode())
        if whole != answer and len(tokens) == len(content) and whole.endswith(answer):
            rest = sum(len(token.raw) for token in tokens) - end
            while rest > 0 and at < len(tokens):
                rest -= len(tokens[at].raw)
                at += 1
            lists = {"content": content[at:], "reasoning_content": content[:at]}
    return {name: entries for name, entries in lists.items() if entries}


def packed(logprobs: Logprobs) -> str:
    """`logprobs` for a record; of fewer alternatives where they would be too large."""
    for most in (_SHOWN, 2, 1, 0):
        found = _packed(logprobs, most)
        if len(found) <= _LARGEST:
            break
    return found


def _packed(logprobs: Logprobs, most: int) -> str:
    texts: dict[str, int] = {}
    said: dict[str, Any] = {}

    def numbers(pairs: Iterable[tuple[bytes, float]]) -> list[int]:
        found = []
        for raw, logprob in pairs:
            text = raw.decode("utf-8", "surrogateescape")
            found += [texts.setdefault(text, len(texts)), min(_UNKNOWN, round(-100 * logprob))]
        return found

    left = 0
    for name in LISTS:
        tokens = tokens_of(logprobs.get(name))
        left += max(0, len(tokens) - KEPT)
        kept = tokens[:KEPT]
        said[name] = [numbers([(t.raw, t.logprob), *t.others[:most]]) for t in kept]
        if name == "content":
            said["chosen"] = [at for at, token in enumerate(kept) if token.chosen]
    body = {"texts": list(texts), **said, "left": left}
    deflated = zlib.compress(json.dumps(body, separators=(",", ":")).encode(), 9)
    return base64.b64encode(deflated).decode()


def unpacked(data: object) -> dict[str, list[dict[str, Any]]]:
    """What `packed` made, in the API's form; empty for what nobody packed."""
    try:
        deflated = base64.b64decode(str(data), validate=True)
        said = json.loads(zlib.decompressobj().decompress(deflated, _UNPACKED))
        texts = [text.encode("utf-8", "surrogateescape") for text in said["texts"]]
        chosen = set(said["chosen"])
        return {
            name: [
                Token(*pairs[0], tuple(pairs[1:]), name == "content" and at in chosen).wire()
                for at, pairs in enumerate(_pairs(numbers, texts) for numbers in said[name])
            ]
            for name in LISTS
            if said[name]
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error):
        return {}


def _pairs(numbers: Sequence[int], texts: Sequence[bytes]) -> list[tuple[bytes, float]]:
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return [(texts[at], max(0, cents) / -100) for at, cents in pairs]


def rows(entries: object) -> list[dict[str, Any]]:
    """A row for each token; `entropy` in bits counts all that is not listed as one other token."""
    found = []
    for token in tokens_of(entries):
        others = {o.text: o.p for o in (Token(*other) for other in token.others)}
        listed = [token.p, *others.values()]
        every = [p for p in (*listed, 1 - sum(listed)) if p > 1e-9]
        bits = -sum(p * math.log2(p) for p in every)
        found.append({"token": token.text, "p": token.p, "entropy": bits, "alternatives": others})
    return found


def in_words(logprobs: Logprobs) -> str:
    """How sure the model was of its answer, in two sentences; "" where the host did not say."""
    known = [token for token in tokens_of(logprobs.get("content")) if token.p]
    if not known:
        return ""
    perplexity = math.exp(-sum(token.logprob for token in known) / len(known))
    unsure = sum(token.p < 0.5 for token in known)
    least = sorted(known, key=lambda token: token.p)[:_SHOWN]
    listed = ", ".join(f"{visible(token.text)} {percent(token.p)}" for token in least)
    return (
        f"Perplexity {perplexity:.2f}, {unsure:,} of {len(known):,} tokens under 50 %. "
        f"Least sure: {listed}."
    )


def visible(text: str) -> str:
    """A token with its blanks and line ends to be seen."""
    return f"‹{text.replace(' ', '␣').replace(chr(10), '⏎').replace(chr(9), '⇥')}›"


def percent(p: float) -> str:
    """A probability: 61 %, 8.1 %, under 0.1 %."""
    if 0 < p < 0.001:
        return "under 0.1 %"
    return f"{p * 100:.0f} %" if p >= 0.0995 else f"{p * 100:.1f} %"
