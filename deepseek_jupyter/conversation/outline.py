"""The steps of a chain of thought, found by its paragraphs. Pure."""

from __future__ import annotations

import re

_TURNS = re.compile(
    r"\s*(?:[#*>]|\d+[.)] |(?:but |so |and )?(?:wait|hmm|actually|alternatively|however|now|next|so"
    r"|therefore|let me|let's|first|second|then|finally|ok|okay|step)\b"
    r"|等等|不对|但|不过|首先|其次|然后|接下来|所以|因此|最后|另外|让我|好)",
    re.IGNORECASE,
)
_SHORT, _LONG = 60, 500  # characters of a step that a turn ends, and that any paragraph ends
_FEWEST = 3


def outline(thinking: str) -> list[int]:
    """The numbers of the lines, from 0, with which steps begin; none where there are few."""
    starts, size, apart, fenced = list[int](), 0, True, False
    for number, line in enumerate(thinking.split("\n")):
        if not line.strip():
            apart = True
            continue
        turns = size >= _LONG or (size >= _SHORT and _TURNS.match(line))
        if not starts or (apart and turns and not fenced):
            starts.append(number)
            size = 0
        fenced ^= line.lstrip().startswith("```")
        size, apart = size + len(line), False
    return starts if len(starts) >= _FEWEST else []


def steps(thinking: str) -> list[str]:
    """The steps as texts; all in one where `outline` finds none."""
    lines = thinking.split("\n")
    starts = outline(thinking) or [0]
    ends = [*starts[1:], len(lines)]
    found = ("\n".join(lines[a:b]).strip() for a, b in zip(starts, ends, strict=True))
    return list(filter(None, found))
