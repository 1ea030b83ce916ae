"""What the ``[data]`` rules of policy files make of an attachment's policy. They only tighten.

And what is refused: kinds that a file forbids, rules for columns that are not there.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from deepseek_jupyter.errors import ParameterError, PolicyError

from .attachment import Attachment
from .policy import Level, Policy
from .policy_schema import DataRules

__all__ = ["check_columns", "check_kind", "tightened"]


def tightened(policy: Policy, name: str, files: Iterable[DataRules]) -> Policy:
    """`policy` of the attachment `name` under all rules of all files."""
    for rules in files:
        policy = policy.tightened(_limits(rules, name))
        if rules.budget is not None:
            policy = replace(policy, budget=min(policy.budget, rules.budget))
    return policy


def check_kind(attachment: Attachment, files: Iterable[DataRules]) -> None:
    """Raise `PolicyError` where a file forbids attachments of this kind."""
    if any(attachment.kind in rules.forbid for rules in files):
        raise PolicyError(
            f"The data policy forbids attaching {attachment.name}: it is a {attachment.kind}.",
            "%deepseek doctor lists the rules, and the files in which they stand.",
        )


def check_columns(attachment: Attachment, names: Iterable[str]) -> None:
    """Raise `ParameterError` where a frame has none of these columns: a misspelt rule would let
    the column that was meant leave.
    """
    known = [column.name for column in attachment.columns]
    for name in names:
        if known and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise ParameterError(
                f"{attachment.name} has no column {name!r}, so a rule for it keeps nothing back.",
                f"Did you mean {close[0]!r}?" if close else f"It has {', '.join(known[:12])}.",
            )


def _limits(rules: DataRules, name: str) -> Iterator[tuple[str, Level]]:
    if rules.level is not None:
        yield "*", Level.parse(rules.level)
    yield from ((pattern, Level.parse(level)) for pattern, level in rules.columns)
    for frame in rules.frames:
        if fnmatchcase(name.casefold(), frame.name.casefold()):
            if frame.level is not None:
                yield "*", Level.parse(frame.level)
            yield from ((pattern, Level.parse(level)) for pattern, level in frame.columns)
