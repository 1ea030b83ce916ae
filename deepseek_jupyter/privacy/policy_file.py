"""``deepseek-policy.toml``: what a course, a team or a project allows.

Every file found from the notebook's folder upward applies, and so does the one that the variable
``DEEPSEEK_POLICY`` names. A rule can only tighten: of two files the stricter rule counts, wherever
they are. Files are read again for each question; one that cannot be read stops the question.

A file with an unknown key is refused: a rule that is misspelt protects nothing.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from deepseek_jupyter.errors import PolicyError, did_you_mean, one_line

from .detectors import DETECTORS

FILE = "deepseek-policy.toml"
VARIABLE = "DEEPSEEK_POLICY"
_LARGEST = 250_000  # bytes


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One file's rules, and its path."""

    path: str
    data: DataRules
    teaching: TeachingRules


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """Every file that applies, the outermost first. Empty where there is none."""

    files: tuple[PolicyFile, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(file.path for file in self.files)

    @property
    def data(self) -> tuple[DataRules, ...]:
        """The ``[data]`` rules of every file; all of them hold."""
        return tuple(file.data for file in self.files)

    @property
    def teaching(self) -> tuple[TeachingRules, ...]:
        """The ``[teaching]`` rules of every file; all of them hold."""
        return tuple(file.teaching for file in self.files)


def load(notebook: str | None, environ: Mapping[str, str]) -> PolicyFiles:
    """The policy for the notebook at this path, or for the working directory.

    Raises `PolicyError` for a file that cannot be read or understood, with path and line.
    """
    return PolicyFiles(tuple(_read(path) for path in find(notebook, environ)))


def find(notebook: str | None, environ: Mapping[str, str]) -> list[Path]:
    """The files that apply, the outermost first.

    A file that the variable names must be there. Where the notebook's folder is not on this
    machine (a remote kernel), the search begins at the working directory.
    """
    named = environ.get(VARIABLE)
    first = [Path(os.path.expanduser(named))] if named else []
    folder = Path(notebook).parent if notebook else _working_directory()
    if not folder.is_absolute() or not folder.is_dir():
        folder = _working_directory()
    above = [parent / FILE for parent in (folder, *folder.parents)]
    found = [path for path in reversed(above) if _there(path)]
    return list(dict.fromkeys(path.absolute() for path in (*first, *found)))


def _working_directory() -> Path:
    """The working directory, the root where it was deleted: no file can lie in it then."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.sep)


def _there(path: Path) -> bool:
    """Whether there is anything of that name; what cannot be looked at counts as there."""
    try:
        return bool(path.lstat())
    except OSError as error:
        return not isinstance(error, FileNotFoundError | NotADirectoryError)


def _read(path: Path) -> PolicyFile:
    try:
        # Not waiting: a pipe of that name would hold every question for ever.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("it is no regular file")
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST:,} bytes")
        text = raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyError(
            f"{path} cannot be read: {reason}.",
            "Make it readable, or ask who wrote it; until then nothing is sent.",
        ) from None
    data, teaching = parse(text, str(path))
    return PolicyFile(str(path), data, teaching)


_LEVEL = re.compile(r"none|schema|stats|sample(\([1-9]\d{0,5}\))?|full")
KINDS = (
    *("frame", "series", "array", "dict", "list", "text", "number", "source", "module"),
    *("figure", "image", "file", "cell", "object"),
)

_DEEPEST = 16
_MOST_DOTS = 32  # of one line, outside of texts
# Each text matches from where it begins, ended or not, so that no place is looked at twice.
_TEXTS = re.compile(
    r'''"""(?:\\.?|[^\\])*?(?:"{3,5}|\Z)''' + r"|'''.*?(?:'{3,5}|\Z)"
    r"""|"(?:\\.|[^"\\\n])*"?""" + r"|'[^'\n]*'?|#[^\n]*",
    re.DOTALL,
)
_BRACKETS = re.compile(r"[\[\]{}]")

_MONEY = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)\s*(USD|CNY)")


@dataclass(frozen=True, slots=True)
class FrameRule:
    """A rule for frames whose name matches `name`: their level, levels of columns, and the column
    whose different values are counted where `sql` counts rows.
    """

    name: str
    level: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True)
class DataRules:
    """``[data]`` of one file. Patterns are those of `fnmatch`, without regard to case.

    `level` is the most that any column shows; `columns` are pairs of pattern and level;
    `budget` the most tokens of one attachment; `forbid` kinds that may not be attached;
    `min_group` the fewest rows that a figure of `sql` is about; `providers` are patterns of those
    that attached data may go to. None and () mean: says nothing.
    """

    level: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    frames: tuple[FrameRule, ...] = ()
    detectors: tuple[str, ...] = ()
    budget: int | None = None
    forbid: tuple[str, ...] = ()
    min_group: int | None = None
    providers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in USD or CNY."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@dataclass(frozen=True, slots=True)
class TeachingRules:
    """``[teaching]`` of one file.

    `thinking` is "shown" (always open) or "required" (also asked for in every question); `models`
    and `providers` are patterns, None for any; `budget` and `budget_tokens` count for the whole
    notebook; `forbid_tools` are patterns of tool names.
    """

    hints_only: bool = False
    no_whole_solutions: bool = False
    instructions: str = ""
    thinking: str = ""
    models: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    budget: Money | None = None
    budget_tokens: int | None = None
    forbid_tools: tuple[str, ...] = ()
    forbid_code_insertion: bool = False


def parse(text: str, path: str) -> tuple[DataRules, TeachingRules]:
    """The rules in `text`. Raises `PolicyError` that names `path` and the line."""
    if line := _too_deep(text):
        raise _wrong(path, line, "nested deeper than any rule is.")
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number too long for Python is a ValueError
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        what = re.sub(r" \(at .*\)$", "", str(error))
        raise _wrong(path, line, f"{one_line(what, 200)}.") from None
    sections = {"data": (DataRules, _DATA), "teaching": (TeachingRules, _TEACHING)}
    for name, value in content.items():
        if name not in sections:
            line = _line_of(text, "", name)
            raise _wrong(
                path, line, f"there is no section [{one_line(name, 200)}].{_meant(name, sections)}"
            )
        if not isinstance(value, dict):
            raise _wrong(path, _line_of(text, "", name), f"{name} is a section: write [{name}].")
    made = [
        kind(**_checked(content.get(name, {}), table, name, text, path))
        for name, (kind, table) in sections.items()
    ]
    return made[0], made[1]


def _too_deep(text: str) -> int:
    """The first line that nests deeper than a policy can; 0 for none.

    tomllib is recursive in brackets and takes the square of the dots of a key. Texts and comments
    are passed over as it does it: what is left is structure.
    """
    depth = 0
    structure = _TEXTS.sub(lambda found: "\n" * found[0].count("\n"), text)
    for number, line in enumerate(structure.split("\n"), 1):
        if line.count(".") > _MOST_DOTS:
            return number
        for bracket in _BRACKETS.findall(line):
            depth += 1 if bracket in "[{" else -1
            if depth > _DEEPEST:
                return number
    return 0


Check = Callable[[Any], Any]  # the value to keep; ValueError with what it should be


def _checked(
    section: Mapping[str, Any], table: Mapping[str, Check], name: str, text: str, path: str
) -> dict[str, Any]:
    values = {}
    for key, value in section.items():
        line = _line_of(text, name, key)
        if key not in table:
            raise _wrong(
                path, line, f"[{name}] has no key {one_line(key, 200)!r}.{_meant(key, table)}"
            )
        try:
            values[key] = table[key](value)
        except ValueError as error:
            raise _wrong(path, line, f"{name}.{key} {one_line(str(error), 200)}.") from None
    return values


def _that(fits: Callable[[Any], object], what: str) -> Check:
    """The check that a value fits; else it should be `what`."""

    def check(value: Any) -> Any:
        if not fits(value):
            raise ValueError(what)
        return value

    return check


_level = _that(
    lambda value: isinstance(value, str) and _LEVEL.fullmatch(value),
    "is one of none, schema, stats, sample, sample(N), full",
)
_flag = _that(lambda value: isinstance(value, bool), "is true or false")
_thinking = _that(lambda value: value in ("shown", "required"), 'is "shown" or "required"')


def _whole(what: str, least: int, most: int) -> Check:
    fits = lambda value: type(value) is int and least <= value <= most  # noqa: E731
    return _that(fits, f"is a number of {what}, {least} or more")


def _levels(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise ValueError('is a table of patterns and levels, like "*email*" = "none"')
    return tuple((pattern, _level_at(pattern, level)) for pattern, level in value.items())


def _level_at(name: str, value: Any) -> str:
    try:
        return str(_level(value))
    except ValueError as error:
        raise ValueError(f"{name!r} {error}") from None


def _frames(value: Any) -> tuple[FrameRule, ...]:
    """``patients = "schema"`` or ``patients = {level = "schema", columns = {age = "stats"}}``."""
    if not isinstance(value, dict):
        raise ValueError('is a table of frame names, like patients = "schema"')
    rules = []
    for name, rule in value.items():
        rule = rule if isinstance(rule, dict) else {"level": rule}
        if unknown := sorted(set(rule) - {"level", "columns", "unit"}):
            raise ValueError(f"{name!r} has no key {unknown[0]!r}; it takes level, columns, unit")
        unit = rule.get("unit", "")
        if not isinstance(unit, str) or ("unit" in rule and not unit.strip()):
            raise ValueError(f"{name!r} has a unit that is no name of a column")
        level = _level_at(name, rule["level"]) if "level" in rule else None
        rules.append(FrameRule(name, level, _levels(rule.get("columns", {})), unit))
    return tuple(rules)


def _some_of(known: tuple[str, ...]) -> Check:
    def check(value: Any) -> tuple[str, ...]:
        names = _texts(value)
        for name in names:
            if name not in known:
                raise ValueError(f"has no {name!r}; it takes {', '.join(known)}")
        return names

    return check


def _detectors(value: Any) -> tuple[str, ...]:
    if isinstance(value, bool):
        return DETECTORS if value else ()
    names: tuple[str, ...] = _some_of(DETECTORS)(value)
    return names


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError('is a list of texts, like ["a", "b"]')
    return tuple(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is a text")
    return value.strip()


def _money(value: Any) -> Money:
    found = _MONEY.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('is an amount and its currency, USD or CNY, like "0.50 USD"')
    return Money(Decimal(found[1]), found[2])


_tokens = _whole("tokens", 1, 10**12)
_DATA: dict[str, Check] = {
    "level": _level,
    "columns": _levels,
    "frames": _frames,
    "detectors": _detectors,
    "budget": _tokens,
    "forbid": _some_of(KINDS),
    "min_group": _whole("rows", 2, 10**9),
    "providers": _texts,
}
_TEACHING: dict[str, Check] = {
    "hints_only": _flag,
    "no_whole_solutions": _flag,
    "instructions": _text,
    "thinking": _thinking,
    "models": _texts,
    "providers": _texts,
    "budget": _money,
    "budget_tokens": _tokens,
    "forbid_tools": _texts,
    "forbid_code_insertion": _flag,
}


def _meant(name: str, known: Mapping[str, Any]) -> str:
    return f" {did_you_mean(name, known) or 'There are ' + ', '.join(known) + '.'}"


def _wrong(path: str, line: int, what: str) -> PolicyError:
    return PolicyError(
        f"{path}, line {line}: {what}",
        "Correct the file, or ask who wrote it; until then nothing is sent.",
    )


def _line_of(text: str, section: str, key: str) -> int:
    """Where `key` of `section` (or the section `key`) is written, else where the section begins."""
    wanted = f"{section}.{key}" if section else key
    here, section_line = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.match(line):
            here = name = _plain(head[1])
        elif written := _KEY.match(line):
            name = ".".join(filter(None, (here, _plain(written[1]))))
        else:
            continue
        if name == wanted or name.startswith(wanted + "."):
            return number
        if name == section:
            section_line = number
    return section_line


_HEAD = re.compile(r"\s*\[\[?([^\]]+)\]")
_KEY = re.compile(r"\s*([^\s#=][^=#]*)=")


def _plain(name: str) -> str:
    return re.sub(r"[\s\"']", "", name)
