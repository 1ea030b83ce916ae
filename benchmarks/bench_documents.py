"""Long documents: 10 MB ranked for a question, a million tokens prepared and quoted from."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable

from rows import Row, alone

TITLE = "Documents"
RUNS = 5
QUESTION = "How large is the budget that the harbour board approved on Tuesday?"
QUOTE = "the board approved a budget of 3.5 million euros"


def rows() -> list[Row]:
    """CPU seconds of the thread that asks."""
    from deepseek_jupyter.context.quotes import QuoteSource, cited
    from deepseek_jupyter.context.relevance import parts

    found = []
    large = _attachment(10_000_000)
    ranked = [_timed(lambda: parts([large], QUESTION, 30_000)) for _ in range(RUNS)]
    found.append(Row("10 MB of text cut into pieces and ranked", ranked, "s", 1.0))
    text = _prose(4_500_000)
    source = QuoteSource("a.txt", text, "line", ((0, 1),))
    answer = f'"{QUOTE}" "no such words are there at all"' * 5
    quoted = [_timed(lambda: cited(answer, [source])) for _ in range(RUNS)]
    found.append(Row("ten quotes looked for in 1M tokens, half of them in vain", quoted, "s"))
    return [*found, *_questions(text)]


def _questions(text: str) -> list[Row]:
    from deepseek_jupyter.asking.ask import resolve
    from deepseek_jupyter.asking.prepare import place, prepare
    from deepseek_jupyter.asking.preview import preview
    from deepseek_jupyter.asking.question import Question
    from deepseek_jupyter.config import DeepSeek
    from deepseek_jupyter.session.session import Session

    session = Session(DeepSeek(provider="vllm", journal=False))
    session.config.providers = {
        "vllm": {"base_url": "http://127.0.0.1:9/v1", "context_tokens": 2_000_000}
    }

    def asking(text: str) -> Question:
        return resolve(Question(QUESTION, model="a", attach={"text": text}), {})

    def drawn(question: Question) -> None:
        preview(session, question)._repr_html_()

    drawn(resolve(Question("Hello", model="a"), {}))  # what every first dry run loads
    new = [asking(f"{text}\n{n}") for n in range(RUNS)]
    first = [_timed(lambda one=one: drawn(one)) for one in new]
    asked = asking(text)

    def ready() -> None:
        prepare(session, place(session, asked))

    prepared = [_timed(ready) for _ in range(RUNS)]
    again = [_timed(lambda: drawn(asked)) for _ in range(RUNS)]
    asked = asking(f"{text}\nnew")
    tracemalloc.start()
    ready()
    most = tracemalloc.get_traced_memory()[1] / len(text.encode())
    tracemalloc.stop()
    return [
        Row("1M tokens: the dry run on screen", first, "s", 0.3, note="a new text each time"),
        Row("1M tokens: the dry run again", again, "s"),
        Row("1M tokens: the request ready", prepared, "s", 3.0),
        Row("1M tokens: memory at its height over the text's bytes", [most], "x", 4.0),
    ]


def _attachment(size: int) -> object:
    from deepseek_jupyter.context.attachment import Attachment
    from deepseek_jupyter.protocol.tokens import estimate_tokens

    text = f"a.txt: file\n{_prose(size)}"
    count = estimate_tokens(text)
    return Attachment("a.txt", "file", text, tokens=count, unit="line", positions=((1, 1),))


def _prose(size: int) -> str:
    chance = random.Random(1)
    words = [
        "".join(chance.choices("aeionrstlmdkpb", k=chance.randrange(2, 9))) for _ in range(9_999)
    ]
    lines = [" ".join(chance.choices(words, k=12)) for _ in range(size // 70)]
    lines[len(lines) * 2 // 3] = f"On Tuesday {QUOTE} for the harbour."
    return "\n".join(lines)


def _timed(run: Callable[[], object]) -> float:
    began = time.thread_time()
    run()
    return time.thread_time() - began


if __name__ == "__main__":
    alone(TITLE, rows)
