"""Tokens with their probabilities: read, joined, packed for a record, as rows, in words. Pure.

The API says of each token ``{token, logprob, bytes, top_logprobs}``. Tokens are joined as bytes,
because a character may be split between two of them. Hosts and files may say anything: `tokens_of`
takes what can be read, and `unpacked` stops at a size. docs/record.md has the packed form; its
TypeScript twin is ``labextension/src/card/tokenview.ts``.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

LISTS = ("content", "reasoning_content")
KEPT = 2_000  # tokens in a record; the journal has all
_LARGEST = 60_000  # characters of a packed list
_UNPACKED = 4_000_000  # bytes
_UNKNOWN = 9_999  # hundredths; the API's -9999 means: not among the most likely
_SHOWN = 5  # alternatives of a token, and the least sure tokens

Logprobs = Mapping[str, Any]
Pair = tuple[bytes, float]  # the bytes of a token, and its log probability


class Token(NamedTuple):
    """A token: its own pair, then those that might have stood there, most likely first."""

    pairs: tuple[Pair, ...]
    chosen: bool = False  # by the user

    @property
    def raw(self) -> bytes:
        return self.pairs[0][0]

    @property
    def p(self) -> float:
        return chance(self.pairs[0][1])

    def wire(self) -> dict[str, Any]:
        said = [
            {"token": raw.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(raw)}
            for raw, logprob in self.pairs
        ]
        top = sorted(said, key=lambda item: -item["logprob"])  # type: ignore[operator]
        return {**said[0], "top_logprobs": top, **({"chosen": True} if self.chosen else {})}


def tokens_of(entries: object) -> list[Token]:
    """The tokens of one of the API's lists, as far as it can be read."""
    found = []
    for entry in entries if isinstance(entries, list) else ():
        if own := _pair(entry):
            top = entry.get("top_logprobs")
            others = map(_pair, top if isinstance(top, list) else ())
            pairs = (own, *(pair for pair in others if pair and pair[0] != own[0]))
            found.append(Token(pairs, entry.get("chosen") is True))
    return found


def _pair(entry: Any) -> Pair | None:
    try:
        raw = bytes(entry.get("bytes") or ()) or entry["token"].encode("utf-8", "replace")
        logprob = float(entry["logprob"])
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(logprob) else (raw, min(0.0, logprob))


def chance(logprob: float) -> float:
    """A probability; 0 where the host does not say how unlikely it was."""
    return 0.0 if logprob <= -_UNKNOWN / 100 else math.exp(logprob)


def joined(tokens: Iterable[Token]) -> str:
    return b"".join(token.raw for token in tokens).decode("utf-8", "replace")


def divided(logprobs: Logprobs, answer: str) -> dict[str, list[Any]]:
    """The lists, where a host counts the thinking among the answer's tokens divided again."""
    lists = {name: list(logprobs[name]) for name in LISTS if logprobs.get(name)}
    content = lists.get("content", [])
    tokens = tokens_of(content)
    at, left = len(tokens), len(answer.encode())
    while at and left > 0:
        at -= 1
        left -= len(tokens[at].raw)
    if len(lists) == 1 and 0 < at < len(content) and joined(tokens[at:]) == answer:
        return {"content": content[at:], "reasoning_content": content[:at]}
    return lists


def packed(logprobs: Logprobs) -> str:
    """`logprobs` for a record; of fewer alternatives where they would be too large."""
    found = ""
    for most in (_SHOWN, 2, 1, 0):
        texts: dict[str, int] = {}
        body: dict[str, Any] = {"left": 0}
        for name in LISTS:
            tokens = tokens_of(logprobs.get(name))
            body["left"] += max(0, len(tokens) - KEPT)
            body[name] = [_numbers(token.pairs[: most + 1], texts) for token in tokens[:KEPT]]
        chosen = enumerate(tokens_of(logprobs.get("content"))[:KEPT])
        body |= {"texts": list(texts), "chosen": [at for at, token in chosen if token.chosen]}
        written = json.dumps(body, separators=(",", ":")).encode()
        found = base64.b64encode(zlib.compress(written, 9)).decode()
        if len(found) <= _LARGEST:
            break
    return found


def _numbers(pairs: Iterable[Pair], texts: dict[str, int]) -> list[int]:
    found = []
    for raw, logprob in pairs:
        number = texts.setdefault(raw.decode("utf-8", "surrogateescape"), len(texts))
        found += [number, round(min(_UNKNOWN, -100 * logprob))]
    return found


def unpacked(data: object) -> dict[str, list[dict[str, Any]]]:
    """What `packed` made, in the API's form; empty for what nobody packed."""
    try:
        deflated = base64.b64decode(str(data), validate=True)
        said = json.loads(zlib.decompressobj().decompress(deflated, _UNPACKED))
        texts = [text.encode("utf-8", "surrogateescape") for text in said["texts"]]
        found: dict[str, list[dict[str, Any]]] = {}
        for name in LISTS:
            chosen = said["chosen"] if name == "content" else ()
            for at, numbers in enumerate(said[name]):
                pairs = zip(numbers[::2], numbers[1::2], strict=True)
                token = tuple((texts[text], max(0, cents) / -100) for text, cents in pairs)
                found.setdefault(name, []).append(Token(token, at in chosen).wire())
        return found
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error):
        return {}


def rows(entries: object) -> list[dict[str, Any]]:
    """A row for each token; `entropy` in bits counts all that is not listed as one other token."""
    found = []
    for token in tokens_of(entries):
        (name, p), *others = ((shown(raw), chance(logprob)) for raw, logprob in token.pairs)
        every = [p, *dict(others).values()]
        bits = -sum(part * math.log2(part) for part in (*every, 1 - sum(every)) if part > 1e-9)
        found.append({"token": name, "p": p, "entropy": bits, "alternatives": dict(others)})
    return found


def in_words(logprobs: Logprobs) -> str:
    """How sure the model was of its answer, in two sentences; "" where the host did not say."""
    known = [token for token in tokens_of(logprobs.get("content")) if token.p]
    if not known:
        return ""
    perplexity = math.exp(-sum(token.pairs[0][1] for token in known) / len(known))
    unsure = sum(token.p < 0.5 for token in known)
    least = sorted(known, key=lambda token: token.p)[:_SHOWN]
    listed = ", ".join(f"{visible(token.raw)} {percent(token.p)}" for token in least)
    return (
        f"Perplexity {perplexity:.2f}, {unsure:,} of {len(known):,} tokens under 50 %. "
        f"Least sure: {listed}."
    )


def shown(raw: bytes) -> str:
    """A token for a reader: a part of a character as its bytes."""
    return raw.decode("utf-8", "backslashreplace")


def visible(raw: bytes) -> str:
    """A token with its blanks and line ends to be seen."""
    return f"‹{shown(raw).translate({32: '␣', 10: '⏎', 9: '⇥'})}›"


def percent(p: float) -> str:
    """A probability: 61 %, 8.1 %, under 0.1 %."""
    if 0 < p < 0.001:
        return "under 0.1 %"
    return f"{p * 100:.0f} %" if p >= 0.0995 else f"{p * 100:.1f} %"
