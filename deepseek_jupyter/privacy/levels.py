"""What of each column may leave: levels, rules, and how they are written.

none < schema < stats < sample(n) < full:

* ``none``: nothing, not even the name; the card says ``<column-3>``.
* ``schema``: name and type.
* ``stats``: figures about the column too: missing, distinct, range and quantiles of numbers and
  dates, lengths of texts. No text value leaves.
* ``sample(n)``: the most frequent values too, and the values of n rows.
* ``full``: any value, as many rows as the budget holds.

A `Policy` is what the user asks for; `tightened` lays rules over it that can only take away.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from deepseek_jupyter.errors import ParameterError

BUDGET = 1_500  # tokens of one card
WHOLE = 1 << 40  # tokens: no limit but the model's window
_LEAST_BUDGET = 50
_ROWS = 5  # of ``sample`` without a number
_NAMES = ("none", "schema", "stats", "sample", "full")
_LEVEL = re.compile(r"(none|schema|stats|sample|full)(?:\(\s*(\d+)\s*\))?", re.IGNORECASE)
_LIMIT = re.compile(r"<=[^=\"']*$")
# Keys of JSON, Python, YAML and INI, and values in quotes; tags, attributes and cells of HTML.
_KEYS = re.compile(
    r"""["']([^"'\n]{1,100})["']\s*[:=,)\]]|^[ \t-]*([^\s:="'<][^:="'\n<]{0,100}?)\s*[:=]"""
    r"""|<([\w:-]{1,100})|[\s(,{]([\w:-]{1,100})\s*=|>\s*([^<>\n]{1,100}?)\s*</""",
    re.MULTILINE,
)
_CELLS = re.compile(r"[,;|&\t]|\s{2,}|\\\\")
_HELP = "Levels are none, schema, stats, sample, sample(5) and full: df:stats,price=full,name=none."


@dataclass(frozen=True, slots=True, order=True)
class Level:
    """One level. Smaller is stricter; `rows` counts for ``sample`` alone."""

    rank: int
    rows: int = 0

    @classmethod
    def parse(cls, text: str) -> Level:
        """The level that `text` names. Raises `ParameterError`."""
        match = _LEVEL.fullmatch(text.strip())
        if match is None or (match[2] is not None and match[1].lower() != "sample"):
            raise ParameterError(f"{text.strip()!r} is not a level of a data policy.", _HELP)
        rank = _NAMES.index(match[1].lower())
        return cls(rank, int(match[2] or _ROWS)) if rank == SAMPLE.rank else cls(rank)

    def __str__(self) -> str:
        name = _NAMES[self.rank]
        return f"{name}({self.rows})" if name == "sample" else name


# SAMPLE is the least of its kind, for comparisons: any number of rows is at least it, and from it
# on values leave.
NONE, SCHEMA, STATS, SAMPLE, FULL = Level(0), Level(1), Level(2), Level(3), Level(4)


@dataclass(frozen=True, slots=True)
class Policy:
    """Levels of an attachment's columns, and the tokens its card may take.

    `columns` names single columns; `limits` are rules laid over both, as pairs of a pattern
    (``*``, ``*_id``; case does not matter) and the highest level it allows.
    """

    default: Level = Level(3, _ROWS)
    columns: Mapping[str, Level] = field(default_factory=dict)
    budget: int = BUDGET
    limits: tuple[tuple[str, Level], ...] = ()

    def level(self, column: str) -> Level:
        """What of `column` may leave; the strictest rule that speaks of it wins."""
        asked = [level for name, level in self.columns.items() if speaks_of(name, column)]
        return min(*(asked or [self.default]), *self._allowed(column), FULL)

    def ruled(self, column: str) -> Level:
        """What of `column` may leave by the rules that name it, and not just everything."""
        asked = [level for name, level in self.columns.items() if speaks_of(name, column)]
        return min(*asked, *self._allowed(column, but="*"), FULL, FULL)

    def _allowed(self, column: str, but: str = "") -> Iterator[Level]:
        for pattern, level in self.limits:
            if pattern != but and (speaks_of(pattern, column) or _fits(pattern, column)):
                yield level

    def level_of_text(self, text: str, but: Iterable[str] = ()) -> Level:
        """The strictest level of the names that a text has as labels."""
        labels = labels_in(text) - {*but, ""} if self.names_columns else ()
        return min(map(self.ruled, labels), default=FULL)

    @property
    def names_columns(self) -> bool:
        """Whether any rule is for some columns alone."""
        return bool(self.columns) or any(pattern != "*" for pattern, _ in self.limits)

    @property
    def whole(self) -> Level:
        """What of a value without columns may leave."""
        return min(self.default, *(level for pattern, level in self.limits if pattern == "*"), FULL)

    @property
    def least(self) -> Level:
        """The strictest level that any rule of it gives."""
        return min(self.default, *self.columns.values(), *(level for _, level in self.limits), FULL)

    def tightened(self, limits: Iterable[tuple[str, Level]]) -> Policy:
        """A policy with further limits laid over this one."""
        return replace(self, limits=(*self.limits, *limits))

    def __str__(self) -> str:
        parts = [str(self.default), *(f"{_quoted(n)}={v}" for n, v in self.columns.items())]
        parts += [f"{_quoted(pattern)}<={level}" for pattern, level in self.limits]
        return ",".join([*parts, *(f"budget={b}" for b in {self.budget} - {BUDGET, WHOLE})])


def speaks_of(name: str, column: str) -> bool:
    """Whether a rule for `name` is one for `column`, or for a level of its label (a / b, a.b)."""
    return plain_name(name) in _labels(column)


@lru_cache(maxsize=4096)  # of the rules; the names in a frame are asked for once each
def plain_name(name: str) -> str:
    """A name without blanks around it, case and invisible characters, in one Unicode form."""
    if name.isascii():
        return name.strip().casefold()
    seen = "".join(char for char in name if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFKC", seen.casefold()).strip()


def label_of(name: Any) -> str:
    """A column's or key's name as a text; the levels of one that is a tuple."""
    if isinstance(name, Enum):
        name = (name.name, name.value)
    if isinstance(name, bytes):
        return name.decode("utf-8", "replace")
    return " / ".join(map(label_of, name)) if isinstance(name, tuple) else str(name)


def labels_in(text: str) -> set[str]:
    """What may be a key, a heading or a value of its own in a text."""
    labels = {label for found in _KEYS.findall(text) for label in found}
    lines = filter(None, map(str.strip, text.split("\n", 100)[:100]))
    return labels | {cell.strip(" \"'#*_()[]{}") for line in lines for cell in _CELLS.split(line)}


@lru_cache(maxsize=16)  # each rule asks for those of one column
def _labels(column: str) -> set[str]:
    return {plain_name(column), *map(plain_name, re.split(r" / |\.", column))}


def fits_pattern(name: str, pattern: str) -> bool:
    """Whether a pattern of a shell matches `name`; case does not matter."""
    return fnmatchcase(plain_name(name), plain_name(pattern))


def _fits(pattern: str, column: str) -> bool:
    return any(fits_pattern(label, pattern) for label in _labels(column))


def parse_spec(spec: str, base: Policy | None = None) -> tuple[str, Policy]:
    """``EXPR[:POLICY]`` as an expression and a policy; what is not said is as in `base`.

    Raises `ParameterError` for an empty expression, an unknown level or a budget that is no number
    of at least 50.

    >>> parse_spec("df:schema,price=full,budget=500")[1].level("price") == FULL
    True
    """
    expression, rules = _split(spec)
    if not expression:
        raise ParameterError(f"{spec!r} names nothing to attach.", "Write --attach df or df:stats.")
    policy = base or Policy()
    if rules is None:
        return expression, policy
    columns = dict(policy.columns)
    for rule in filter(None, (part.strip() for part in _pieces(rules, ","))):
        name, _, value = rule.rpartition("=")
        name = _unquoted(name.strip())
        if not name:
            policy = replace(policy, default=Level.parse(value))
        elif name == "budget" and value.strip().isdigit():
            if int(value) < _LEAST_BUDGET:
                raise ParameterError(
                    f"{int(value)} tokens are too few for a card.",
                    f"The least budget is {_LEAST_BUDGET}.",
                )
            policy = replace(policy, budget=int(value))
        else:
            columns[name] = Level.parse(value)
    return expression, replace(policy, columns=columns)


def asked_of(policy: str) -> str:
    """What a user asked for, of a policy as ``str`` writes it: without the rules laid over it."""
    return ",".join(rule for rule in _pieces(policy, ",") if not _LIMIT.search(rule))


def _split(spec: str) -> tuple[str, str | None]:
    """Expression and rules, at the last colon outside brackets and quotes that rules follow."""
    pieces = _pieces(spec, ":")
    if len(pieces) == 1 or "lambda" in pieces[-2]:
        return spec.strip(), None
    return ":".join(pieces[:-1]).strip(), pieces[-1]


def _pieces(text: str, separator: str) -> list[str]:
    """`text` cut at each `separator` outside brackets and quotes."""
    pieces, depth, quote, begin = [], 0, "", 0
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[at - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == separator and depth == 0:
            pieces.append(text[begin:at])
            begin = at + 1
    return [*pieces, text[begin:]]


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 1 and name[0] in "\"'" and name[-1] == name[0] else name


def _quoted(name: str) -> str:
    return name if name and not set(name) & set(",:=\"' ") else repr(name)
