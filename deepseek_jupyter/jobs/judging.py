"""A judge: a model that says which of two answers to one case is better.

Each pair is asked in both orders, and nothing says whose answers they are. A verdict counts where
both orders agree; else it is a tie, because the order decided. Equal answers are a tie unasked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Literal

from .attempt import Attempt

Verdict = Literal["first", "second", "tie"]
_WORTH = {"first": 1.0, "second": 0.0, "tie": 0.5}


def judged(
    attempts: Sequence[Attempt],
    sent: Mapping[int, str],
    raw: Mapping[int, str],
    ask: Callable[[list[dict[str, str]]], Mapping[int, Any]],
) -> tuple[list[Attempt], int, int]:
    """The attempts with what a judge says of each; how many pairs have a verdict, and in how many
    of them the two orders contradict each other.

    `sent` is each case's question and `raw` each attempt's answer, as they went over the wire: what
    was masked stays so. `ask` has rows judged, a pair in one order and then in the other, and
    returns the verdicts by row.
    """
    groups = defaultdict[tuple[int, int], list[int]](list)
    for at, one in enumerate(attempts):
        if one.whole:
            groups[one.case, one.repeat].append(at)
    every = [pair for group in groups.values() for pair in combinations(group, 2)]
    pairs = [(a, b) for a, b in every if raw[a].strip() != raw[b].strip()]
    said = ask(
        [
            {"question": sent[attempts[x].case], "first": raw[x], "second": raw[y]}
            for pair in pairs
            for x, y in (pair, pair[::-1])
        ]
    )
    worth, count, torn = dict.fromkeys(set(every) - set(pairs), 0.5), 0, 0
    for row, pair in enumerate(pairs):
        here, there = said.get(2 * row), said.get(2 * row + 1)
        if here in _WORTH and there in _WORTH:
            one_way, other_way = _WORTH[here], 1 - _WORTH[there]
            count, torn = count + 1, torn + (one_way != other_way)
            worth[pair] = one_way if one_way == other_way else 0.5
    against = defaultdict[int, dict[str, float]](dict)
    for (a, b), score in worth.items():
        against[a][attempts[b].variant] = score
        against[b][attempts[a].variant] = 1 - score
    scored = [
        replace(one, against=against[at], score=sum(against[at].values()) / len(against[at]))
        if at in against
        else one
        for at, one in enumerate(attempts)
    ]
    return scored, count, torn
