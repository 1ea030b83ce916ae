"""From the line of a magic to a value. Pure: argparse is the whole vocabulary.

Before adding syntax here, add an argument.
"""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from IPython.core.error import UsageError

from deepseek_jupyter.asking.question import FITS, FORMATS, NAMED_PARAMETERS, Question
from deepseek_jupyter.config import APPROVALS, EFFORTS, ON_ERROR, REPLAYS
from deepseek_jupyter.errors import ParameterError
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
    compare: str | None = None
    times: int = 1


class _Parser(argparse.ArgumentParser):
    """Argparse that raises instead of ending the process, and suggests the nearest flag."""

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            hint = suggestion(unknown[1], flags) or " %deepseek help lists the flags."
            raise UsageError(f"There is no flag {unknown[1]}.{hint}")
        raise UsageError(message[:1].upper() + message[1:].rstrip(".") + ".")


def flag_parser() -> argparse.ArgumentParser:
    """The flags of ``%%deepseek``, ``%%ds`` and ``%ds``."""
    parser = _Parser(prog="%%deepseek", add_help=False, allow_abbrev=False)
    _add_model_flags(parser.add_argument)
    _add_answer_flags(parser.add_argument)
    _add_conversation_flags(parser.add_argument)
    return parser


def _sum(text: str) -> float:
    return 0.0 if text == "none" else float(text)


def _rows(text: str) -> int | str:
    return text if text == "all" else int(text)


def _add_model_flags(add: Callable[..., object]) -> None:
    add("-m", "--model", metavar="ID", help="model id, sent verbatim")
    add("-p", "--provider", metavar="NAME", help="provider profile; %%deepseek provider lists them")
    add(
        "--think",
        action=argparse.BooleanOptionalAction,
        help="thinking mode on or off; without it the provider decides",
    )
    add("--effort", choices=EFFORTS, help="how much to think")
    add("-t", "--temperature", type=float, metavar="T", help="0 to 2; no effect while thinking")
    add("--top-p", type=float, metavar="P", help="above 0 up to 1")
    add("--max-tokens", type=int, metavar="N", help="limit of thinking and answer together")
    add("--stop", action="append", metavar="TEXT", help="stop before this text; repeatable")
    add("--seed", type=int, metavar="N", help="for hosts that repeat a seeded answer")
    add(
        "--param",
        action="append",
        default=[],
        metavar="K=V",
        help="any other parameter of the provider; V is read as JSON where it is JSON; repeatable",
    )
    add(
        "--logprobs",
        dest="top_logprobs",
        type=int,
        metavar="N",
        help="the probability of each token, and N alternatives (0 to 20)",
    )
    add("-s", "--system", metavar="TEXT", help="system prompt for this question")


def _add_answer_flags(add: Callable[..., object]) -> None:
    add("-f", "--format", choices=FORMATS, default="md", help="how to ask for and show the answer")
    add(
        "--schema",
        metavar="EXPR",
        help="what the answer is to be: a type or JSON schema of the notebook, as list[City]",
    )
    add(
        "--tools",
        metavar="A,B",
        default="",
        help="functions that the model may call; built in: sql, inspect, run_python; none: nothing",
    )
    add(
        "--web",
        action="store_true",
        help="let the provider's server search the web; the question may go out with the search",
    )
    add(
        "--approve",
        choices=APPROVALS,
        help="whether calls wait for your yes; without it only those of tools that act",
    )
    add("-o", "--out", metavar="NAME", help="put the Reply into this variable")
    add("--code", action="store_true", help="put the answer's Python code into the next cell")
    add("--run", action="store_true", help="put the code there, and run it after a yes")
    add(
        "--compare",
        metavar="A,B",
        help="ask these variants at once, side by side: model, provider:model, model?think=off&t=0",
    )
    add("--times", metavar="N", type=int, default=1, help="ask each N times, side by side")
    add("--map", metavar="FRAME", help="ask about every row of a frame; {{ column }} is its value")
    add("--into", metavar="NAME", default="answer", help="the column for the answers of --map")
    add("--rows", metavar="N|all", type=_rows, default=5, help="rows of --map: a trial, or all")


def _add_conversation_flags(add: Callable[..., object]) -> None:
    add("--new", action="store_true", help="begin a new conversation")
    add(
        "--no-history",
        dest="history",
        action="store_const",
        const=False,
        help="ask outside the conversation",
    )
    add("--continue", dest="go_on", action="store_true", help="go on with the last answer")
    add(
        "--cells",
        metavar="above|all|N|none",
        help="send the notebook's own code cells along: those above, all, or the N nearest",
    )
    add(
        "-a",
        "--attach",
        action="append",
        default=[],
        metavar="EXPR[:POLICY]",
        help="send this object along; df:schema,price=full,name=none,budget=500 says what of it; "
        "repeatable",
    )
    add(
        "--fit",
        choices=FITS,
        help="of documents that do not fit, send the most relevant parts or the beginnings, or ask "
        "each part and then over the answers",
    )
    add("--cite", action="store_true", help="quotes from the documents, each with its place")
    add("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    add("--branch", metavar="NAME", help="ask on this branch; a new one begins here")
    add(
        "--replay",
        choices=REPLAYS,
        help="answer from the journal or the notebook: auto where it was asked before, "
        "always or not at all, never",
    )
    add(
        "--pace",
        metavar="1|4|0|think=8|real",
        help="how fast a kept answer is shown: 1 as it came, 0 at once",
    )
    add("--budget", type=_sum, metavar="SUM", help="refuse a question that may cost more")
    add(
        "--no-stream",
        dest="stream",
        action="store_const",
        const=False,
        help="one plain request instead of a stream",
    )
    add("--on-error", choices=ON_ERROR, help="return: no exception, see Reply.error")
    add("--quiet", action="store_true", help="show nothing")


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
    parser = flag_parser()
    taken = 0
    while taken < len(words) and words[taken][0].startswith("-") and words[taken][0] != "-":
        flag = words[taken][0]
        taken += 1
        if flag == "--":
            break
        if "=" not in flag and taken < len(words) and _takes_value(parser, flag):
            taken += 1
    flags = parser.parse_args([word for word, _ in words[:taken] if word != "--"])
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
    rest = (flags.map, flags.into, flags.rows, flags.compare, flags.times)
    return Command(question, flags.out, flags.code or flags.run, flags.run, flags.quiet, *rest)


def _parameters(flags: argparse.Namespace) -> dict[str, Any]:
    named = {name: getattr(flags, name) for name in NAMED_PARAMETERS}
    values = {name: value for name, value in named.items() if value is not None}
    for item in flags.param:
        name, equals, text = item.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"--param {item} has no value.", "Write it as --param name=value.")
        name = SYNONYMS.get(name.strip(), name.strip())
        if name in values:
            flag = (
                f"--{name.replace('_', '-')}" if named.get(name) is not None else "another --param"
            )
            raise ParameterError(f"--param {item} and {flag} both set {name}.", "Leave one out.")
        values[name] = parse_value(text)
    return values


def _takes_value(parser: argparse.ArgumentParser, flag: str) -> bool:
    action = parser._option_string_actions.get(flag)
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


def suggestion(word: str, known: Sequence[str]) -> str:
    """A sentence that names the nearest known word, "" when none is near."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""
