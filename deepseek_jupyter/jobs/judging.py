"""A judge: a model that says which of two answers to one case is better.

Each pair is asked in both orders, and nothing says whose answers they are. A verdict counts where
both orders agree; else it is a tie, for then the order decided. Equal answers are a tie unasked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from deepseek_jupyter.tools.arrow import frame_of

from .attempt import Attempt
from .row_task import MapOptions, RowTask

if TYPE_CHECKING:
    from deepseek_jupyter.asking.question import Question
    from deepseek_jupyter.session.session import Session

Place = tuple[int, int]  # of two attempts
_Verdict = Literal["first", "second", "tie"]
_WORTH = {"first": 1.0, "second": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True)
class Pairing:
    """The attempts to be compared, by their places, and the task that asks about them.

    The rows of the task are each pair in one order and then in the other.
    """

    pairs: Sequence[Place]
    equal: Sequence[Place]
    task: RowTask | None


def pairing(
    session: Session,
    question: Question,
    options: MapOptions,
    attempts: Sequence[Attempt],
    sent: Mapping[int, str],
    raw: Mapping[int, str],
) -> Pairing:
    """What the judge is asked about; `sent` is each case's question and `raw` each attempt's
    answer, as they went over the wire: what was masked stays so.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for at, one in enumerate(attempts):
        if one.whole:
            groups.setdefault((one.case, one.repeat), []).append(at)
    every = [pair for group in groups.values() for pair in combinations(group, 2)]
    equal = [(a, b) for a, b in every if raw[a].strip() == raw[b].strip()]
    pairs = [pair for pair in every if pair not in set(equal)]
    rows = [
        {"question": sent[attempts[x].case], "first": raw[x], "second": raw[y]}
        for pair in pairs
        for x, y in (pair, pair[::-1])
    ]
    options = replace(options, to=_Verdict, into="answer", think=False, stream=False)
    task = RowTask(session, frame_of(rows), question, options, {}) if rows else None
    return Pairing(pairs, equal, task)


def verdicts(
    attempts: Sequence[Attempt], asked: Pairing, said: Callable[[int], Any]
) -> tuple[list[Attempt], int, int]:
    """The attempts with what the judge said of each; how many pairs have a verdict, and in how many
    of them the two orders contradict each other. `said` is the answer for a row of the task.
    """
    against: dict[int, dict[str, float]] = {at: {} for at in range(len(attempts))}
    judged = torn = 0

    def keep(pair: Place, worth: float) -> None:
        for at, other, score in zip(pair, pair[::-1], (worth, 1 - worth), strict=True):
            against[at][attempts[other].variant] = score

    for pair in asked.equal:
        keep(pair, 0.5)
    for row, pair in enumerate(asked.pairs):
        here, there = said(2 * row), said(2 * row + 1)
        if here in _WORTH and there in _WORTH:
            one, other = _WORTH[here], 1 - _WORTH[there]
            judged, torn = judged + 1, torn + (one != other)
            keep(pair, one if one == other else 0.5)
    scored = [
        replace(one, against=against[at], score=sum(against[at].values()) / len(against[at]))
        if against[at]
        else one
        for at, one in enumerate(attempts)
    ]
    return scored, judged, torn
