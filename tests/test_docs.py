"""What the pages say is so: generated parts are current, links lead somewhere, flags exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deepseek_jupyter.cli import parser
from deepseek_jupyter.magics.arguments import flag_parser
from deepseek_jupyter.magics.commands import COMMANDS

from .test_layering import LADDER, LEAVES

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import generate  # noqa: E402
import layers  # noqa: E402

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
GENERATED = generate.pages()


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", GENERATED, ids=name)
def test_a_generated_part_is_what_the_code_says(path):
    assert path.read_text("utf-8") == GENERATED[path], "run `make docs`"


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def said(files: list[Path], pattern: str) -> list[tuple[Path, str]]:
    """Every match in these files; that there are some is half of each claim about them."""
    found = [(path, one) for path in files for one in re.findall(pattern, path.read_text("utf-8"))]
    assert len(found) > 10
    return found


def leads_somewhere(path: Path, link: str) -> bool:
    target, _, anchor = link.partition("#")
    there = (path.parent / target).resolve() if target else path
    return there.exists() and (not anchor or anchor in anchors(there))


def test_every_link_inside_the_project_leads_somewhere():
    links = said(PAGES, r"\]\((?!https?:|mailto:)([^)\s]+)\)")
    assert [(name(path), link) for path, link in links if not leads_somewhere(path, link)] == []


def test_every_page_is_in_the_site_s_contents():
    contents = (ROOT / "docs" / "index.md").read_text("utf-8")
    listed = set(re.findall(r"^[a-z-]+$", contents, re.MULTILINE))
    assert {path.stem for path in ROOT.glob("docs/*.md")} - {"index"} == listed


SOURCES = [*ROOT.glob("labextension/src/**/*.ts"), *ROOT.glob("labextension/test/**/*.ts")]
TOLD = [path for path in [*PAGES, *SOURCES] if path.name != "CHANGELOG.md"]


def test_every_file_that_is_named_is_where_it_is_said_to_be():
    folders = "deepseek_jupyter|labextension|tests|benchmarks|docs|notebooks"
    named = said(TOLD, rf"(?<![\w/.-])((?:{folders})/[\w./-]*\w)")
    built = ("deepseek_jupyter/labextension", "docs/images/bench.svg")  # by `make`
    assert [
        (name(path), file)
        for path, file in named
        if not file.startswith(built) and not (ROOT / file).exists()
    ] == []


def test_the_page_names_every_plugin_of_the_labextension():
    page = (ROOT / "docs" / "lab.md").read_text("utf-8")
    ids = {
        id
        for path in ROOT.glob("labextension/src/**/*.ts")
        for id in re.findall(r"^  id: 'deepseek-jupyter:([\w-]+)'", path.read_text("utf-8"), re.M)
    }
    assert {"comms", "renderer", "ghost-text"} <= ids
    assert [id for id in sorted(ids) if f"`{id}`" not in page] == []


FLAGS = {flag for action in flag_parser()._actions for flag in action.option_strings}


def flags_of(line: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", re.sub(r'"[^"]*"', "", line)))


def test_no_page_names_a_flag_or_command_that_is_not_there():
    pages = [path for path in PAGES if path.name != "CHANGELOG.md"]
    shell = next(a for a in parser()._actions if a.dest == "command").choices
    wrong = [
        (name(path), line)
        for path, line in said(pages, r"(?:%%deepseek|%%ds|%ds) +([^`\n]*)")
        if not flags_of(line) <= FLAGS
    ]
    for known, pattern in (
        (COMMANDS, r"(?<!%)%deepseek ([a-z]+)"),
        (shell, r"`deepseek-jupyter ([a-z]+)"),
    ):
        wrong += [(name(path), word) for path, word in said(pages, pattern) if word not in known]
    assert wrong == []


def test_the_drawing_has_every_part_above_what_it_imports():
    rows = layers.ranks(LADDER, LEAVES)
    height = {part: at for at, row in enumerate(rows) for part in row}
    assert set(height) == set(LADDER)
    for part, uses in LADDER.items():
        assert all(height[use] < height[part] for use in uses), part


def test_every_step_of_the_workflow_is_a_make_target():
    import yaml

    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert steps
    for step in steps:
        make, *words = step["run"].split()
        assert make == "make"
        dry = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True)
        assert dry.returncode == 0, dry.stderr
