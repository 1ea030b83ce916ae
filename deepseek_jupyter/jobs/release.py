"""What naming columns in a map's prompt lets leave: their values, for these rows.

A rule for such a column (of the settings, a policy file, or the policy under which the frame was
attached) that allows less than `full` refuses the map before its first row. The frame's other
columns stay as they were, detectors still run, and a column that looks personal by its name is
masked value by value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.asking.attachments import Wanted, policy_of
from deepseek_jupyter.context.frames import withhold
from deepseek_jupyter.errors import PolicyError
from deepseek_jupyter.privacy.detectors import column_kind
from deepseek_jupyter.privacy.levels import FULL, SAMPLE, asked_of
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.rules import check_kind

if TYPE_CHECKING:
    from deepseek_jupyter.asking.prepare import Placed
    from deepseek_jupyter.session.session import Session


@dataclass(frozen=True, slots=True)
class RowRedactor:
    """Masks one row at a time. Pseudonyms are numbered row by row, so that a request depends on
    its row alone; those `taken` are in the system prompt.
    """

    redactor: Redactor
    taken: Mapping[str, str]
    kinds: Mapping[str, str]  # of columns that look personal

    def begin(self, values: Mapping[str, str]) -> tuple[Redactor, dict[str, str]]:
        """The redactor of a row, and the row's values as its prompt says them."""
        own = self.redactor.apart(self.taken)
        kinds = self.kinds
        return own, {
            name: own.pseudonym(kinds[name], text) if text and name in kinds else text
            for name, text in values.items()
        }


def released(
    session: Session,
    placed: Placed,
    frame: Any,
    name: str,
    columns: Sequence[str],
    names: Mapping[str, Any],
) -> RowRedactor:
    """The redactor for the rows of `frame`, called `name`, whose prompt names `columns`.

    Raises `PolicyError` where a rule keeps one of them.
    """
    files, withholding = placed.files.data, session.withholding
    check_kind(name, "frame", files)
    before = asked_of(withholding.policies.get(name, ""))
    wanted = Wanted(name, frame, before, names=names)
    policy = policy_of(session, wanted, files)
    strict = policy_of(session, replace(wanted, rules=""), files)
    for column in columns:
        level = min(replace(p, default=FULL).level(column) for p in (policy, strict))
        if level < FULL:
            raise PolicyError(
                f"A rule lets {level} of the column {column!r} of {name} leave, and a map sends its"
                " values.",
                "Name other columns; %deepseek doctor lists the rules of policy files.",
            )
    opened = replace(policy, columns={**policy.columns, **dict.fromkeys(columns, FULL)})
    ruled = [index for held in placed.gathered.ruled for index in held.withheld]
    withheld = (*withholding.without({name: "as for these rows"}), *ruled)
    redactor = placed.redactor.for_request(withheld, placed.redactor.released)
    if before or policy.limits or policy.columns or policy.default < SAMPLE:
        withhold(frame, opened, redactor)
    kinds = {column: kind for column in columns if (kind := column_kind(column))}
    return RowRedactor(redactor, {}, kinds)
