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


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_link_inside_the_project_leads_somewhere(path):
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", path.read_text("utf-8")):
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def test_every_page_is_in_the_site_s_contents():
    contents = (ROOT / "docs" / "index.md").read_text("utf-8")
    listed = set(re.findall(r"^[a-z-]+$", contents, re.MULTILINE))
    assert {path.stem for path in ROOT.glob("docs/*.md")} - {"index"} == listed


SOURCES = [*ROOT.glob("labextension/src/**/*.ts"), *ROOT.glob("labextension/test/**/*.ts")]
TOLD = [path for path in [*PAGES, *SOURCES] if path.name != "CHANGELOG.md"]


@pytest.mark.parametrize("path", TOLD, ids=name)
def test_a_file_that_is_named_is_where_it_is_said_to_be(path):
    folders = "deepseek_jupyter|labextension|tests|benchmarks|docs|notebooks"
    named = re.findall(rf"(?<![\w/.-])((?:{folders})/[\w./-]*\w)", path.read_text("utf-8"))
    built = ("deepseek_jupyter/labextension", "docs/images/bench.svg")  # by `make`
    missing = [n for n in named if not n.startswith(built) and not (ROOT / n).exists()]
    assert missing == []


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


@pytest.mark.parametrize("path", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=name)
def test_no_page_names_a_flag_or_command_that_is_not_there(path):
    text = path.read_text("utf-8")
    for line in re.findall(r"(?:%%deepseek|%%ds|%ds) +([^`\n]*)", text):
        given = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", re.sub(r'"[^"]*"', "", line)))
        assert given <= FLAGS, line
    commands = set(re.findall(r"(?<!%)%deepseek ([a-z]+)", text))
    assert commands <= {*COMMANDS}, commands - {*COMMANDS}
    shell = next(a for a in parser()._actions if a.dest == "command").choices
    assert set(re.findall(r"`deepseek-jupyter ([a-z]+)", text)) <= set(shell)


def test_the_drawing_has_every_part_above_what_it_imports():
    rows = layers.ranks(LADDER, LEAVES)
    at = {
        part: (height, group) for height, row in enumerate(rows) for group in row for part in group
    }
    assert set(at) == set(LADDER)
    for part, uses in LADDER.items():
        for use in uses & set(LADDER):
            assert at[use][0] < at[part][0] or at[use][1] is at[part][1], (part, use)


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
