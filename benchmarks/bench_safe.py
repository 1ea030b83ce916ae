"""The sanitizer against the tokenizer it stands on, and against itself when text grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rows import Row, alone, ratios
from texts import KINDS, answer, tokens

TITLE = "Sanitizer"
RUNS = 7
SIZE = 50_000
EVERY = 9  # tokens between two looks: 5.5 updates a second at 50 tokens a second


def rows() -> list[Row]:
    """In pairs: markdown-it's parse alone, all at once, and in pieces with looks between."""
    texts = {kind: answer(kind, SIZE) for kind in KINDS if kind != "one line"}
    parse, whole, grown, growth = [], [], [], []
    for text in texts.values():
        _parser().parse(text)
        _whole(text)
    for _ in range(RUNS):
        parse.append(sum(_timed(_parser().parse, text) for text in texts.values()))
        whole.append(sum(_timed(_whole, text) for text in texts.values()))
        grown.append(sum(_timed(_grown, kind, SIZE) for kind in texts))
        growth.append(_timed(_grown, "mixed", 4 * SIZE) / _timed(_grown, "mixed", SIZE))
    size = len(texts) * SIZE / 1000
    line = [_timed(_grown, "one line", SIZE) / SIZE * 1e9 for _ in range(RUNS)]
    return [
        Row("whole text, HTML and Markdown", [s / size * 1e6 for s in whole], "us/kB"),
        Row("markdown-it, parse alone", [s / size * 1e6 for s in parse], "us/kB"),
        Row("whole text over markdown-it's parse", ratios(whole, parse), "x"),
        Row("in tokens, 5.5 looks a second, over all at once", ratios(grown, whole), "x"),
        Row("in tokens, four times the text", growth, "x", 5, note="4 is linear"),
        Row("one endless line in tokens", line, "us/kB"),
    ]


def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _whole(text: str) -> None:
    from deepseek_jupyter.sanitizer.sanitizer import sanitize

    sanitize(text)


def _grown(kind: str, size: int) -> None:
    from deepseek_jupyter.sanitizer.sanitizer import Sanitizer

    growing = Sanitizer()
    for number, piece in enumerate(tokens(kind, size // 4)):
        growing.feed(piece)
        if number % EVERY == 0:
            growing.html()
    growing.finish()


def _timed(call: Callable[..., object], *arguments: object) -> float:
    began = time.process_time()
    call(*arguments)
    return time.process_time() - began


if __name__ == "__main__":
    alone(TITLE, rows)
