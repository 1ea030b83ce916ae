"""Tool calls and typed lists as they are shown: a line that says what came of it, code, a table.

The TypeScript twin is ``labextension/src/card/steps.ts``.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from deepseek_jupyter.sanitizer.text import mark_text, plain

Rows = Sequence[Sequence[str]]

_LANGUAGES = {"code": "python", "query": "sql"}
_DECISIONS = {"asking": "waits for you", "nobody to ask": "denied", "not asked": ""}
_REMARK = re.compile(r"(?:… )?\((?:no rows|the first |cut after |[\d,]+ rows?\))")
_WIDEST = 40  # columns of a table


class ShownCall(NamedTuple):
    """`rows` are the table in the result, its heads first, and `rest` the text that is none."""

    line: str
    failed: bool
    code: str
    language: str
    rows: Rows
    rest: str


def calls(step: Mapping[str, Any]) -> Iterator[ShownCall]:
    """The calls of a step that were decided on, in order."""
    results = {result["id"]: result for result in step.get("results", ())}
    for call in step.get("tool_calls", ()):
        result = results.get(call["id"], {})
        text = result.get("text") or ""
        rows, rest = table_in(text) if "rows" in result else ((), text)
        line = " · ".join(filter(None, (call["name"], *_outcome(result))))
        code, language = written(call["arguments"])
        yield ShownCall(line, result.get("failed", False), code, language, rows, rest)


def written(arguments: str) -> tuple[str, str]:
    """What a call was given, and its language: a query or code as such, anything else as JSON."""
    try:
        ((name, text),) = json.loads(arguments).items()
        return str(text.strip("\n")), _LANGUAGES[name]
    except (AttributeError, KeyError, ValueError, TypeError, RecursionError):
        return arguments, "json"


def _outcome(result: Mapping[str, Any]) -> Iterator[str]:
    """What became of a call: "failed", "2 rows", "12 ms"."""
    decision = result.get("decision") or ""
    yield _DECISIONS.get(decision, decision)
    if result.get("failed"):
        yield "failed"
    elif (count := result.get("rows")) is not None:
        more = "+" if result.get("more") else ""
        yield f"{count:,}{more} {'row' if count == 1 else 'rows'}"
    if (took := result.get("seconds")) is not None:
        yield f"{took * 1000:.0f} ms" if took < 0.9995 else f"{took:.1f} s"


def table_in(text: str) -> tuple[Rows, str]:
    """The table at the beginning of `text`, which is CSV, and what follows it."""
    source = io.StringIO(text, newline="")
    rows: list[list[str]] = []
    end = 0
    try:
        for row in csv.reader(iter(source.readline, ""), strict=True):
            if (rows and len(row) != len(rows[0])) or _REMARK.match(text, end):
                break
            rows.append(row)
            end = source.tell()
    except csv.Error:  # cut within a value
        pass
    return (rows, text[end:]) if rows and 0 < len(rows[0]) <= _WIDEST else ((), text)


def records_in(answer: str) -> Rows:
    """A JSON list of objects as a table; empty for anything else."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        return ()
    heads = list(dict.fromkeys(name for item in found for name in item))
    if not 0 < len(heads) <= _WIDEST:
        return ()
    return [heads, *([_cell(item.get(name)) for name in heads] for item in found)]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def table_mark(rows: Rows) -> str:
    """A table in Markdown, in which nothing but its own bars is markup."""
    heads, *others = ([mark_text(plain(cell)) or " " for cell in row] for row in rows)
    lines = (heads, ["---"] * len(heads), *others)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
