"""A prompt for many rows: ``{{ column }}`` stands for the row's value, anything else is evaluated
once. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.context.prompt import fill
from deepseek_jupyter.context.table import Opaque, plain, shown
from deepseek_jupyter.errors import ParameterError, TemplateError

_HIDDEN = {"In", "Out", "exit", "quit", "get_ipython", "open"}
_MARK = re.compile("\0(\\d+)\0")


class _ColumnName(str):
    """Stands for a column while the rest of the prompt is evaluated."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class RowTemplate:
    """`texts` around the values of `columns`, which may repeat; one text more than columns.

    `evaluated` are the other expressions and their values, for the user to see.
    """

    texts: tuple[str, ...]
    columns: tuple[str, ...]
    evaluated: tuple[tuple[str, str], ...] = ()

    @property
    def named(self) -> tuple[str, ...]:
        """Each column once."""
        return tuple(dict.fromkeys(self.columns))

    @property
    def source(self) -> str:
        """The prompt with everything but columns filled in."""
        return self.render({name: f"{{{{ {name} }}}}" for name in self.columns})

    def render(self, values: Mapping[str, str]) -> str:
        """The prompt of a row; `values` are texts by column."""
        first, *rest = self.texts
        pairs = zip(self.columns, rest, strict=True)
        return "".join([first, *(part for name, text in pairs for part in (values[name], text))])


def template_of(
    prompt: str,
    labels: Sequence[str],
    names: Mapping[str, Any],
    refuse: Callable[[str, Any], None] = lambda source, value: None,
) -> RowTemplate:
    """The template that `prompt` is for a frame with columns `labels`; `names` are the notebook's.

    `refuse` raises for a value that has no business in a text. Raises `TemplateError`, and
    `ParameterError` where no column is named or a name means two things.
    """
    evaluated: list[tuple[str, Any]] = []
    aliases = {f"column_{at}_of_the_frame": label for at, label in enumerate(labels)}
    for alias, label in aliases.items():  # any text can be a column's name
        place = r"(?<!\\)\{\{\s*" + re.escape(label) + r"\s*\}\}"
        prompt, found = re.subn(place, f"{{{{ {alias} }}}}", prompt)
        if found and label in names and label not in _HIDDEN and not label.startswith("_"):
            raise ParameterError(
                f"{{{{ {label} }}}} is a column and a variable of the notebook.",
                f"Rename one: del {label}, or rename the column.",
            )
        if found and labels.count(label) > 1:
            raise ParameterError(
                f"The frame has {labels.count(label)} columns {label!r}.", "Rename them first."
            )
    places = {label: at for at, label in enumerate(labels)}

    def keep(source: str, value: Any) -> str:
        if isinstance(value, _ColumnName):
            return f"\0{places[value]}\0"
        evaluated.append((source, value))
        return str(value).replace("\0", "")

    marked = {alias: _ColumnName(label) for alias, label in aliases.items()}
    try:
        filled = fill(prompt.replace("\0", ""), {**names, **marked}, keep)
    except TemplateError as error:
        if isinstance(error.__context__, NameError):
            error.hint = (
                f"A column stands alone in its braces; the frame has {_list(labels)}. For anything "
                "computed from one make a column first."
            )
        raise
    for alias, label in aliases.items():  # in code, where nothing is filled in
        filled = filled.replace(f"{{{{ {alias} }}}}", f"{{{{ {label} }}}}")
    for source, value in evaluated:
        refuse(source, value)
    parts = _MARK.split(filled)
    columns = tuple(labels[int(at)] for at in parts[1::2])
    if not columns:
        raise TemplateError(
            "The prompt names no column, so every row would ask the same.",
            f"Write {{{{ column }}}}, outside of backticks; the frame has {_list(labels)}.",
        )
    said = tuple((source, str(value)) for source, value in evaluated)
    return RowTemplate(tuple(parts[::2]), columns, said)


def _list(labels: Sequence[str]) -> str:
    return ", ".join(labels[:12]) or "no columns"


def text_of(value: Any) -> str | None:
    """A value as a prompt says it, what has parts as JSON; None for a missing one."""
    value = plain(value)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=shown)
    return repr(value) if isinstance(value, float) else shown(value)


def is_text(value: Any) -> bool:
    """Whether a plain value can be said whole: no image, bytes, or list that was cut."""
    if isinstance(value, dict):
        return "…" not in value and all(map(is_text, value.values()))
    if isinstance(value, list):
        return all(map(is_text, value))
    return not isinstance(value, Opaque | bytes)
