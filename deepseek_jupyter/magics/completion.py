"""What Tab offers in our cells and lines: flags and their values, commands, models, ``@names``.

`offers` is pure: the text before the cursor and what there is to name, to the words that may come.
`register` gives it to IPython as a context matcher (IPython 8.18 and later), so that every front
end has it. IPython cuts its own token at ``@``, ``:`` and ``,``, so the whole line is looked at.
"""

from __future__ import annotations

import re
from argparse import Action
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from deepseek_jupyter.protocol.parameters import Parameter
    from deepseek_jupyter.transport.providers import Provider

_CELL = re.compile(r"\s*%%(?:ds|deepseek)(?![\w.])")
_LINE = re.compile(r"\s*(?:[\w.]+\s*=\s*)?%(ds|deepseek)\s")
_NAME = re.compile(r"(?<![\w@/\\.`-])@([\w.\[\]]*)$")
_LEVELS = ("none", "schema", "stats", "sample", "full")


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to name in this kernel; each is asked for only where it is needed."""

    names: Callable[[], Sequence[tuple[str, str]]] = lambda: ()  # variables, and what each is
    functions: Callable[[], Sequence[str]] = lambda: ()
    providers: Callable[[], Sequence[str]] = lambda: ()
    models: Callable[[str], Sequence[str]] = lambda provider: ()
    parameters: Callable[[str], Mapping[str, Parameter]] = field(default=lambda provider: {})
    branches: Callable[[], Sequence[str]] = lambda: ()
    settings: Callable[[], Sequence[str]] = lambda: ()


@dataclass(frozen=True, slots=True)
class Offers:
    """`words` may stand for `fragment`, the end of the text before the cursor.

    Each comes with its kind, which JupyterLab shows beside it.
    """

    fragment: str
    words: tuple[tuple[str, str], ...] = ()


def offers(before: str, known: Known) -> Offers | None:
    """What may come after `before`, the cell's text up to the cursor. None where it is not ours.

    Inside ``{{ }}`` the text is Python, so that it is IPython's to complete.
    """
    first, *body = before.split("\n")
    line = body[-1] if body else first
    if cell := _CELL.match(first):
        if body:
            return None if _in_braces("\n".join(body)) else _mention(line, known)
        return _flags(first[cell.end() :], known, asks=False)
    if found := _LINE.match(line):
        rest = line[found.end() :]
        if found[1] == "deepseek":
            return _command(rest, known)
        return None if _in_braces(rest) else _flags(rest, known, asks=True)
    return None


def _in_braces(text: str) -> bool:
    return text.rfind("{{") > text.rfind("}}")


def _mention(line: str, known: Known) -> Offers:
    if found := _NAME.search(line):
        return _starting("@" + found[1], (("@" + name, kind) for name, kind in known.names()))
    return Offers(re.split(r"\s", line)[-1])


def _starting(fragment: str, words: Iterable[tuple[str, str]]) -> Offers:
    folded = fragment.casefold()
    return Offers(fragment, tuple(w for w in words if w[0].casefold().startswith(folded)))


def _flags(text: str, known: Known, asks: bool) -> Offers:
    """Flags and their values; on a line that `asks`, the question comes after them."""
    *earlier, word = re.split(r"\s+", text)
    flag, equals, value = word.partition("=")
    if word.startswith("-") and not equals:
        return _starting(word, ((name, "flag") for name in _actions()))
    before = _open_flag(earlier)
    if equals and flag in _actions():
        return _values(flag, value, earlier, known)
    if before:
        return _values(before, word, earlier, known)
    if asks and (word or any(not _is_flag_part(earlier, i) for i in range(len(earlier)))):
        return _mention(text, known)
    return _starting(word, ((name, "flag") for name in _actions()))


def _open_flag(words: Sequence[str]) -> str:
    """The flag that the next word is the value of, "" where there is none."""
    last = words[-1] if words else ""
    action = _actions().get(last)
    return last if action is not None and action.nargs != 0 else ""


def _is_flag_part(words: Sequence[str], at: int) -> bool:
    return not words[at] or words[at].startswith("-") or bool(_open_flag(words[:at]))


@cache
def _actions() -> dict[str, Action]:
    from .arguments import flag_parser

    return {name: a for a in flag_parser()._actions for name in a.option_strings}


def _values(flag: str, value: str, words: Sequence[str], known: Known) -> Offers:
    action = _actions()[flag]
    provider = _said(("-p", "--provider"), words)
    if action.choices:
        return _starting(value, ((str(choice), "value") for choice in action.choices))
    match action.dest:
        case "provider":
            return _starting(value, ((name, "provider") for name in known.providers()))
        case "model":
            return _starting(value, _models(value, provider, known))
        case "param":
            return _parameter(value, known.parameters(provider))
        case "attach" | "schema":
            return _attachment(value, known, policies=action.dest == "attach")
        case "tools":
            *done, last = value.split(",")
            tools = dict.fromkeys(["sql", "inspect", "run_python", *known.functions()])
            return _starting(last, ((name, "tool") for name in tools if name not in done))
        case "branch":
            return _starting(value, ((name, "branch") for name in known.branches()))
        case "cells":
            return _starting(value, ((word, "value") for word in ("above", "all", "none")))
    return Offers(value)


def _said(flags: Sequence[str], words: Sequence[str]) -> str:
    """The value that one of `flags` has among `words`, "" where it has none."""
    for flag, value in zip(words, [*words[1:], ""], strict=True):
        if flag in flags:
            return value
        if flag.partition("=")[0] in flags:
            return flag.partition("=")[2]
    return ""


def _models(value: str, provider: str, known: Known) -> Iterator[tuple[str, str]]:
    """Ids of the provider in use, and ``provider:id`` of the others."""
    prefix, colon, _ = value.partition(":")
    if colon and prefix in known.providers():
        yield from ((f"{prefix}:{name}", "model") for name in known.models(prefix))
        return
    yield from ((name, "model") for name in known.models(provider))
    if not provider:
        yield from ((f"{name}:", "provider") for name in known.providers())


def _parameter(value: str, rows: Mapping[str, Parameter]) -> Offers:
    name, equals, chosen = value.partition("=")
    if not equals:
        return _starting(name, ((f"{row}=", "parameter") for row in rows))
    row = rows.get(name)
    words = row.choices if row else ()
    if row is not None and row.kind == "bool":
        words = ("true", "false")
    return _starting(chosen, ((word, "value") for word in words))


def _attachment(value: str, known: Known, policies: bool) -> Offers:
    expression, colon, policy = value.rpartition(":")
    if policies and colon and expression:
        last = re.split(r"[,=]", policy)[-1]
        return _starting(last, ((level, "policy") for level in _LEVELS))
    return _starting(value, known.names())


def _command(text: str, known: Known) -> Offers:
    """``%deepseek COMMAND``, and what some commands take."""
    from .commands import COMMANDS

    *earlier, word = re.split(r"\s+", text)
    if not earlier:
        return _starting(word, ((name, "command") for name in COMMANDS))
    taken: Mapping[str, Callable[[], Iterable[str]]] = {
        **dict.fromkeys(("provider", "models", "balance", "login", "parameters"), known.providers),
        **dict.fromkeys(("checkout", "diff"), known.branches),
        "config": lambda: (f"{name}=" for name in known.settings()),
    }
    if earlier[0] in taken:
        return _starting(word, ((value, "value") for value in taken[earlier[0]]()))
    if earlier[0] == "fix":
        return _flags(text.partition(" ")[2], known, asks=True)
    form = COMMANDS[earlier[0]].form if earlier[0] in COMMANDS else ""
    words = re.findall(r"--?[a-z][\w-]*|\b[a-z]{3,}\b", form)
    return _starting(word, ((choice, "value") for choice in words))


def here() -> Known:
    """What this kernel has to name; nothing is asked of a provider."""
    from deepseek_jupyter.api import get_session
    from deepseek_jupyter.display.frontend import shell
    from deepseek_jupyter.page.panel_queries import describe
    from deepseek_jupyter.transport.providers import PROVIDERS

    session, running = get_session(), shell()
    names = dict(running.user_ns) if running else {}
    hidden = set(running.user_ns_hidden) if running else set()

    def profile(name: str) -> Any:
        return session.endpoints.profile(name or session.config.provider or "deepseek")

    return Known(
        lambda: [
            (name, f"{kind} {shape}".strip()) for name, kind, shape in describe(names, hidden)
        ],
        lambda: [n for n, v in names.items() if callable(v) and n[0] != "_" and n not in hidden],
        lambda: list(dict.fromkeys([*PROVIDERS, *session.config.providers])),
        lambda name: _ids(profile(name)),
        lambda name: profile(name).dialect.rows,
        lambda: list(session.conversation.branches),
        lambda: list(session.config.items()),
    )


def _ids(provider: Provider) -> list[str]:
    """The model ids that the profile names, its default first."""
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


def matcher() -> Callable[[CompletionContext], SimpleMatcherResult]:
    """`offers` as a matcher of IPython's. In text of ours the other matchers keep still."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier="deepseek_jupyter", priority=100)
    def deepseek_jupyter(context: CompletionContext) -> SimpleMatcherResult:
        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        lines[-1] = lines[-1][: context.cursor_position]
        found = offers("\n".join(lines), here())
        if found is None:
            return {"completions": []}
        words = [SimpleCompletion(text=word, type=kind) for word, kind in found.words]
        return {
            "completions": words or _Nothing(),
            "matched_fragment": found.fragment,
            "suppress": True,
            "ordered": True,
        }

    return deepseek_jupyter  # type: ignore[no-any-return]


def register(ipython: Any) -> None:
    """Complete our text in this shell; once, however often called."""
    unregister(ipython)
    ipython.Completer.custom_matchers.append(matcher())


def unregister(ipython: Any) -> None:
    """Complete it no more."""
    ipython.Completer.custom_matchers[:] = [
        m for m in ipython.Completer.custom_matchers if m.__name__ != "deepseek_jupyter"
    ]
