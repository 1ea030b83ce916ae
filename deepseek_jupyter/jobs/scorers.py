"""How answers are scored: each scorer is made by a function here, or named by a text.

A scorer sees an answer and its case, and says how right it is, from 0 to 1. It compares with the
case's ``expected``, a list there meaning any of several. Nothing that a model wrote is run.
"""

from __future__ import annotations

import csv
import json as _json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose
from typing import Any

from deepseek_jupyter.errors import ParameterError, SchemaMismatchError

Case = Mapping[str, Any]

_NUMBER = re.compile(r"[-−+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?\s?[%万亿]?")
_TIMES = {"%": 0.01, "万": 1e4, "亿": 1e8}
_TABLE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scorer:
    """`grade` of an answer, None for a judge, which compares answers; `settings` made it."""

    name: str
    grade: Callable[[str, Case], float | bool] | None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def score(self, answer: str, case: Case) -> float:
        """From 0 to 1. Raises whatever a function of the user's raises."""
        assert self.grade is not None
        score = float(self.grade(answer, case))
        if not 0 <= score <= 1:
            raise ParameterError(f"The score {score} is not between 0 and 1.")
        return score


def scorer_of(given: Any) -> Scorer:
    """The scorer that a name, a function or a saved suite means. Raises `ParameterError`."""
    if isinstance(given, Scorer) and (given.grade is not None or given.name == "judge"):
        return given
    if isinstance(given, Mapping):
        return _MADE[given["name"]](**given["settings"])
    if isinstance(given, str) and given in _MADE and given != "judge":
        return _MADE[given]()
    if callable(given):
        return python(given)
    raise ParameterError(
        f"score cannot be {getattr(given, 'name', given)!r}.",
        f"Use {', '.join(_MADE)} (ds.scorers has their settings), or a function.",
    )


def exact(*, ignore_case: bool = False) -> Scorer:
    """The whole answer is the expected text, apart from blanks around it."""

    def grade(answer: str, case: Case) -> bool:
        return _folded(answer, ignore_case) in [_folded(e, ignore_case) for e in expected(case)]

    return Scorer("exact", grade, {"ignore_case": ignore_case})


def contains(*, ignore_case: bool = True) -> Scorer:
    """The expected text is somewhere in the answer."""

    def grade(answer: str, case: Case) -> bool:
        text = _folded(answer, ignore_case)
        return any(_folded(e, ignore_case) in text for e in expected(case))

    return Scorer("contains", grade, {"ignore_case": ignore_case})


def regex(pattern: str = "") -> Scorer:
    """`pattern`, or the case's expected one, is found; a group in `pattern` is the answer."""

    def grade(answer: str, case: Case) -> bool:
        if not pattern:
            return any(re.search(str(one), answer) for one in expected(case))
        found = re.search(pattern, answer)
        if found is None or not found.re.groups:
            return found is not None
        return str(found[1]).strip() in [str(one).strip() for one in expected(case)]

    return Scorer("regex", grade, {"pattern": pattern})


def number(*, rel_tol: float = 1e-6, abs_tol: float = 0.0) -> Scorer:
    """The last number of the answer is the expected one, within a tolerance; ``12 %`` is 0.12
    as well as 12.
    """

    def grade(answer: str, case: Case) -> bool:
        said = _NUMBER.findall(answer)[-1:]
        wanted = [n for one in expected(case) for n in _numbers(str(one))[:1]]
        near = [n for text in said for n in _numbers(text)]
        return any(isclose(n, w, rel_tol=rel_tol, abs_tol=abs_tol) for n in near for w in wanted)

    return Scorer("number", grade, {"rel_tol": rel_tol, "abs_tol": abs_tol})


def choice(labels: Sequence[str] = ()) -> Scorer:
    """The last line that names one of `labels` names the expected one, and no other."""

    def grade(answer: str, case: Case) -> bool:
        wanted = [str(one) for one in expected(case)]
        known = sorted({*labels, *wanted}, key=len, reverse=True)
        words = "|".join(re.escape(label) for label in known)
        flags = re.IGNORECASE if min(map(len, known)) > 1 else 0  # "a" is no choice of A
        one = re.compile(rf"(?<![A-Za-z0-9_])(?:{words})(?![A-Za-z0-9_])", flags)
        named = (one.findall(line) for line in reversed(answer.splitlines()))
        last = {label.casefold() for label in next(filter(None, named), ())}
        return len(last) == 1 and last <= {label.casefold() for label in wanted}

    return Scorer("choice", grade, {"labels": list(labels)})


def json(schema: Any = None) -> Scorer:
    """The answer has JSON in it: of the type or JSON schema `schema`, and equal to what is
    expected, where the case says that.
    """
    from deepseek_jupyter.tools.schemas import json_in, shape_of

    shape = None if schema is None else shape_of(schema)

    def grade(answer: str, case: Case) -> bool:
        value = json_in(answer)
        if value == answer.strip():  # there is none
            return False
        try:
            if shape is not None:
                shape.validate(value)
        except SchemaMismatchError:
            return False
        wanted = case.get("expected")
        return wanted is None or value == (json_in(wanted) if isinstance(wanted, str) else wanted)

    return Scorer("json", grade, {} if shape is None else {"schema": dict(shape.schema)})


def same_frame(*, rel_tol: float = 1e-6, ordered: bool = False) -> Scorer:
    """The table in the answer (Markdown, CSV or JSON records) has the expected columns and rows,
    in any order; the expected one is a text in one of these forms, or a list of dicts.
    """

    def grade(answer: str, case: Case) -> bool:
        found, wanted = _table(answer), _table(expected(case) and case["expected"])
        if found is None or wanted is None or found[0] != wanted[0]:
            return False
        sides = [rows if ordered else sorted(rows, key=repr) for _, rows in (found, wanted)]
        cells = [[cell for row in rows for cell in row] for rows in sides]
        return len(cells[0]) == len(cells[1]) and all(
            isclose(a, b, rel_tol=rel_tol)
            if isinstance(a, float) and isinstance(b, float)
            else a == b
            for a, b in zip(*cells, strict=True)
        )

    return Scorer("same_frame", grade, {"rel_tol": rel_tol, "ordered": ordered})


def python(function: Callable[[str, Case], float | bool]) -> Scorer:
    """A function of your own, given the answer and its case: True, False, or from 0 to 1."""
    return Scorer("python", function, {"function": getattr(function, "__name__", "function")})


def judge(rubric: str, model: Any = "") -> Scorer:
    """A model says which of two answers is better by `rubric`, in both orders and without names.

    `model` is written as a variant. It costs two requests for each pair of answers.
    """
    return Scorer("judge", None, {"rubric": rubric, "model": model})


_MADE: Mapping[str, Callable[..., Scorer]] = {
    made.__name__: made
    for made in (exact, contains, regex, number, choice, json, same_frame, python, judge)
}


def settled(scorer: Scorer, cases: Sequence[Case]) -> Scorer:
    """A named scorer for these cases: a choice is among all that is expected.

    Raises `ParameterError` where a case does not say what is expected.
    """
    if scorer.name == "choice" and not scorer.settings["labels"]:
        scorer = choice(list(dict.fromkeys(str(e) for case in cases for e in expected(case))))
    if scorer.grade is not None and scorer.name != "python":
        for case in cases:
            scorer.score("", case)
    return scorer


def expected(case: Case) -> Sequence[Any]:
    """What the case expects, any of it being right. Raises `ParameterError` where it says none."""
    wanted = case.get("expected")
    if wanted is None:
        raise ParameterError("The case has no expected answer.", "Give a column 'expected'.")
    return wanted if isinstance(wanted, list) else [wanted]


def _folded(value: Any, ignore_case: bool) -> str:
    text = str(value).strip()
    return text.casefold() if ignore_case else text


def _numbers(text: str) -> list[float]:
    """What the first number in `text` may mean."""
    found = _NUMBER.search(text)
    if found is None:
        return []
    digits = found[0].replace(",", "").replace("−", "-").rstrip("%万亿 \u00a0")
    times = _TIMES.get(found[0][-1], 1)
    return [float(digits) * times, *([float(digits)] if times == 0.01 else [])]


def _table(value: Any) -> tuple[list[str], list[list[Any]]] | None:
    """The columns' names in order and the rows in that order; None where there is no table."""
    from deepseek_jupyter.tools.schemas import json_in

    if isinstance(value, str):
        lines = [line.strip() for line in value.splitlines()]
        if sum(line.startswith("|") for line in lines) > 1:
            piped = [line.strip("|").split("|") for line in lines if line.startswith("|")]
            rows = [row for row in piped if not all(re.fullmatch(r"\s*:?-+:?\s*", c) for c in row)]
            value = [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]
        elif isinstance(found := json_in(value), list):
            value = found
        else:
            inside = (_TABLE.findall(value) or [value])[-1]
            value = list(csv.DictReader(inside.strip().splitlines()))
    if not isinstance(value, list) or not value or not all(isinstance(r, Mapping) for r in value):
        return None
    tidy = [{str(n).strip().casefold(): _cell(v) for n, v in row.items()} for row in value]
    names = sorted(tidy[0])
    return names, [[row.get(name) for name in names] for row in tidy]


def _cell(value: Any) -> Any:
    """A number as a float, any other value as its text."""
    if value is None or isinstance(value, list | dict | bool):
        return None if value is None else _json.dumps(value, sort_keys=True)
    text = str(value).strip()
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return text
