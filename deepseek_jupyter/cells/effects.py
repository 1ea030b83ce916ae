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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

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

# Magics that run their Python in the user's namespace; ``%timeit`` runs it in another one: that is
# read, and binds nothing.
_RUNNING = _words("time capture prun memit mprun lprun pyinstrument scalene")
_OUT = re.compile(r"(?:^|\s)(?:-o|--out)[ =](\w+)")
_IPYTHONS = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\s*=\s*[%!].*|.*\?{1,2}\s*)$")


def effects(python: str) -> Effects:
    """The effects of a cell's Python; code that cannot be parsed reads every name in it."""
    if (tree := parsed(python)) is not None:
        with suppress(RecursionError):  # a sum of thousands
            return Effects.of(tree.body)
    return Effects(set(_NAME.findall(python)) - _NOT_A_NAME)


def parsed(python: str) -> ast.Module | None:
    """The tree, also of code in which lines of IPython's own are left; None if there is none."""
    for text in (python, blanked(python)):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def blanked(source: str) -> str:
    """`source` with ``pass`` for lines that only IPython understands; a cell magic's line goes."""
    lines = source.splitlines()
    if lines and lines[0].lstrip().startswith("%%"):
        lines = ["", *textwrap.dedent("\n".join(lines[1:])).splitlines()]
    return "\n".join(_IPYTHONS.sub(r"\1pass", line) for line in lines)


class Effects(ast.NodeVisitor):
    """What one cell does, gathered by visiting its statements in order.

    `binds` surely happens, `may_bind` on some path. `later`: function or class → the global names
    its body reads. `writes`: function → the globals it assigns. `passes`: function → the names
    handed to it. `mutators`: functions that change an argument of theirs. `strings`: the cell's
    literals, `modules`: the names of imported modules.
    """

    def __init__(self, reads: Iterable[str] = ()) -> None:
        self.reads = set(reads)
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

    @classmethod
    def of(cls, body: Iterable[ast.AST]) -> Effects:
        found = cls()
        for node in body:
            found.visit(node)
        found.may_bind -= found.binds
        return found

    @property
    def names(self) -> set[str]:
        """Every name that the cell gives a value to."""
        return self.binds | self.may_bind

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
        if isinstance(call, ast.Call) and _called(call) not in _SHOWING:
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

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar | ast.MatchMapping) -> None:
        self._bind(node.rest if isinstance(node, ast.MatchMapping) else node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchMapping = visit_MatchAs

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._alias(stored(node.target), node.iter)
        with self._perhaps():
            for part in (node.target, *node.body, *node.orelse):
                self.visit(part)

    visit_AsyncFor = visit_For

    # Scopes

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, node.args, node.returns):
            if part is not None:
                self.visit(part)  # defaults and annotations
        inner, free = self._body(node.args, node.body)
        self._loads |= free
        self.later[node.name] = free
        if outside := inner._globals & inner._stored | inner.changes & free:
            self.writes[node.name] = outside
        if inner.changes & _parameters(node.args):
            self.mutators.add(node.name)
        self.strings |= inner.strings
        self._bind(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        _, free = self._body(node.args, [node.body])
        self._deferred |= free
        self._read(*free)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.visit(part)
        inner = Effects.of(node.body)
        self._read(*inner.reads)
        self._loads |= inner._loads
        self.strings |= inner.strings
        self.later[node.name] = set().union(*inner.later.values())
        self._bind(node.name)

    @property
    def _stored(self) -> set[str]:
        return self.names | self.deletes

    def _body(self, arguments: ast.arguments, body: Iterable[ast.AST]) -> tuple[Effects, set[str]]:
        """The effects of a function's body, and the names it takes from outside."""
        inner = Effects.of(body)
        local = (inner._stored | _parameters(arguments)) - inner._globals
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
        if _called(node) in ("run_cell_magic", "run_line_magic"):
            self._magic([a.value if isinstance(a, ast.Constant) else None for a in node.args])
            return
        given = {k.arg: k.value for k in node.keywords}
        if isinstance(node.func, ast.Name):
            self._call(node.func.id, node)
        elif isinstance(node.func, ast.Attribute) and (
            node.func.attr in _CHANGING
            or ("inplace" in given and getattr(given["inplace"], "value", True) is not False)
        ):
            self._change(node.func.value)
        if "out" in given:
            self._change(given["out"])
        self.generic_visit(node)

    def _call(self, name: str, node: ast.Call) -> None:
        values = [*node.args, *(k.value for k in node.keywords)]
        handed = {root for value in values for root in roots(value)}
        self.passes.setdefault(name, set()).update(handed)
        if name in self.binds:
            self._read(*self.later.get(name, ()))

    def _magic(self, given: list[object]) -> None:
        """What ``get_ipython().run_…_magic(name, line[, body])`` does with these arguments."""
        if len(given) < 2 or not all(isinstance(text, str) for text in given):
            return
        name, line, *body = map(str, given)
        names = [word for word in line.split() if word.isidentifier()]
        if name in ("deepseek", "ds"):
            names = _OUT.findall(line)
        elif name in ("reset", "reset_selective"):
            self.deletes.add(EVERYTHING)
        elif name in ("xdel", "del"):
            self.deletes |= set(names)
        elif name in ("run", "load", "pylab", "store"):
            self.may_bind.add(EVERYTHING)
        if name in ("deepseek", "ds", "capture"):
            for bound in names:
                self._bind(bound)
        if name in _RUNNING | {"timeit"} and (tree := parsed("\n".join(body) or line)) is not None:
            if name == "timeit":
                self._read(*Effects.of(tree.body).reads)
            else:
                self.visit(tree)


def _parameters(arguments: ast.arguments) -> set[str]:
    return {node.arg for node in ast.iter_child_nodes(arguments) if isinstance(node, ast.arg)}


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


def _called(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))
