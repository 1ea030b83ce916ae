"""Which formulas a page may typeset: kernel and card give one verdict on every sample.

`labextension/test/markdown/math.spec.ts` reads the samples too. Where a difference is needed, the
sample's verdict names both sides, and its `why` says what for.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from deepseek_jupyter.sanitizer import math as formulas
from deepseek_jupyter.sanitizer.math import typesettable

DATA = Path(__file__).parents[1] / "data"
SAMPLES: list[dict[str, Any]] = json.loads((DATA / "formulas.json").read_text("utf-8"))
RULES = json.loads(Path(formulas.__file__).with_name("math.json").read_text("utf-8"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["tex"][:30] or "empty")
def test_the_kernel_typesets_what_is_safe(sample: dict[str, Any]) -> None:
    verdict = sample["typeset"]
    expected = verdict if isinstance(verdict, bool) else verdict["kernel"]
    assert typesettable(sample["tex"], sample["display"]) is expected, sample["why"]


def test_every_rule_refuses_a_sample() -> None:
    refused = [sample["tex"] for sample in SAMPLES if sample["typeset"] is not True]
    commands = [*RULES["forbidden_commands"], *RULES["shifting_commands"]]
    patterns = [
        *(rf"\\(?:{name})(?![a-z])" for name in commands),
        *(
            pattern
            for name in ("far", "forbidden", "forbidden_in_markdown")
            for pattern in RULES[name]
        ),
    ]
    unheld = [p for p in patterns if not any(re.search(p, tex, re.IGNORECASE) for tex in refused)]
    assert unheld == []
