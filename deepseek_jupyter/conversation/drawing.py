"""The tree and a difference of two turns, drawn as text. Pure.

A conversation that never branches is a straight line however long it is; answers that were
superseded are drawn a step to the right.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from deepseek_jupyter.errors import one_line

from .tree import Node
from .turn import ENDED_EARLY, Turn

_PROMPT_WIDTH = 56


def tree_lines(
    nodes: Sequence[Node],
    prompts: Mapping[str, str],
    way: set[str],
    branches: Mapping[str, str | None],
    active: str,
    left_out: int = 0,
) -> list[str]:
    """One line a turn. ● is on the active branch (`way`), ○ is not.

    `nodes` come parents first; the parent of a turn that is not among them counts as none. A line
    ends in the time, the last six characters of the id, by which a turn can be named, and the
    branches.
    """
    known = {node.id for node in nodes}
    children: dict[str | None, list[Node]] = {}
    for node in nodes:
        children.setdefault(node.parent if node.parent in known else None, []).append(node)
    names: dict[str | None, list[str]] = {}
    for name, tip in branches.items():
        names.setdefault(tip, []).append(f"[{name}]*" if name == active else f"[{name}]")
    lines = [f"… {left_out:,} earlier turns"] if left_out else []
    pending = [(node, "", head) for node, head in _ordered(children.get(None, []), way)]
    pending.reverse()
    while pending:  # a stack: ten thousand turns are deeper than Python's recursion
        node, indent, aside = pending.pop()
        lines.append(indent + ("├─" if aside else "") + _line(node, prompts, way, names))
        inner = indent + ("│ " if aside else "")
        followers = [(n, inner, a) for n, a in _ordered(children.get(node.id, []), way)]
        pending += reversed(followers)
    return lines or ["(no turns yet)"]


def _ordered(nodes: list[Node], way: set[str]) -> list[tuple[Node, bool]]:
    """Siblings in drawing order, each with whether it is indented; the last goes straight on."""
    straight = next((node for node in nodes if node.id in way), nodes[-1] if nodes else None)
    aside = [(node, True) for node in nodes if node is not straight]
    return [*aside, (straight, False)] if straight is not None else []


def _line(
    node: Node, prompts: Mapping[str, str], way: set[str], names: Mapping[str | None, list[str]]
) -> str:
    words = one_line(prompts.get(node.id, ""), _PROMPT_WIDTH) or "(went on)"
    if ended := ENDED_EARLY.get(node.status):
        words = f"{words} ({ended})"
    mark = "●" if node.id in way else "○"
    with suppress(ValueError):
        asked = datetime.fromisoformat(node.created).astimezone()
        words = f"{words} · {asked:%d %b %H:%M}"
    return " ".join([mark, words, f"·{node.id[-6:]}", *names.get(node.id, ())])


def differences(a: Turn, b: Turn) -> list[tuple[str, list[tuple[str, str]]]]:
    """How the prompts, models and answers differ, each a heading and its lines: (mark, text), in
    both a blank, in the first -, in the second +. Equal prompts and models are left out.
    """
    texts = {
        "Prompt": (a.prompt, b.prompt),
        "Model": (a.model, b.model),
        "Answer": (a.answer, b.answer),
    }
    shown = [name for name, (one, other) in texts.items() if one != other or name == "Answer"]
    return [(name, list(_compared(*texts[name]))) for name in shown]


def _compared(a: str, b: str) -> Iterator[tuple[str, str]]:
    first, second = a.splitlines(), b.splitlines()
    # autojunk would take frequent lines (blank ones, braces) for noise and misplace the rest
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    for kind, i, i_end, j, j_end in matcher.get_opcodes():
        if kind == "equal":
            yield from ((" ", line) for line in first[i:i_end])
        else:
            yield from (("-", line) for line in first[i:i_end])
            yield from (("+", line) for line in second[j:j_end])
