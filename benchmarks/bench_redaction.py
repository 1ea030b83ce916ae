"""A prompt of 1 MB redacted while 200,000 values are withheld: names, ids, numbers, sentences."""

from __future__ import annotations

import random
import time
from itertools import islice

from rows import Row, alone

TITLE = "Redaction"
VALUES = 200_000
SIZE = 1_000_000  # characters
RUNS = 5


def rows() -> list[Row]:
    """CPU seconds; the first redaction makes the index, the others use it."""
    found = []
    for kind in ("names", "ids", "numbers", "sentences"):
        firsts, agains = zip(*(_measured(kind, seed) for seed in range(RUNS)), strict=True)
        claim = f"1 MB, {VALUES:,} {kind} withheld"
        found += [
            Row(claim, agains, "s", 1.0, note="detectors on, every 500th word a value"),
            Row(f"{claim}: the first time, with the index", firsts, "s"),
        ]
    return found


def _measured(kind: str, seed: int) -> tuple[float, float]:
    from deepseek_jupyter.privacy.redaction import Redactor

    chance = random.Random(seed)
    words = [_word(chance) for _ in range(20_000)]
    made = (_value(kind, words, chance) for _ in iter(int, 1))
    values = list(dict.fromkeys(islice(made, VALUES * 3 // 2)))[:VALUES]
    text = _prose(values, words, chance)
    redactor = Redactor()
    redactor.withhold(dict.fromkeys(values, "value"))
    first, again = _timed(redactor, text), _timed(redactor, text)
    assert len(values) == VALUES
    assert "<value-1>" in redactor.redact(text)
    return first, again


def _timed(redactor: object, text: str) -> float:
    began = time.process_time()
    redactor.redact(text)  # type: ignore[attr-defined]
    return time.process_time() - began


def _word(chance: random.Random) -> str:
    return "".join(chance.choices("aeionrstlmdkpb", k=chance.randrange(3, 10)))


def _value(kind: str, words: list[str], chance: random.Random) -> str:
    if kind == "names":
        return " ".join(chance.choice(words).title() for _ in range(2))
    if kind == "ids":
        return f"C-{chance.randrange(10**9):09d}"
    if kind == "numbers":
        return str(chance.randrange(10**5, 10**10))
    return " ".join(chance.choices(words, k=10))


def _prose(values: list[str], words: list[str], chance: random.Random) -> str:
    said: list[str] = []
    size = 0
    while size < SIZE:
        draw = chance.random()
        word = chance.choice(values if draw < 0.002 else words)
        said.append(word if draw < 0.97 else str(chance.randrange(10**6)))
        size += len(said[-1]) + 1
    return " ".join(said)


if __name__ == "__main__":
    alone(TITLE, rows)
