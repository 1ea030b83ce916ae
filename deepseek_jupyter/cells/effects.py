"""What a cell does to names, read from its syntax tree without running anything. Pure.

A cell *binds* a name (assignment, import, def), *changes* its object (``df["x"] = …``,
``rows.append(…)``, ``df.drop(…, inplace=True)``), *deletes* it, or only *reads* it. Two names that
were assigned from each other are *aliases*: a change through one shows in the other. The names in
a function's body are read when it is called, which may be much later: they are `later`.

IPython turns ``%%time`` and other magics into calls of ``get_ipython().run_cell_magic(name, line,
body)``; the body of those that run Python here is read as any other code.

Where syntax does not say it, the answer errs on the side of an effect: a cell too many in a prompt
costs tokens, one too few hides the cause.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

EVERYTHING = "*"  # every name: ``%reset``, ``from x import *``, ``%run``
_NAME = re.compile(r"(?<![\w.'\"])[^\W\d]\w*")
_NOT_A_NAME = frozenset(keyword.kwlist) | frozenset(dir(builtins))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Methods that change their object, of the containers, files, frames and models people use.
_CHANGING = _words(
    "append extend insert remove pop clear sort reverse update add discard setdefault popitem "
    "appendleft popleft extendleft rotate difference_update intersection_update "
    "symmetric_difference_update fit partial_fit fill resize put itemset write writelines seek "
    "truncate close read readline readlines send"
)
# As a statement of their own these only show something.
_SHOWING = _words(
    "print display show plot hist scatter bar barh boxplot imshow head tail info describe help "
    "len type isinstance repr assert_frame_equal savefig figure title legend xlabel ylabel "
    "to_csv to_parquet to_json to_excel"
)

# Magics that run their Python in the user's namespace, and those that run it in another one: that
# is read, and binds nothing.
_CELL = _words("time capture prun memit mprun pyinstrument scalene")
_LINE = _words("time prun memit lprun")
_ASIDE = _words("timeit")
_OUT = re.compile(r"(?:^|\s)(?:-o|--out)[ =](\w+)")
_IPYTHONS = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\s*=\s*[%!].*|.*\?{1,2}\s*)$")


@dataclass(frozen=True, slots=True)
class Effects:
    """What one cell does. `binds` surely happens, `may_bind` on some path.

    `later`: function or class → the global names its body reads. `writes`: function → the globals
    it assigns. `passes`: function → the names handed to it. `mutators`: functions that change an
    argument of theirs. `strings`: the cell's literals, `modules`: the names of imported modules.
    """

    reads: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    may_bind: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    aliases: frozenset[tuple[str, str]] = frozenset()
    strings: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    mutators: frozenset[str] = frozenset()
    later: Mapping[str, frozenset[str]] = field(default_factory=dict)
    writes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    passes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Every name that the cell gives a value to."""
        return self.binds | self.may_bind


def effects(python: str) -> Effects:
    """The effects of a cell's Python, as IPython's transform left it.

    Code that does not parse (the failing cell of a SyntaxError) reads every name in it.
    """
    tree = parsed(python)
    if tree is None:
        return Effects(reads=frozenset(_NAME.findall(python)) - _NOT_A_NAME)
    scan = Scan()
    scan.visit(tree)
    return scan.effects()


def parsed(python: str) -> ast.Module | None:
    """The tree, also of code in which lines of IPython's own are left; None if there is none."""
    for text in (python, blanked(python)):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def blanked(source: str) -> str:
    """`source` with the lines that only IPython understands replaced by ``pass``.

    A cell magic's own line goes; what follows is kept, and parses if it is Python.
    """
    lines = source.splitlines()
    if lines and lines[0].lstrip().startswith("%%"):
        lines = ["", *textwrap.dedent("\n".join(lines[1:])).splitlines()]
    return "\n".join(_IPYTHONS.sub(r"\1pass", line) for line in lines)


@dataclass(frozen=True, slots=True)
class Magic:
    """`code` is run here (`aside`: its names do not come back), `binds` and `deletes` are names."""

    code: str = ""
    aside: bool = False
    binds: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()


def magic_of(call: ast.Call) -> Magic | None:
    """What ``get_ipython().run_…_magic(…)`` means; None for any other call."""
    function = call.func
    runs = function.attr if isinstance(function, ast.Attribute) else ""
    if runs not in ("run_cell_magic", "run_line_magic"):
        return None
    words = [str(a.value) for a in call.args if isinstance(a, ast.Constant)]
    if len(words) != len(call.args) or len(words) < 2:
        return Magic()
    if words[0] in ("deepseek", "ds"):
        return Magic(binds=tuple(_OUT.findall(words[1])))
    if runs == "run_cell_magic":
        return _cell_magic(words[0], words[1], words[2] if len(words) > 2 else "")
    return _line_magic(words[0], words[1])


def _cell_magic(name: str, line: str, body: str) -> Magic:
    binds = tuple(w for w in line.split()[:1] if w.isidentifier()) if name == "capture" else ()
    if name in _CELL:
        return Magic(code=body, binds=binds)
    return Magic(code=body, aside=True) if name in _ASIDE else Magic()


def _line_magic(name: str, line: str) -> Magic:
    if name in ("reset", "reset_selective"):
        return Magic(deletes=(EVERYTHING,))
    if name in ("xdel", "del"):
        return Magic(deletes=tuple(w for w in line.split() if w.isidentifier()))
    if name in ("run", "load", "pylab", "store"):
        return Magic(binds=(EVERYTHING,))
    if name in _LINE | _ASIDE:
        return Magic(code=line, aside=name in _ASIDE)
    return Magic()


class Scan(ast.NodeVisitor):
    """Visits statements in order; its sets are those of `Effects`."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.binds: set[str] = set()
        self.may_bind: set[str] = set()
        self.changes: set[str] = set()
        self.deletes: set[str] = set()
        self.aliases: set[tuple[str, str]] = set()
        self.strings: set[str] = set()
        self.modules: set[str] = set()
        self.mutators: set[str] = set()
        self.later: dict[str, set[str]] = {}
        self.writes: dict[str, set[str]] = {}
        self.passes: dict[str, set[str]] = {}
        self._loads: set[str] = set()  # every name read, local or not
        self._globals: set[str] = set()
        self._hidden: list[set[str]] = []  # the names of comprehensions that we are in
        self._deferred: set[str] = set()  # what the lambdas of this statement read when called
        self._unsure = 0

    def effects(self) -> Effects:
        self.may_bind -= self.binds
        found: dict[str, Any] = {}
        for name in Effects.__dataclass_fields__:
            value = getattr(self, name)
            is_map = isinstance(value, dict)
            found[name] = (
                {k: frozenset(v) for k, v in value.items()} if is_map else frozenset(value)
            )
        return Effects(**found)

    # Names

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id)
        elif isinstance(node.ctx, ast.Del):
            self._read(node.id)
            self.binds.discard(node.id)
            self.deletes.add(node.id)
        else:
            self._read(node.id)

    def _read(self, *names: str) -> None:
        seen = set(names).difference(*self._hidden)
        self._loads |= seen
        self.reads |= seen - self.binds

    def _bind(self, name: str | None) -> None:
        if name is not None and not any(name in names for names in self._hidden):
            (self.may_bind if self._unsure else self.binds).add(name)

    def visit_Attribute(self, node: ast.Attribute | ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._change(node)
        self.generic_visit(node)

    visit_Subscript = visit_Attribute

    def _change(self, node: ast.AST) -> None:
        self.changes |= set(roots(node))

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and len(node.value) <= 200:
            self.strings.add(node.value)

    # Statements

    def visit_Assign(self, node: ast.Assign) -> None:
        self._assign(node.value, node.targets)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.annotation)
        if node.value is not None:
            self._assign(node.value, [node.target])

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._assign(node.value, [node.target])

    def _assign(self, value: ast.expr, targets: list[ast.expr]) -> None:
        self._deferred = set()
        self.visit(value)
        names = [name for target in targets for name in stored(target)]
        self._alias(names, value)
        if self._deferred:
            self.later |= {name: set(self._deferred) for name in names}
        for target in targets:
            self.visit(target)

    def _alias(self, names: Iterable[str], value: ast.expr) -> None:
        held = set(shared(value))
        self.aliases |= {(name, root) for name in names for root in held if root != name}

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._read(*roots(node.target))
        self._change(node.target)
        self.visit(node.value)
        self.visit(node.target)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self._bind(name)
            if isinstance(node, ast.Import):
                self.modules.add(name)

    visit_ImportFrom = visit_Import

    def visit_Expr(self, node: ast.Expr) -> None:
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call) and called(call) not in _SHOWING:
            # The result is not taken: it was called for what it does.
            if isinstance(call.func, ast.Attribute):
                self._change(call.func.value)
            if not isinstance(call.func, ast.Name):  # for a name there are `passes` and `mutators`
                for argument in call.args:
                    self._change(argument)
        self.visit(node.value)

    def visit_Global(self, node: ast.Global) -> None:
        self._globals |= set(node.names)

    # Where things happen on some path only

    @contextmanager
    def _perhaps(self) -> Iterator[None]:
        self._unsure += 1
        yield
        self._unsure -= 1

    def _branching(self, node: ast.AST) -> None:
        with self._perhaps():
            self.generic_visit(node)

    visit_If = visit_While = visit_Try = visit_TryStar = visit_Match = visit_IfExp = _branching

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self._bind(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._bind(node.rest)
        self.generic_visit(node)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._alias(stored(node.target), node.iter)
        with self._perhaps():
            for part in (node.target, *node.body, *node.orelse):
                self.visit(part)

    visit_AsyncFor = visit_For

    # Scopes

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if part is not None:
                self.visit(part)
        inner, free = self._body(node.args, node.body)
        self._loads |= free
        self.later[node.name] = free
        if inner._globals & inner._stored:
            self.writes[node.name] = inner._globals & inner._stored
        if inner.changes & parameters(node.args):
            self.mutators.add(node.name)
        if outside := inner.changes & free:
            self.writes.setdefault(node.name, set()).update(outside)
        self.strings |= inner.strings
        self._bind(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        _, free = self._body(node.args, [node.body])
        self._deferred |= free
        self._read(*free)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.visit(part)
        inner = Scan()
        for statement in node.body:
            inner.visit(statement)
        self._read(*inner.reads)
        self._loads |= inner._loads
        self.strings |= inner.strings
        self.later[node.name] = set().union(*inner.later.values())
        self._bind(node.name)

    @property
    def _stored(self) -> set[str]:
        return self.binds | self.may_bind | self.deletes

    def _body(
        self, arguments: ast.arguments, body: list[ast.stmt] | list[ast.expr]
    ) -> tuple[Scan, set[str]]:
        """The scan of a function's body, and the names it takes from outside."""
        inner = Scan()
        for statement in body:
            inner.visit(statement)
        local = (inner._stored | parameters(arguments)) - inner._globals
        return inner, inner._loads - local

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> None:
        self.visit(node.generators[0].iter)
        self._hidden.append({name for g in node.generators for name in stored(g.target)})
        self.generic_visit(node)
        self._hidden.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    # Calls

    def visit_Call(self, node: ast.Call) -> None:
        if (magic := magic_of(node)) is not None:
            self._magic(magic)
            return
        if isinstance(node.func, ast.Name):
            self._called(node.func.id, node)
        elif isinstance(node.func, ast.Attribute) and (
            node.func.attr in _CHANGING or in_place(node)
        ):
            self._change(node.func.value)
        for given in node.keywords:
            if given.arg == "out":
                self._change(given.value)
        self.generic_visit(node)

    def _called(self, name: str, node: ast.Call) -> None:
        values = [*node.args, *(k.value for k in node.keywords)]
        handed = {root for value in values for root in roots(value)}
        self.passes.setdefault(name, set()).update(handed)
        if name in self.binds:
            self._read(*self.later.get(name, ()))

    def _magic(self, magic: Magic) -> None:
        for name in magic.binds:
            self.may_bind.add(name) if name == EVERYTHING else self._bind(name)
        self.deletes |= set(magic.deletes)
        try:
            tree = ast.parse(blanked(magic.code))
        except (SyntaxError, ValueError):
            return
        if not magic.aside:
            self.visit(tree)
            return
        inner = Scan()
        inner.visit(tree)
        self._read(*inner.reads)


def parameters(arguments: ast.arguments) -> set[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return {a.arg for a in every}


def stored(target: ast.AST) -> Iterator[str]:
    """The names that an assignment to `target` binds."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def roots(node: ast.AST) -> Iterator[str]:
    """The name under ``a``, ``a.b``, ``a[0].c`` and, in displays, of each element."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for element in node.elts:
            yield from roots(element)


def shared(value: ast.expr) -> Iterator[str]:
    """The names whose objects `value` may be, or hold: not those that a call works on."""
    if isinstance(value, ast.Dict):
        for item in value.values:
            yield from shared(item)
    elif isinstance(value, ast.IfExp):
        yield from shared(value.body)
        yield from shared(value.orelse)
    else:
        yield from roots(value)


def called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def in_place(call: ast.Call) -> bool:
    """Whether a call says ``inplace=`` anything but False."""
    return any(
        k.arg == "inplace" and not (isinstance(k.value, ast.Constant) and k.value.value is False)
        for k in call.keywords
    )
