"""The output of a finished turn: how it holds the turn's record, and how that is read.

The record (docs/record.md) is flat; an output has it as schema 3, for what is saved is compared,
committed and sent around:

* the record holds what a question run again gives again, without what is empty or as usual;
* `run` is everything that differs then: ids, times (of calls: `took`, by their ids), tokens. A
  notebook has it in the output's metadata, which nbdime leaves aside when it pairs outputs (it
  compares a record as a whole); a bundle on its way has it in the record;
* but for the long texts both are JSON in a text, for a notebook file has a line with its indent for
  each value; so a diff of an equal answer is the one line of `run`;
* the answer is a field, unless the output's ``text/plain`` is the answer to the letter (a
  short one, or a console's); a file spends ten bytes more on each line of a ``text/plain``. Lines
  that ``text/markdown`` has too are not written again: then `more` has the answer as `lines`, a
  list of texts and of ranges of the Markdown's lines, read without our elements and entities.

``text/markdown`` is the one rendering. Of all types it alone suits every other reader: JupyterLab,
VS Code, GitHub and nbconvert show it, LaTeX takes no HTML, and a page of schema 1 falls back to it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

TURN_MIME = "application/vnd.deepseek.turn+json"
COMPARE_MIME = "application/vnd.deepseek.compare+json"  # several turns side by side
SCHEMA = 3

_METADATA = "deepseek"  # of an output, where `run` is

_GAP = "\n\n"
# What `sanitizer.markdown` writes for characters and code, which stands for the code itself.
_CODE = re.compile(
    r'^( *)<pre[^>]*><code(?: class="language-([^"]+)")?>(.*)</code></pre>', re.MULTILINE
)
_TAG = re.compile("<(/?code|/?span)>")
_ENTITY = re.compile("&(?:#([0-9]{1,3})|(amp|lt|gt));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">"}
_TEXTS = ("prompt", "reasoning", "answer")
_RUN = (
    *("id", "parent", "conversation", "cell_id", "created", "branch", "request_hash", "replayed"),
    *("compare", "recorded"),
    *("usage", "cost", "timing", "footer", "audit"),
)
_USUAL = {"history": True, "format": "md", "status": "done", "finish_reason": "stop"}
_TOLD = ("arguments", "text", "rows")
_SUMS = ("total_tokens", "cache_miss_tokens")  # of the other counts


def packed(record: Mapping[str, Any], text: str, markdown: str = "") -> dict[str, Any]:
    """`record` for an output whose ``text/plain`` is `text`, and ``text/markdown`` `markdown`."""
    usual = {**_USUAL, "served_model": record["model"]}
    content = {name: record[name] for name in _TEXTS if record[name]}
    if record["answer"] == text:
        content.pop("answer", None)
    elif not record["answer"]:
        content["answer"] = ""
    more = {
        name: _lean(value) if name == "steps" else value
        for name, value in record.items()
        if name not in ("schema", *_TEXTS, *_RUN)
        if (value != usual[name] if name in usual else value)
    }
    lines = _ranges(record["answer"], _as_written(markdown))
    if content.get("answer") and any(isinstance(part, list) for part in lines):
        more["lines"] = lines
        del content["answer"]
    run = {name: record[name] for name in _RUN if record.get(name)}
    if took := {r["id"]: r["seconds"] for r in _results(record) if "seconds" in r}:
        run["took"] = took
    if "usage" in run:
        run["usage"] = {name: n for name, n in run["usage"].items() if name not in _SUMS}
    return {"schema": SCHEMA, **content, "more": _line(more), "run": _line(run)}


def records_of(data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> list[Any]:
    """The flat records in an output, which may come from anyone; unchecked."""
    if TURN_MIME in data:
        return [unpacked(data, metadata)]
    compared = data.get(COMPARE_MIME)
    turns = compared.get("turns") if isinstance(compared, Mapping) else None
    # A turn that a page wrote later has texts of its own.
    shared = {"text/markdown": data.get("text/markdown"), "text/plain": ""}
    found = turns if isinstance(turns, list) else []
    return [unpacked({**shared, **turn}) for turn in found if isinstance(turn, Mapping)]


def output_of(bundle: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`bundle` as an output's data and metadata, the latter with what no other run gives again."""
    record = bundle.get(TURN_MIME)
    if not isinstance(record, Mapping) or "run" not in record:
        return dict(bundle), {}
    kept = {name: value for name, value in record.items() if name != "run"}
    return {**bundle, TURN_MIME: kept}, {_METADATA: record["run"]}


def unpacked(data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> Any:
    """The flat record of an output, or of a bundle, which may come from anyone; unchecked."""
    saved = data.get(TURN_MIME)
    if not isinstance(saved, Mapping) or saved.get("schema") not in (2, SCHEMA):
        return saved
    try:
        content = dict(saved["content"] if saved["schema"] == 2 else saved)
        content.pop("run", None)
        run = saved["run"] if "run" in saved else (metadata or {})[_METADATA]
        more, run = dict(json.loads(content.pop("more"))), dict(json.loads(run))
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    text = _joined(data.get("text/plain"))
    markdown = str(_joined(data.get("text/markdown")))
    if isinstance(parts := more.pop("lines", None), list):
        shown = _as_written(markdown)
        more["answer"] = "\n".join(p if isinstance(p, str) else _cut(shown, p) for p in parts)
    elif isinstance(parts := more.get("answer"), list):  # of paragraphs, as they were saved once
        known = {str(at): part for at, part in enumerate(markdown.split(_GAP))}
        more["answer"] = _GAP.join(
            p if isinstance(p, str) else known.get(str(p), "") for p in parts
        )
    took = run.pop("took", None)
    for result in _results(more) if isinstance(took, Mapping) else ():
        if (seconds := took.get(str(result.get("id")))) is not None:
            result["seconds"] = seconds
    usual = {**_USUAL, "served_model": more.get("model"), "prompt": "", "answer": text}
    return {**usual, **content, **more, **run, "schema": 1}


def _as_written(markdown: str) -> list[str]:
    """The lines of our `markdown` as an answer has them: fences, ticks and characters."""

    def fence(match: re.Match[str]) -> str:
        indent, language, code = match.groups("")
        return f"{indent}```{language}&#10;{code}&#10;```".replace("&#10;", f"\n{indent}")

    text = _TAG.sub(lambda m: "`" if "code" in m[1] else "", _CODE.sub(fence, markdown))
    return _ENTITY.sub(lambda m: chr(int(m[1])) if m[1] else _NAMED[m[2]], text).split("\n")


def _ranges(answer: str, shown: list[str]) -> list[str | list[int]]:
    """`answer` as texts and, in order, ranges of the lines that are `shown`."""
    places = defaultdict[str, list[int]](list)
    for at in reversed(range(len(shown))):
        places[shown[at]].append(at)
    parts: list[str | list[int]] = []
    stop = 0
    for line in answer.split("\n"):
        last, later = parts[-1] if parts else None, places[line] if line else []
        while later and later[-1] < stop:
            later.pop()
        if isinstance(last, list) and shown[stop : stop + 1] == [line]:
            last[1] = stop = stop + 1
        elif later:
            stop = later[-1] + 1
            parts.append([stop - 1, stop])
        elif isinstance(last, str):
            parts[-1] = f"{last}\n{line}"
        else:
            parts.append(line)
    return parts


def _cut(lines: list[str], place: object) -> str:
    """The lines of a range, which may come from anyone."""
    right = isinstance(place, list) and len(place) == 2 and all(type(at) is int for at in place)
    return "\n".join(lines[max(0, place[0]) : max(0, place[1])]) if right else ""  # type: ignore[index]


def _joined(text: object) -> Any:
    """A text, of which a file has the lines."""
    lines = isinstance(text, list) and all(isinstance(line, str) for line in text)
    return "".join(text) if lines else text  # type: ignore[arg-type]


def _results(record: Mapping[str, Any]) -> list[Any]:
    """What the calls of all rounds returned, as far as it is as it should be."""
    steps = record.get("steps")
    steps = steps if isinstance(steps, list) else []
    found = [step.get("results") for step in steps if isinstance(step, dict)]
    return [r for results in found if isinstance(results, list) for r in results if type(r) is dict]


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _lean(value: Any) -> Any:
    """`value` without the empty fields of its objects, but for what a call was given and said, and
    without the time that it took, which is another each time.
    """
    if isinstance(value, list):
        return [_lean(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    kept = (name for name in value if name != "seconds" and (value[name] or name in _TOLD))
    return {name: _lean(value[name]) for name in kept}
