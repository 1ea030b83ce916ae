"""Pages and pictures that are drawn from the code, so that they cannot fall behind it.

    .venv/bin/python docs/generate.py           # write them
    .venv/bin/python docs/generate.py --check   # exit 1 where one is out of date

Written whole: ``docs/magics.md``, ``docs/python.md``, ``docs/images/layers.svg``. Written between
two marks: the table of providers in ``README.md`` and ``docs/providers.md``. ``tests/test_docs.py``
holds them to it.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from layers import drawing  # beside this file

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.test_layering import LADDER, LEAVES  # noqa: E402

_MADE = "<!-- Made by docs/generate.py; change the code, then run `make docs`. -->"
NEWEST = {
    "job": "The newest `Job` over rows in this kernel, or None.",
    "last": "The newest `Reply` of this kernel, or None.",
}


def pages() -> dict[Path, str]:
    """Every generated file with the text it should have."""
    return {
        ROOT / "docs/magics.md": magics_page(),
        ROOT / "docs/python.md": python_page(),
        ROOT / "docs/images/layers.svg": drawing(LADDER, LEAVES),
        **{
            path: between((path).read_text("utf-8"), "providers", provider_table())
            for path in (ROOT / "README.md", ROOT / "docs/providers.md")
        },
        ROOT / "docs/providers.md": providers_page(),
    }


def providers_page() -> str:
    """Its three tables."""
    page = (ROOT / "docs/providers.md").read_text("utf-8")
    tables = {"providers": provider_table(), "models": model_table(), "wires": wire_table()}
    for name, table in tables.items():
        page = between(page, name, table)
    return page


def magics_page() -> str:
    """Flags, line commands, settings and the command line."""
    from deepseek_jupyter.magics.commands import COMMANDS

    commands = [("`%deepseek`", "what is set, what was spent")]
    commands += [(_code(f"%deepseek {name} {c.form}"), c.says) for name, c in COMMANDS.items()]
    return "\n".join(
        [
            *("# Magics", "", _MADE, ""),
            "`%%deepseek` or `%%ds` asks what the rest of the cell says; `%ds QUESTION` is one",
            "line. Flags come first, and mean the same in both. `{{ expression }}` in a question",
            "is replaced by its value, but not in code (fenced or between backticks); `\\{{`",
            "stands for two braces. Tab completes flags and their values, model ids (`wcode:` for",
            "those of another provider), commands and `@names`; in `{{ }}` it completes Python.",
            *("", "## Flags", "", *_table(("flag", "what it does"), flag_rows())),
            *("", "## Commands", "", *_table(("command", "what it does"), commands)),
            *("", "## Settings", ""),
            "`%config DeepSeek.NAME = value` for this kernel, `c.DeepSeek.NAME = value` in",
            "`ipython_config.py` for all. A flag beats a setting, a setting beats the environment.",
            *("", *_table(("setting", "default", "what it does"), setting_rows())),
            *("", "## Command line", "", *_table(("command", "what it does"), shell_rows()), ""),
        ]
    )


def flag_rows() -> Iterable[tuple[str, str]]:
    """As the parser knows them."""
    from deepseek_jupyter.magics.arguments import flag_parser

    for action in flag_parser()._actions:
        values = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
        shown = values if action.nargs != 0 else ""
        yield _code(f"{', '.join(action.option_strings)} {shown}"), _help(action.help)


def setting_rows() -> Iterable[tuple[str, str, str]]:
    """As the traits know them."""
    from deepseek_jupyter.config import DeepSeek

    helps = DeepSeek.class_traits(config=True)
    for name, default in DeepSeek().items().items():
        yield _code(name), _code(repr(default)), _help(helps[name].help)


def shell_rows() -> Iterable[tuple[str, str]]:
    """As ``deepseek-jupyter --help`` knows them."""
    from deepseek_jupyter.cli import parser

    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                usage = action.choices[choice.dest].format_usage()
                words = re.sub(r"\s+|usage: |\[-h\]", " ", usage).split()
                yield _code(" ".join(words)), _help(choice.help)


def python_page() -> str:
    """What ``import deepseek_jupyter`` offers, from its docstrings."""
    import deepseek_jupyter as ds

    lines = ["# Python", "", _MADE, "", *(inspect.getdoc(ds) or "").splitlines()]
    for name in ds.__all__:
        if name.startswith(("_", "load_", "unload_")):
            continue
        lines += ["", f"## `{name}`", "", *_described(ds, name)]
    return _single_code("\n".join(lines)) + "\n"


def _described(package: object, name: str) -> list[str]:
    if name in NEWEST:  # None as yet, whose documentation is not theirs
        return [NEWEST[name]]
    value = getattr(package, name)
    lines = (inspect.getdoc(value) or "").splitlines()
    if inspect.isclass(value) and not issubclass(value, BaseException):
        members = [
            (_code(member), _help(inspect.getdoc(found)))
            for member, found in vars(value).items()
            if not member.startswith("_") and inspect.getdoc(found) and _is_documented(found)
        ]
        return [*lines, "", *_table(("member", "what it is"), members)] if members else lines
    if callable(value) and not inspect.isclass(value):
        signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(value)))
        return ["```python", f"{name}{signature}", "```", "", *_with_example(lines)]
    return lines


def _with_example(lines: list[str]) -> list[str]:
    """A docstring ends with its example, which Markdown would take for quotations."""
    at = next((n for n, line in enumerate(lines) if line.startswith(">>>")), len(lines))
    example = [line.replace("  # doctest: +SKIP", "") for line in lines[at:]]
    return [*lines[:at], "```pycon", *example, "```"] if example else lines


def _is_documented(found: object) -> bool:
    return inspect.isfunction(found) or isinstance(found, property | classmethod | staticmethod)


def provider_table() -> str:
    """Name, base URL and key variable of every first-class provider."""
    from deepseek_jupyter.transport.providers import PROVIDERS

    rows = []
    for name, provider in PROVIDERS.items():
        keys = " or ".join(map(_code, provider.key_variables))
        rows.append((_code(name), provider.title, _code(provider.base_url), keys or "none"))
    return "\n".join(_table(("`-p`", "who", "base URL", "key variable"), rows))


def wire_table() -> str:
    """The wires beside chat: where they are posted to, and which parameters they cannot say."""
    from deepseek_jupyter.protocol.request import join_url
    from deepseek_jupyter.protocol.wire import WIRES
    from deepseek_jupyter.transport.providers import PROVIDERS

    rows = []
    for provider in PROVIDERS.values():
        for wire in provider.wires:
            spoken = provider.speaking(wire)
            base = spoken.wire_url or "http://127.0.0.1:…/v1"  # known once it runs
            url = join_url(base, WIRES[wire].path)
            lost = [name for name in provider.dialect.rows if name not in spoken.dialect.rows]
            searches = "yes" if spoken.web_search and wire == "responses" else ""
            rows.append((_code(wire), _code(provider.name), _code(url), ", ".join(lost), searches))
    heads = ("wire", "at", "posted to", "parameters that it has not", "web search")
    return "\n".join(_table(heads, rows))


def model_table() -> str:
    """What is known of models: context, answer, modes, price, and the page it comes from."""
    from deepseek_jupyter.protocol.model_facts import MODELS

    rows = []
    for row in MODELS:
        price = row.prices[-1] if row.prices else None
        sum_ = price and f"{price.price.hit} / {price.price.miss} / {price.price.output} "
        since = price and f"{price.price.currency} ({price.since:%Y-%m})"
        modes = " / ".join(map(_code, filter(None, (row.thinking_id, row.plain_id))))
        mode = {True: "always", False: "never", None: ""}[row.thinks]
        can = (("images", row.images), ("tools", row.tools), ("JSON", row.json))
        said = [word if has else f"no {word}" for word, has in can if has is not None]
        rows.append(
            (
                ", ".join(map(_code, row.ids)),
                ", ".join(row.providers) or "everywhere",
                f"{row.context:,}" if row.context else "",
                f"{row.output:,}" if row.output else "",
                modes or mode,
                ", ".join(said),
                f"{sum_}{since}" if price else "",
                f"[page]({row.source})" if row.source else "",
            )
        )
    heads = ("ids", "at", "context", "answer", "thinks", "has", "hit / miss / output", "source")
    return "\n".join(_table(heads, rows))


def between(text: str, mark: str, new: str) -> str:
    """`text` with what stands between a pair of marks exchanged. Raises ValueError without it."""
    opening, closing = f"<!-- {mark}: made by docs/generate.py -->", f"<!-- /{mark} -->"
    if opening not in text or closing not in text:
        raise ValueError(f"no {opening} … {closing}")
    before, rest = text.split(opening, 1)
    return f"{before}{opening}\n{new}\n{closing}{rest.split(closing, 1)[1]}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return [line(heads), line(["---"] * len(heads)), *map(line, rows)]


def _code(text: str) -> str:
    text = " ".join(text.split())
    return f"`{text}`" if text else ""


def _help(text: str | None) -> str:
    """The first paragraph of a help text or docstring, on one line."""
    first = (text or "").split("\n\n")[0]
    return _single_code(" ".join(first.replace("%%", "%").split()))


def _single_code(text: str) -> str:
    """Docstrings mark code with two backticks, Markdown with one."""
    return re.sub(r"(?<!`)``(?!`)", "`", text)


def main() -> int:
    """Write what differs, or with ``--check`` say so."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--check", action="store_true")
    check = options.parse_args().check
    stale = [path for path, text in pages().items() if _read(path) != text]
    for path in stale:
        if not check:
            path.write_text(pages()[path], "utf-8")
        print(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
