"""Every English text of the package that a person may read, collected from its sources.

`python -m tests.support.catalogue` prints those that the Chinese catalogue lacks, as JSON.
"""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from deepseek_jupyter import errors
from deepseek_jupyter.magics.commands import COMMANDS
from deepseek_jupyter.words import Translator

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "deepseek_jupyter"
CATALOGUE = ROOT / "labextension" / "locale" / "zh_CN" / "kernel.json"

# What a model reads, or a shell: English always. A folder or file, and why.
ELSEWHERE = {
    "cli.py": "the shell command, which has no page and no settings",
    "config.py": "help of %config, which traitlets shows",
    "magics/arguments.py:help": "help of the flags, which argparse writes",
    "tools/sql_tree.py": "refusals that the model reads",
    "tools/sql_words.toml": "refusals that the model reads",
    "tools/sql_select.py": "refusals that the model reads",
    "tools/sql_worker.py": "refusals that the model reads",
    "tools/aggregates.py": "refusals that the model reads",
    "tools/inspect_variables.py": "results that the model reads",
    "tools/strict.py": "schemas that the model reads",
    "context/card.py": "cards that the model reads",
    "context/containers.py": "cards that the model reads",
    "context/arrays.py": "cards that the model reads",
    "context/sources.py": "cards that the model reads",
    "cells/lineage.py": "remarks in a prompt",
    "protocol/messages.py": "messages that the model reads",
    "labextension": "the front end",
}
# For the model, not raised at a person.
FOR_MODELS = {name for name in vars(errors) if name.startswith("Query")} | {"ToolArgumentsError"}
# Texts of other places that are not for people, each with its place.
NOT_SHOWN = {
    "asking/next_tokens.py": ("Go on with this text",),
    "asking/question.py": ("Reply with code only, in one fenced block.", "Go on exactly where you"),
    "asking/tool_rounds.py": ("not run: the limit", "kept here: the result", "Error: {0}"),
    "cells/failure.py": ("(its message stays here",),
    "context/quotes.py": ("Support each claim",),
    "jobs/verbs.py": ("['price'",),
    "display/pages.py": ("The kernel does not know the request",),
    "page/fields.py": ("The request's",),
    "page/state.py": ("The request's",),
    "privacy/rules.py": ("You are a tutor.", "Do not write whole solutions."),
    "protocol/request.py": ("Answer with JSON only.", "Reply with one JSON value"),
    "tools/functions.py": ("Returns: {0}", "The arguments of {0} are wrong", "Call it again, corr"),
    "tools/loop.py": (
        "denied: the user",
        "There is no function {0}; there is",
        "The arguments",
    ),
    "tools/python.py": (
        "Run Python code in the user's",
        "Python code, as in a cell.",
        "await cannot",
    ),
    "tools/schemas.py": (
        "{0} Give the whole answer",
        "Answer with JSON alone",
        "Give the answer to the user",
        "The answer does not fit the schema: ",
    ),
    "tools/sql.py": (
        "Run one DuckDB SQL",
        "Where a table says so",
        "One SQL query.",
        "The tables are",
    ),
    "tools/sandbox.py": (
        "The query",
        "It took too much memory",
        "The result",
        "DuckDB's process did",
    ),
    "transport/keys.py": ("Secret(",),
}
_FORMAT = re.compile(r"\{\w*(?::[^{}']*)?\}")  # of a text for str.format
SENTENCE = re.compile(r"(?:[A-Z`{%]|--)[^\n]* [^\n]*[a-z}\d`)\]'][.!?…]|[A-Z][a-z]+ing…")
ENGLISH = re.compile(r"(?<![-\w`/{.'“])[A-Za-z']+(?: [a-z']+){2,}")
COMMAND = re.compile("`[^`]*`|(?:%?pip install|%deepseek|%config|deepseek-jupyter)[ -~]*")
SHOWN = {"Report", "Notice", "Detail", "note", "tell", "Changes"}


def names() -> set[str]:
    found = {
        k for k, v in vars(errors).items() if isinstance(v, type) and issubclass(v, BaseException)
    }
    return (found | SHOWN) - FOR_MODELS


def texts_of(node: ast.expr | None) -> Iterator[str]:
    """The texts that an expression may be, values in them as ``{0}``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield _numbered(_FORMAT.sub("\0", node.value))
    elif isinstance(node, ast.JoinedStr):
        choices = [list(_pieces(value)) for value in node.values]
        for parts in itertools.islice(itertools.product(*choices), 16):
            yield _numbered("".join(parts))
    elif isinstance(node, ast.IfExp):
        yield from itertools.chain(texts_of(node.body), texts_of(node.orelse))
    elif isinstance(node, ast.BoolOp):
        yield from itertools.chain(*map(texts_of, node.values))
    elif isinstance(node, ast.List | ast.Tuple):
        yield from itertools.chain(*map(texts_of, node.elts))


def _pieces(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.IfExp):
        yield from (list(texts_of(node.value)) if _constant(node.value) else ["\0"])
    else:
        yield "\0"


def _constant(node: ast.IfExp) -> bool:
    return all(isinstance(branch, ast.Constant) for branch in (node.body, node.orelse))


def _numbered(text: str) -> str:
    parts = re.split("\0+", text)
    return "".join(p + (f"{{{n}}}" if n < len(parts) - 1 else "") for n, p in enumerate(parts))


def collected() -> dict[str, str]:
    """The templates, and where each is."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place in ELSEWHERE or place.startswith("labextension/"):
            continue
        hidden = NOT_SHOWN.get(place, ())
        for text in _in_file(ast.parse(path.read_text("utf-8")), place):
            if re.search("[A-Za-z]{2}", re.sub(r"\{\d+\}", "", text)) and not text.startswith(
                hidden
            ):
                found.setdefault(text.strip(" "), place)
    for command in COMMANDS.values():
        found.setdefault(command.says, "magics/commands.py")
    for path in sorted(PACKAGE.rglob("*.toml")):
        place = path.relative_to(PACKAGE).as_posix()
        for text in re.findall('"([^"\n]*)"', path.read_text("utf-8")):
            if SENTENCE.fullmatch(text) and place not in ELSEWHERE:
                found.setdefault(text, place)
    return found


def _in_file(tree: ast.Module, place: str) -> Iterator[str]:
    skipped = _not_shown(tree, place)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
            if name in names():
                given = (*node.args, *(k.value for k in node.keywords))
                yield from (
                    t for arg in given for t in texts_of(arg) if " " in t or t[:1].isupper()
                )
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in skipped:
            yield from (t for t in texts_of(node) if SENTENCE.fullmatch(t.strip()))


def _not_shown(tree: ast.Module, place: str) -> set[int]:
    """Docstrings, parts of f-strings, and what is raised for a model."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            found |= {id(part) for value in node.values for part in ast.walk(value)}
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
            argparse = name == "add_argument" and f"{place}:help" in ELSEWHERE
            if name in FOR_MODELS or name == "Tool" or argparse:
                found |= {id(part) for part in ast.walk(node)}
        elif isinstance(node, ast.ClassDef) and node.name in FOR_MODELS:
            found |= {id(part) for part in ast.walk(node)}
    return found


@cache
def chinese() -> Translator:
    return Translator(json.loads(CATALOGUE.read_text("utf-8")))


def left(text: str) -> str:
    """What of a template stays English in Chinese: "" where nothing does."""
    return min((_left(re.sub(r"\{(\w+)\}", value, text)) for value in (r"«\1»", "7")), key=len)


def _left(sample: str) -> str:
    shown = chinese().said(sample)
    if shown == sample:
        return shown
    english = ENGLISH.search(COMMAND.sub("", shown))
    return english[0] if english else ""


# Not whole texts: what they are made of is in the catalogue. Or names.
ALLOWED = {
    "{0} tokens{1}; {2}.",  # `preview`: each form of it
    "{0} tokens{1}.{2}.",
    "{0} {1} of the prompt tokens came from the cache.",  # two sentences
    "{0} is {1}.",  # `files`: not there, not a file
    "{0}The code is in reply.code.",  # two sentences
    "\n``%deepseek help`` lists the line commands.\n",  # the manual, as `%deepseek?` shows it
    "base URL",
    "%ds takes a question; %deepseek shows the status.",  # IPython shows its own errors
}


def lacking() -> dict[str, str]:
    """What the catalogue lacks, by text."""
    return {
        text: place for text, place in collected().items() if left(text) and text not in ALLOWED
    }


if __name__ == "__main__":
    print(json.dumps(dict.fromkeys(lacking(), ""), ensure_ascii=False, indent=2))
