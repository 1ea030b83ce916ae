"""`Tree`: how the turns of a conversation follow each other, by ids and parents; and the tree and
a difference of two turns as text.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from deepseek_jupyter.errors import ConversationError, one_line
from deepseek_jupyter.protocol.tokens import estimate_messages, estimate_tokens, most_tokens

from .turn import ENDED_EARLY, Turn

_NAME = re.compile(r"\w[\w./-]{0,59}")
SHORTEST_REFERENCE = 4  # characters of an id's end


class Node(NamedTuple):
    """What the tree needs of a turn; the turn itself is read when it is looked at.

    `tokens` is the estimate for its messages, `thinking` for the thinking in them, which some
    providers want back; `answered` says whether it holds anything of the model's.
    """

    id: str
    parent: str | None
    cell_id: str | None
    created: str
    prompt_hash: str
    tokens: int
    answered: bool
    status: str
    thinking: int = 0


def node_of(turn: Turn) -> Node:
    tokens, thinking = _tokens(turn)
    return Node(
        turn.id,
        turn.parent,
        turn.cell_id,
        turn.created,
        prompt_hash(turn.prompt),
        tokens,
        bool(turn.answer or turn.tool_calls or turn.steps),
        turn.status,
        thinking,
    )


def _tokens(turn: Turn) -> tuple[int, int]:
    """The estimates for a turn's messages without their thinking, and for the thinking.

    For the last answer the host's counts where they are higher: an estimate may be half of the
    truth for figures, and a window that is too full is refused. But no host is believed that
    counts more tokens than a text has bytes.
    """
    messages, usage = turn.messages(), turn.usage
    tokens = estimate_messages(messages)
    thinking = estimate_messages(messages, thinking=True) - tokens
    if usage is None or turn.steps:  # their usage is the sum of several requests
        return tokens, thinking
    if turn.reasoning and not usage.reasoning_tokens:  # then it counts as answer
        return tokens, thinking
    said = usage.completion_tokens - usage.reasoning_tokens
    return (
        tokens + _undercounted(turn.answer, said),
        thinking + _undercounted(turn.reasoning or "", usage.reasoning_tokens),
    )


def _undercounted(text: str, counted: int) -> int:
    return max(0, min(counted, most_tokens(text)) - estimate_tokens(text))


def prompt_hash(prompt: str) -> str:
    """The hash that identifies a prompt without a cell; blanks at its ends do not count."""
    return hashlib.sha256(prompt.strip().encode("utf-8", "replace")).hexdigest()[:16]


class Tree:
    """Nodes by id, in the order in which they were asked."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._children: dict[str | None, list[str]] = {}

    def plant(self, node: Node) -> None:
        """Add a node, or put another in the place of the one with its id."""
        if node.id not in self.nodes:
            self._children.setdefault(node.parent, []).append(node.id)
        self.nodes[node.id] = node

    def replant(self, node: Node) -> None:
        """Add a node that is there already as the newest, under another parent."""
        before = self.nodes.pop(node.id)
        self._children[before.parent].remove(node.id)
        self.plant(node)

    def below(self, ids: Iterable[str]) -> list[Node]:
        """The nodes with these ids and all that follows them, oldest first."""
        found = dict.fromkeys(ids)
        for node in self.nodes.values():
            if node.parent in found:
                found[node.id] = None
        return [node for node in self.nodes.values() if node.id in found]

    def seams(self, tip: str | None) -> dict[str, tuple[str, ...]]:
        """By turns of the way to `tip`: the turns that followed an earlier answer there, or, at the
        tip, the turns that followed it, oldest first; those whose question is on the way are not
        among them.
        """
        newest: dict[str | None, tuple[int, str]] = {}
        for at, node in reversed(list(enumerate(self.nodes.values()))):
            last = newest.setdefault(node.id, (at, node.id))
            newest[node.parent] = max(last, newest.get(node.parent, last))
        way, found = self.way(tip), dict[str, tuple[str, ...]]()
        asked = {node.cell_id or node.prompt_hash for node in way}
        for node in way:
            others = [newest[id] for id in self.children(node.parent) if id != node.id]
            ends = [newest[node.id], *others] if node.id == tip else others
            known = {
                one.id for one in (*way, *map(self.nodes.get, self.children(node.parent))) if one
            }
            for _, leaf in sorted(ends, reverse=True):
                left = [n for n in self.way(leaf) if n.id not in known]
                left = [n for n in left if (n.cell_id or n.prompt_hash) not in asked]
                if left:
                    found[node.id] = tuple(n.id for n in left)
                    break
        return found

    def children(self, parent: str | None) -> list[str]:
        """The ids that follow `parent` (None: that begin the conversation), oldest first."""
        return list(self._children.get(parent, ()))

    def way(self, tip: str | None) -> list[Node]:
        """The nodes from the root to `tip`. A turn that was pruned away ends the way there."""
        nodes = []
        while node := self.nodes.get(tip or ""):
            nodes.append(node)
            tip = node.parent
        return nodes[::-1]

    def parent_for(self, tip: str | None, cell_id: str | None, prompt: str | None) -> str | None:
        wanted = prompt_hash(prompt) if cell_id is None and prompt is not None else None
        if cell_id is None and wanted is None:
            return tip
        way = self.way(tip)
        for node in way if cell_id is not None else reversed(way):
            if node.cell_id == cell_id and (wanted is None or node.prompt_hash == wanted):
                return node.parent
        return tip

    def counterpart(self, id: str | None, tip: str | None) -> str | None:
        """`id`, or the turn of the same cell on the way to `tip` where `id` is not on that way."""
        way = self.way(tip)
        node = self.nodes.get(id) if id is not None else None
        if node is None or node.cell_id is None or any(other.id == id for other in way):
            return id
        return next((other.id for other in way if other.cell_id == node.cell_id), id)

    def find(self, reference: str) -> str:
        """The id that is, or alone ends in, `reference`. Raises `ConversationError`."""
        if reference in self.nodes:
            return reference
        long_enough = len(reference) >= SHORTEST_REFERENCE
        found = [id for id in list(self.nodes) if long_enough and id.endswith(reference)]
        if not found:
            raise ConversationError(
                f"No branch is called {reference!r}, and no turn's id ends in it."
            )
        if len(found) > 1:
            raise ConversationError(
                f"{len(found)} turns end in {reference!r}; give more of the id."
            )
        return found[0]


def is_branch_name(name: object) -> bool:
    """Whether `name` can be a branch's: letters, digits, . _ / and -, at most 60."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def checked_name(name: str) -> str:
    """`name`, or `ConversationError` where it cannot be a branch's."""
    if not is_branch_name(name):
        raise ConversationError(
            f"{name!r} cannot be the name of a branch.",
            "Names are letters, digits, . _ / and -, at most 60 of them.",
        )
    return name


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
