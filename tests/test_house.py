"""Rules of the house: a function fits on a page, and a name means one thing.

Pure: the sources are parsed, nothing is imported.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "deepseek_jupyter"
LONGEST = 60  # lines of a function, from its `def` to its end
REPEATED = 8  # lines of code, without imports, comments and blank ones, that are a block


def modules(package: Path) -> Iterator[tuple[str, ast.Module]]:
    """Each module's path below the package, and its tree."""
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        yield name, ast.parse(path.read_text("utf-8"), name)


def long_functions(package: Path) -> list[str]:
    """Functions and methods, nested ones too, of more lines than `LONGEST`."""
    found = []
    for name, tree in modules(package):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST:
                    found.append(f"{name}:{node.lineno} {node.name}: {lines} lines")
    return found


def stems_twice(package: Path) -> list[str]:
    """Module names that occur in more than one folder."""
    paths = (path.relative_to(package) for path in sorted(package.rglob("*.py")))
    return _twice((path.stem, path.as_posix()) for path in paths if path.stem[:2] != "__")


def classes_twice(package: Path) -> list[str]:
    """Public classes of one name in more than one module."""
    return _twice(
        (node.name, name)
        for name, tree in modules(package)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )


def _twice(named: Iterable[tuple[str, str]]) -> list[str]:
    places = defaultdict(list)
    for name, place in named:
        places[name].append(place)
    return [f"{name}: {', '.join(where)}" for name, where in places.items() if len(where) > 1]


def blocks_twice(package: Path) -> list[str]:
    """Where a block of `REPEATED` lines begins that occurs more than once."""
    return _twice(
        ("\n".join(text for _, text in lines[at : at + REPEATED]), f"{name}:{lines[at][0]}")
        for name, lines in ((path, _code_lines(path)) for path in sorted(package.rglob("*.py")))
        for at in range(len(lines) - REPEATED + 1)
    )


def _code_lines(path: Path) -> list[tuple[int, str]]:
    text = path.read_text("utf-8")
    imports = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    stripped = ((at, line.strip()) for at, line in enumerate(text.splitlines(), 1))
    return [(at, line) for at, line in stripped if line and line[0] != "#" and at not in imports]


def test_no_function_is_longer_than_a_page():
    assert long_functions(PACKAGE) == []


def test_no_two_modules_have_one_stem():
    assert stems_twice(PACKAGE) == []


def test_no_two_public_classes_have_one_name():
    assert classes_twice(PACKAGE) == []


def test_no_block_of_lines_stands_twice():
    assert blocks_twice(PACKAGE) == []


# The rules on a package that breaks each of them once.


def package_of(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_long_function_is_found_wherever_it_is(tmp_path):
    body = "    x = 1\n" * LONGEST
    method = "class A:\n    async def long(self):\n" + "        x = 1\n" * LONGEST
    fits = "def fits():\n" + "    x = 1\n" * (LONGEST - 1)
    package = package_of(tmp_path, {"a.py": f"def long():\n{body}", "b/c.py": method, "d.py": fits})
    assert long_functions(package) == ["a.py:1 long: 61 lines", "b/c.py:2 long: 61 lines"]


def test_a_stem_in_two_folders_is_found(tmp_path):
    names = ["a/gate.py", "b/gate.py", "a/__init__.py", "b/__init__.py", "b/other.py", "gates.py"]
    package = package_of(tmp_path, dict.fromkeys(names, ""))
    assert stems_twice(package) == ["gate: a/gate.py, b/gate.py"]


def test_a_public_class_in_two_modules_is_found(tmp_path):
    files = {
        "a.py": "class Redactor: ...\nclass _Own: ...\nclass Outer:\n    class Inner: ...",
        "b.py": "class Redactor: ...\nclass _Own: ...\nclass Inner: ...",
    }
    assert classes_twice(package_of(tmp_path, files)) == ["Redactor: a.py, b.py"]


def test_a_block_that_stands_twice_is_found(tmp_path):
    block = "".join(f"x{n} = {n}\n" for n in range(REPEATED))
    apart = block.replace("x3 = 3\n", "x3 = 4\n")
    other = f"import os\n\ny = 1\n# why\n{block}"
    package = package_of(tmp_path, {"a.py": block, "b.py": other, "c.py": apart})
    (found,) = blocks_twice(package)
    assert found.endswith(f": {tmp_path}/a.py:1, {tmp_path}/b.py:5")
