"""What Tab offers in our cells and lines: flags and their values, commands, models, ``@names``.

`register` gives it to IPython as a context matcher (IPython 8.18 and later), so that every front
end has it. IPython cuts its own token at ``@``, ``:`` and ``,``, so the whole line is looked at.
Nothing is asked of a provider.
"""

from __future__ import annotations

import re
from argparse import Action
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

from deepseek_jupyter.display.frontend import shell

from .arguments import flag_parser, takes_value

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from deepseek_jupyter.session.session import Session

_CELL = re.compile(r"\s*%%(?:ds|deepseek)(?![\w.])")
_LINE = re.compile(r"\s*(?:[\w.]+\s*=\s*)?%(ds|deepseek)\s")
_NAME = re.compile(r"(?<![\w@/\\.`-])@([\w.\[\]]*)$")
_LEVELS = ("none", "schema", "stats", "sample", "full")

Words = Iterable[tuple[str, str]]  # each with its kind, which JupyterLab shows with it
Offers = tuple[str, list[tuple[str, str]]]  # the end of the text, and what may replace it


def offers(before: str) -> Offers | None:
    """What may come after `before`, the cell's text up to the cursor. None where it is not ours.

    Inside ``{{ }}`` the text is Python, so that it is IPython's to complete.
    """
    first, *body = before.split("\n")
    line = body[-1] if body else first
    if cell := _CELL.match(first):
        if body:
            return None if _in_braces("\n".join(body)) else _mention(line)
        return _flags(first[cell.end() :], asks=False)
    if found := _LINE.match(line):
        rest = line[found.end() :]
        if found[1] == "deepseek":
            return _command(rest)
        return None if _in_braces(rest) else _flags(rest, asks=True)
    return None


def _in_braces(text: str) -> bool:
    return text.rfind("{{") > text.rfind("}}")


def _mention(line: str) -> Offers:
    if found := _NAME.search(line):
        return _starting("@" + found[1], (("@" + name, kind) for name, kind in _variables()))
    return re.split(r"\s", line)[-1], []


def _starting(fragment: str, words: Words) -> Offers:
    folded = fragment.casefold()
    return fragment, [word for word in words if word[0].casefold().startswith(folded)]


def _of(kind: str, words: Iterable[str]) -> Words:
    return ((word, kind) for word in words)


def _flags(text: str, asks: bool) -> Offers:
    """Flags and their values; on a line that `asks`, the question comes after them."""
    *earlier, word = re.split(r"\s+", text)
    flag, equals, value = word.partition("=")
    known = flag_parser()._option_string_actions
    if equals and flag in known:
        return _values(known[flag], value, earlier)
    if equals or not word.startswith("-"):
        if earlier and takes_value(earlier[-1]):
            return _values(known[earlier[-1]], word, earlier)
        if asks and (word or any(not _is_flag_part(earlier, i) for i in range(len(earlier)))):
            return _mention(text)
    return _starting(word, _of("flag", known))


def _is_flag_part(words: Sequence[str], at: int) -> bool:
    return not words[at] or words[at].startswith("-") or (at > 0 and takes_value(words[at - 1]))


def _values(action: Action, value: str, words: Sequence[str]) -> Offers:
    given = re.search(r"(?<!\S)(?:-p|--provider)[ =](\S+)", " ".join(words))
    provider = given[1] if given else ""
    if action.choices:
        return _starting(value, _of("value", map(str, action.choices)))
    match action.dest:
        case "provider":
            return _starting(value, _of("provider", _providers()))
        case "model":
            return _starting(value, _models(value, provider))
        case "param":
            return _parameter(value, provider)
        case "attach" if ":" in value.lstrip(":"):
            last = re.split(r"[,=]", value.rpartition(":")[2])[-1]
            return _starting(last, _of("policy", _LEVELS))
        case "attach" | "schema":
            return _starting(value, _variables())
        case "tools":
            *done, last = value.split(",")
            tools = dict.fromkeys(["sql", "inspect", "run_python", *_functions()])
            return _starting(last, _of("tool", (name for name in tools if name not in done)))
        case "branch":
            return _starting(value, _of("branch", _session().conversation.branches))
        case "cells":
            return _starting(value, _of("value", ("above", "all", "none")))
    return value, []


def _parameter(value: str, provider: str) -> Offers:
    name, equals, chosen = value.partition("=")
    rows = _session().endpoints.profile(provider).dialect.rows
    if not equals:
        return _starting(name, _of("parameter", (f"{row}=" for row in rows)))
    words: Sequence[str] = rows[name].choices if name in rows else ()
    if name in rows and rows[name].kind == "bool":
        words = ("true", "false")
    return _starting(chosen, _of("value", words))


def _command(text: str) -> Offers:
    """``%deepseek COMMAND``, and what some commands take."""
    from .commands import COMMANDS

    *earlier, word = re.split(r"\s+", text)
    if not earlier:
        return _starting(word, _of("command", COMMANDS))
    taken: dict[str, Callable[[], Iterable[str]]] = {
        **dict.fromkeys(("provider", "models", "balance", "login", "parameters"), _providers),
        **dict.fromkeys(("checkout", "diff"), lambda: _session().conversation.branches),
        "config": lambda: (f"{name}=" for name in _session().config.items()),
    }
    if earlier[0] in taken:
        return _starting(word, _of("value", taken[earlier[0]]()))
    if earlier[0] == "fix":
        return _flags(text.partition(" ")[2], asks=True)
    form = COMMANDS[earlier[0]].form if earlier[0] in COMMANDS else ""
    return _starting(word, _of("value", re.findall(r"--?[a-z][\w-]*|\b[a-z]{3,}\b", form)))


# What this kernel has to name


def _session() -> Session:
    from deepseek_jupyter.api import get_session

    return get_session()


def _variables() -> Words:
    from deepseek_jupyter.page.panel_queries import describe

    rows = describe(dict(shell().user_ns), set(shell().user_ns_hidden))
    return ((name, f"{kind} {shape}".strip()) for name, kind, shape in rows)


def _functions() -> list[str]:
    hidden = shell().user_ns_hidden
    named = shell().user_ns.items()
    return [n for n, v in named if callable(v) and n[0] != "_" and n not in hidden]


def _providers() -> list[str]:
    return _session().endpoints.names


def _models(value: str, provider: str) -> Iterator[tuple[str, str]]:
    """Ids of the provider in use, and ``provider:id`` of the others."""
    prefix, colon, _ = value.partition(":")
    if colon and prefix in _providers():
        yield from _of("model", (f"{prefix}:{name}" for name in _ids(prefix)))
        return
    yield from _of("model", _ids(provider))
    if not provider:
        yield from _of("provider", (f"{name}:" for name in _providers()))


def _ids(name: str) -> list[str]:
    """The model ids that a provider's profile names, its default first."""
    provider = _session().endpoints.profile(name)
    if provider.name == "local":
        from deepseek_jupyter.local import MODELS

        return list(MODELS)
    from deepseek_jupyter.protocol.model_facts import MODELS as TABLE

    like = provider.dialect.like
    rows = [name for row in TABLE if like in row.providers for name in row.ids if "*" not in name]
    names = dict.fromkeys([provider.default_model, *rows, *provider.told])
    return list({name.casefold(): name for name in names if name}.values())


class _Nothing(list[Any]):
    """No word, yet not empty: IPython silences its other matchers only for one that has some."""

    def __len__(self) -> int:
        return 1


@context_matcher(identifier="deepseek_jupyter", priority=100)
def deepseek_jupyter(context: CompletionContext) -> SimpleMatcherResult:
    """`offers` as a matcher of IPython's. In text of ours the other matchers keep still."""
    lines = context.full_text.split("\n")[: context.cursor_line + 1]
    lines[-1] = lines[-1][: context.cursor_position]
    found = offers("\n".join(lines))
    if found is None:
        return {"completions": []}
    fragment, words = found
    return {
        "completions": [SimpleCompletion(text=word, type=kind) for word, kind in words]
        or _Nothing(),
        "matched_fragment": fragment,
        "suppress": True,
        "ordered": True,
    }


def register(ipython: Any) -> None:
    """Complete our text in this shell; once, however often called."""
    unregister(ipython)
    ipython.Completer.custom_matchers.append(deepseek_jupyter)


def unregister(ipython: Any) -> None:
    ipython.Completer.custom_matchers[:] = [
        m for m in ipython.Completer.custom_matchers if m.__name__ != "deepseek_jupyter"
    ]
