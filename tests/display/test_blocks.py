"""Where a growing Markdown text is cut into blocks: kernel and card agree on every sample.

`labextension/test/markdown/blocks.spec.ts` reads the samples too. Where the two need different
cuts, a sample lists both and says why. Empty lines around a block belong to either neighbour.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deepseek_jupyter.display.render import OPENING
from deepseek_jupyter.sanitizer.blocks import Splitter

TABLE = json.loads((Path(__file__).parents[1] / "data" / "blocks.json").read_text("utf-8"))


def cut(text: str) -> list[str]:
    splitter = Splitter()
    blocks = splitter.feed(text) + splitter.close()
    return [block.text().strip("\n").rstrip() for block in blocks]


@pytest.mark.parametrize("sample", TABLE["samples"], ids=lambda sample: sample["name"])
def test_the_kernel_cuts_as_the_card_does(sample: dict[str, Any]) -> None:
    assert cut(sample["text"]) == sample.get("blocks", sample.get("kernel"))
    assert "blocks" in sample or sample["why"]


def test_an_answer_that_is_no_markdown_is_one_block() -> None:
    fence = "`" * TABLE["answer_fence"]
    assert OPENING["json"] == f"{fence}json\n"
    assert OPENING["text"] == f"{fence}text\n"
