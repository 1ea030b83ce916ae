"""From the line of a magic to a value: argparse is the whole vocabulary.

Before adding syntax here, add a flag to ``flags.json``.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from IPython.core.error import UsageError

from deepseek_jupyter.asking.question import FITS, FORMATS, NAMED_PARAMETERS, Question
from deepseek_jupyter.config import APPROVALS, EFFORTS, ON_ERROR, REPLAYS
from deepseek_jupyter.errors import ParameterError, did_you_mean
from deepseek_jupyter.protocol.parameters import SYNONYMS, parse_value


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed ``%%deepseek`` or ``%ds``: the question, and what to do with the reply."""

    question: Question
    out: str | None = None
    code: bool = False
    run: bool = False
    quiet: bool = False
    map: str | None = None
    into: str = "answer"
    rows: int | str = 5
    where: str = "kernel"
    compare: str | None = None
    times: int = 1


class _Parser(argparse.ArgumentParser):
    """Argparse that raises instead of ending the process, and suggests the nearest flag."""

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown and unknown[1] in ("-h", "--help"):
            raise UsageError("%deepseek help lists the flags.")
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            hint = did_you_mean(unknown[1], flags) or "%deepseek help lists the flags."
            raise UsageError(f"There is no flag {unknown[1]}. {hint}")
        message = message.replace("invalid _", "invalid ")  # `_rows` and `_sum` are types of ours
        raise UsageError(message[:1].upper() + message[1:].rstrip(".") + ".")


@cache
def flag_parser() -> argparse.ArgumentParser:
    """The flags of ``%%deepseek``, ``%%ds`` and ``%ds``, which are ``flags.json``."""
    parser = _Parser(prog="%%deepseek", add_help=False, allow_abbrev=False)
    for row in json.loads(Path(__file__).with_name("flags.json").read_text("utf-8")):
        named = {name: _NAMED.get(str(value), value) for name, value in row.items()}
        parser.add_argument(*named.pop("flags").split(), **named)
    return parser


def _sum(text: str) -> float:
    return 0.0 if text == "none" else float(text)


def _rows(text: str) -> int | str:
    return text if text == "all" else int(text)


# What ``flags.json`` names.
_NAMED: Mapping[str, Any] = {
    **{used.__name__: used for used in (int, float, _sum, _rows, argparse.BooleanOptionalAction)},
    "EFFORTS": EFFORTS,
    "FORMATS": FORMATS,
    "APPROVALS": APPROVALS,
    "FITS": FITS,
    "REPLAYS": REPLAYS,
    "ON_ERROR": ON_ERROR,
}


def flag_help() -> str:
    """The flags as the manual shows them."""
    return flag_parser().format_help().replace("%%", "%")


def parse_cell(line: str, body: str, cell_id: str | None = None) -> Command:
    """The command of a cell magic. Raises `UsageError`, `ParameterError`."""
    flags, rest = flag_parser().parse_known_args(split(line))
    if rest and rest[0].startswith("-"):
        flag_parser().error(f"unrecognized arguments: {rest[0]}")
    if rest:
        raise UsageError(
            f"The line takes flags only; move {' '.join(rest)!r} into the cell below it."
        )
    return _command(flags, body.strip("\n"), cell_id)


def parse_line(line: str, cell_id: str | None = None) -> Command:
    """The command of ``%ds [flags] QUESTION``: flags first, the rest is the question as written.

    ``--`` ends the flags, for a question that begins with a dash.
    """
    words = _spans(line)
    taken = 0
    while taken < len(words) and words[taken][0].startswith("-") and words[taken][0] != "-":
        flag = words[taken][0]
        taken += 1
        if flag == "--":
            break
        if "=" not in flag and taken < len(words) and takes_value(flag):
            taken += 1
    flags = flag_parser().parse_args([word for word, _ in words[:taken] if word != "--"])
    start = words[taken][1] if taken < len(words) else len(line)
    return _command(flags, line[start:].strip(), cell_id)


def _command(flags: argparse.Namespace, prompt: str, cell_id: str | None) -> Command:
    names = {field.name for field in fields(Question)}  # most flags are called as in a question
    taken = {name: value for name, value in vars(flags).items() if name in names}
    taken["attach"] = tuple(flags.attach)
    taken["tools"] = tuple(filter(None, map(str.strip, flags.tools.split(","))))
    question = Question(prompt, parameters=_parameters(flags), cell_id=cell_id, **taken)
    if flags.out is not None and not flags.out.isidentifier():
        raise UsageError(f"--out {flags.out}: not a variable name.")
    several = flags.compare is not None or flags.times != 1
    if several and (flags.map or flags.code or flags.run):
        raise UsageError("--compare and --times go without --map, --code and --run.")
    own = {field.name: getattr(flags, field.name) for field in fields(Command)[1:]}
    return Command(question, **{**own, "code": flags.code or flags.run})


def _parameters(flags: argparse.Namespace) -> dict[str, Any]:
    named = {name: getattr(flags, name) for name in NAMED_PARAMETERS}
    values = {name: value for name, value in named.items() if value is not None}
    for item in flags.param:
        name, equals, text = item.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"--param {item} has no value.", "Write it as --param name=value.")
        name = SYNONYMS.get(name.strip(), name.strip())
        if name in values:
            flag = "another --param" if named.get(name) is None else f"--{name.replace('_', '-')}"
            raise ParameterError(f"--param {item} and {flag} both set {name}.", "Leave one out.")
        values[name] = parse_value(text)
    return values


def takes_value(flag: str) -> bool:
    """Whether the word after `flag` is its value."""
    action = flag_parser()._option_string_actions.get(flag)
    return action is not None and action.nargs != 0


def split(line: str) -> list[str]:
    """The words of `line` as a shell reads them. Raises `UsageError` for an open quote."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{error}: {line.strip()}") from None


def _spans(line: str) -> list[tuple[str, int]]:
    """The words of `line` with the place where each begins, quotes taken off.

    Only as far as quotes allow: an apostrophe in the question ends the reading, which is enough,
    since flags come first.
    """
    found = []
    for match in re.finditer(r"""(?:[^\s"']|"[^"]*"|'[^']*')+|\S+""", line):
        try:
            word = "".join(shlex.split(match[0]))
        except ValueError:
            word = match[0]
        found.append((word, match.start()))
    return found
