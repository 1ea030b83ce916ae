"""Which earlier cells a cell depends on: the definitions of its names, and theirs in turn. Pure.

A name is followed backwards through the runs, from the moment at which it was read: every run that
changed it counts, up to the one that surely bound it last. What that run read is followed from
there, in breadth first order, so the nearest cells come first and a token budget cuts the far ones.

Also here: where kernel and page have come apart (`stale_notes`), the statements of a long cell that
matter (`excerpt`), known names like an unknown one (`alike`), and the prompts about cells, one
Markdown file each in ``prompts/``, in which a part replaces ``$name`` (`prompt`).
"""

from __future__ import annotations

import ast
import difflib
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import islice
from string import Template

from deepseek_jupyter.sanitizer.text import fenced

from .effects import EVERYTHING, effects, parsed
from .executed import Executed

_MOST = 200  # runs that are followed; a prompt holds far fewer
_SIMILAR = 3  # cells that are looked at for a name that was never defined


@dataclass(frozen=True, slots=True)
class RelevantCell:
    """A run that matters. `names` are the reason; `text` is its source, or an excerpt of it."""

    run: Executed
    names: tuple[str, ...]
    text: str
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Selection:
    """`cells` in the order in which they ran; `left_out` were too long for the budget."""

    cells: tuple[RelevantCell, ...] = ()
    left_out: tuple[RelevantCell, ...] = ()


@dataclass(frozen=True, slots=True)
class NotebookCell:
    """A cell of the notebook as it is now: its place from the top, and its source."""

    index: int
    source: str


@dataclass(slots=True)
class _Need:
    depth: int
    names: dict[str, None] = field(default_factory=dict)  # a set that keeps its order


class Lineage:
    """The runs of a kernel, in order. `iterators` are names whose values reading uses up."""

    def __init__(self, runs: Sequence[Executed], iterators: Iterable[str] = ()) -> None:
        self.runs = list(runs)
        self.effects = [effects(run.python) for run in self.runs]
        self._where: dict[str, list[int]] = defaultdict(list)  # whose history a run belongs to
        used_up, modules = set(iterators), set[str]().union(*(e.modules for e in self.effects))
        writes: dict[str, set[str]] = {}
        mutators: set[str] = set()
        same: dict[str, set[str]] = {}  # the names of one object, as far as the runs say
        for index, done in enumerate(self.effects):
            # ``np.random.seed(1)`` is no part of the history of np.
            changed = (done.changes - modules) | (done.reads & used_up)
            # What calls do beyond their own cell: globals assigned, arguments changed.
            writes |= done.writes
            mutators |= done.mutators
            for function, handed in done.passes.items():
                changed |= writes.get(function, set()) | (handed if function in mutators else set())
            for name in done.binds:
                same.pop(name, {name}).discard(name)
            for one, two in done.aliases:
                both = same.get(one, {one}) | same.get(two, {two})
                same |= dict.fromkeys(both, both)
            changed = changed.union(*(same.get(name, ()) for name in changed))
            for name in done.names | changed | done.deletes:
                self._where[name].append(index)

    def choose(
        self,
        cell: Executed,
        *,
        first: Iterable[str] = (),
        called: Iterable[int] = (),
        missing: Iterable[str] = (),
        budget: int = 6_000,
        count: Callable[[str], int] = lambda text: len(text) // 3 + 1,
    ) -> Selection:
        """The runs before `cell` that it depends on.

        `first` are the names on the failing line; they come before the cell's other names. `called`
        are the counts of the cells in the traceback, `missing` the words that the error
        did not find: cells that know a similar one matter too. `budget` is in tokens as `count`
        counts them.
        """
        end = sum(run.count < cell.count for run in self.runs)
        own, first = effects(cell.python), set(first)
        names = own.reads.union(first, *own.later.values())
        needs = self._follow(
            [(name, end, int(bool(first) and name not in first)) for name in sorted(names)]
        )
        for index, run in enumerate(self.runs[:end]):
            if run.count in called:
                needs.setdefault(index, _Need(0)).depth = 0
        for word in missing:
            for index in self._similar(word, end):
                needs.setdefault(index, _Need(1)).names.setdefault(word)
        order = sorted(needs, key=lambda index: (needs[index].depth, -index))
        return self._fit([(self.runs[i], tuple(needs[i].names)) for i in order], budget, count)

    def definition(self, name: str) -> Executed | None:
        """The newest run that defined a function, class or variable of this name."""
        binding = [i for i in self._where.get(name, ()) if name in self.effects[i].names]
        defining = [i for i in binding if name in self.effects[i].later]
        found = defining or binding
        return self.runs[found[-1]] if found else None

    # Following names

    def _follow(self, start: list[tuple[str, int, int]]) -> dict[int, _Need]:
        needs: dict[int, _Need] = {}
        seen: set[tuple[str, int]] = set()
        queue = deque(sorted(start, key=lambda item: item[2]))
        while queue and len(needs) < _MOST:
            name, end, depth = queue.popleft()
            if (name, end) in seen:
                continue
            seen.add((name, end))
            for index in self._history(name, end):
                need = needs.setdefault(index, _Need(depth))
                need.names.setdefault(name)
                done = self.effects[index]
                queue.extend((read, index, depth + 1) for read in sorted(done.reads))
                # A function reads its globals when it is called: as they were at the end.
                queue.extend((read, end, depth + 1) for read in sorted(done.later.get(name, ())))
        return needs

    def _history(self, name: str, end: int) -> Iterator[int]:
        """The runs before `end` that made `name` what it was, the newest first."""
        bound = False
        for index in reversed(self._where.get(name, ())):
            if index < end:
                yield index
                if name in self.effects[index].binds:
                    bound = True
                    break
        for index in reversed(self._where.get(EVERYTHING, ())):
            if index < end and (not bound or EVERYTHING in self.effects[index].deletes):
                yield index
                return

    def _similar(self, word: str, end: int) -> list[int]:
        """The newest runs that know a word like one that was not found."""
        newest = ((index, self.effects[index]) for index in reversed(range(end)))
        like = (index for index, done in newest if alike(word, done.names | done.strings))
        return list(islice(like, _SIMILAR))

    @staticmethod
    def _fit(
        wanted: list[tuple[Executed, tuple[str, ...]]], budget: int, count: Callable[[str], int]
    ) -> Selection:
        taken: list[RelevantCell] = []
        left_out: list[RelevantCell] = []
        for run, names in wanted:
            whole = count(run.source) <= budget
            text = run.source if whole else excerpt(run.python, names)
            fits = whole or bool(text and count(text) <= budget)
            (taken if fits else left_out).append(RelevantCell(run, names, text, whole))
            budget -= count(text) if fits else 0
        as_run = [tuple(sorted(cells, key=lambda c: c.run.count)) for cells in (taken, left_out)]
        return Selection(*as_run)


def stale_notes(
    chosen: Iterable[RelevantCell],
    cell: Executed,
    runs: Sequence[Executed],
    notebook: Mapping[str, NotebookCell] | None = None,
    saved: float = 0.0,
) -> list[str]:
    """One sentence for each definition whose cell on the page differs from the code that ran.

    `notebook` has the cells by id as they were `saved` (seconds since the epoch); what it says of
    runs that are newer proves nothing. Without it only the runs speak.
    """
    notes: list[str] = []
    for item in sorted(chosen, key=lambda c: c.run.count):
        run, names = item.run, ", ".join(item.names)
        notes += _replaced(run, names, cell, runs)
        if notebook is not None and run.id is not None and 0 < run.at <= saved:
            notes += _edited(run, names, cell, notebook)
    return list(dict.fromkeys(notes))


def _replaced(run: Executed, names: str, cell: Executed, runs: Sequence[Executed]) -> list[str]:
    """Where the cell of `run` ran again with other code, which did not bind these names."""
    again = (n for n in runs if n.id == run.id and run.count < n.count < cell.count)
    newer = next((n for n in again if n.source != run.source and n.id is not None), None)
    if newer is None:
        return []
    what = f"what it did to {names or 'other names'} is still in effect."
    return [f"{run.name} was run again with other code as {newer.name}; {what}"]


def _edited(
    run: Executed, names: str, cell: Executed, notebook: Mapping[str, NotebookCell]
) -> list[str]:
    placed = notebook.get(run.id or "")
    if placed is None:
        return [f"The cell that ran as {run.name} is no longer in the notebook."]
    notes = []
    if placed.source.rstrip() != run.source.rstrip():
        notes.append(f"The cell that ran as {run.name} was edited after it ran.")
    here = notebook.get(cell.id or "")
    if here is not None and placed.index > here.index:
        notes.append(f"{run.name} is below {cell.name} and ran before it ({names}).")
    return notes


def excerpt(python: str, names: Iterable[str]) -> str:
    """The top-level statements that bind, change or delete one of `names`, dots between them."""
    tree, wanted = parsed(python), set(names)
    if tree is None:
        return ""
    lines = python.splitlines()
    pieces: list[str] = []
    end = 0
    for statement in tree.body:
        decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
        begin = min([statement.lineno, *(d.lineno for d in decorators)])
        piece = "\n".join(lines[begin - 1 : statement.end_lineno])
        done = effects(piece)
        if wanted & (done.names | done.changes | done.deletes):
            if begin > end + 1:
                pieces.append("# …")
            pieces.append(piece)
            end = statement.end_lineno or begin
    if pieces and end < len(lines):
        pieces.append("# …")
    return "\n".join(pieces)


def names_on_line(python: str, line: int) -> frozenset[str]:
    """The names in the innermost statement on `line` (from 1)."""
    tree = parsed(python)
    if tree is None:
        return frozenset()
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    around = [node for node in statements if node.lineno <= line <= (node.end_lineno or 0)]
    if not around:
        return frozenset()
    inner = min(around, key=lambda node: (node.end_lineno or 0) - node.lineno)
    return frozenset(node.id for node in ast.walk(inner) if isinstance(node, ast.Name))


def prompt(kind: str, **parts: str) -> str:
    """The prompt `kind` (a file's name) with its parts; empty ones leave no gap."""
    template = Template(files(__package__).joinpath("prompts", f"{kind}.md").read_text("utf-8"))
    return re.sub(r"\n{3,}", "\n\n", template.substitute(parts)).strip()


def cells_text(
    chosen: Sequence[RelevantCell], cell: Executed, left_out: Iterable[RelevantCell] = ()
) -> str:
    """The cells in the order in which they ran, each with the reason, and `cell` as the last."""
    parts = ["Earlier cells, in the order in which they ran:"] if chosen else []
    for item in chosen:
        why = f" (for {', '.join(item.names)})" if item.names else ""
        part = "" if item.whole else ", an excerpt that must not be rewritten"
        parts.append(f"{item.run.name}{why}{part}:\n{fenced(item.text.rstrip(), 'python')}")
    parts += [
        f"{item.run.name} (for {', '.join(item.names)}) is too long to show." for item in left_out
    ]
    what = "The cell that failed" if cell.failed else "The cell"
    parts.append(f"{what}, {cell.name}:\n{fenced(cell.source.rstrip(), 'python')}")
    return "\n\n".join(parts)


def notes_text(notes: Sequence[str]) -> str:
    return "\n".join(["Note:", *(f"- {note}" for note in notes)]) if notes else ""


def alike(word: str, known: Iterable[str]) -> list[str]:
    """The known words that `word` may have been meant for.

    Near in spelling but for case, sharing a part (``load_data``, ``load_frame``), or, for a short
    word, its letters in order from the first (``np``, ``numpy``).
    """
    plain = word.casefold()
    candidates = {known_word.casefold(): known_word for known_word in known if known_word}
    close = set(difflib.get_close_matches(plain, candidates, n=3, cutoff=0.7))
    parts = {part for part in re.split(r"[\W_]+", plain) if len(part) > 2}
    for candidate in candidates:
        theirs = set(re.split(r"[\W_]+", candidate))
        short = len(plain) <= 3 and candidate.isidentifier() and _in_order(plain, candidate)
        if parts & theirs or short:
            close.add(candidate)
    return sorted(candidates[match] for match in close)


def _in_order(letters: str, word: str) -> bool:
    rest = iter(word)
    return word[:1] == letters[:1] and all(letter in rest for letter in letters)
