"""``%deepseek COMMAND``: each command is one function and one line in `COMMANDS`."""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.api import get_session
from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.display.progress import Progress
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.protocol.parameters import parse_value
from deepseek_jupyter.reports.reports import (
    balance,
    models,
    providers,
    status,
    turns_in_words,
)
from deepseek_jupyter.session.accounts import WAYS, usage

from . import conversations, fixing
from .arguments import UsageProblem, flag_help, no_arguments, suggestion

__all__ = ["COMMANDS", "run"]


@dataclass(frozen=True, slots=True)
class LineCommand:
    """A command, the form of its arguments, and what it does in one line.

    One that `asks` the model is given the line as it was written, and the id of the asking cell.
    """

    call: Callable[..., Any]
    form: str
    says: str
    asks: bool = False


def run(line: str, cell_id: Callable[[], str | None] = lambda: None) -> Any:
    """Carry out ``%deepseek LINE``. Raises `UsageProblem` for an unknown command."""
    first, _, rest = line.strip().partition(" ")
    if first in COMMANDS and COMMANDS[first].asks:
        return COMMANDS[first].call(rest, cell_id())
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageProblem(f"{error}: {line.strip()}") from None
    if not words:
        return status(get_session())
    name, *arguments = words
    if name not in COMMANDS:
        close = suggestion(name, list(COMMANDS)) or " %deepseek help lists the commands."
        raise UsageProblem(f"There is no command {name!r}.{close}")
    return COMMANDS[name].call(arguments)


def _models(arguments: Sequence[str]) -> Report:
    return models(get_session(), _at_most_one(arguments, "models"))


def _balance(arguments: Sequence[str]) -> Report:
    return balance(get_session(), _at_most_one(arguments, "balance"))


def _usage(arguments: Sequence[str]) -> Report:
    """``usage [turn|branch|conversation|notebook|day|model]``; without one, this session."""
    by = _at_most_one(arguments, "usage")
    if by is not None and by not in WAYS:
        raise UsageProblem(f"usage takes {', '.join(WAYS)}.{suggestion(by, WAYS)}")
    return usage(get_session(), by)  # type: ignore[arg-type]


def _config(arguments: Sequence[str]) -> Report | None:
    """Without arguments every setting; ``name=value`` sets one."""
    config = get_session().config
    if not arguments:
        return _settings(config)
    for item in arguments:
        name, equals, text = item.partition("=")
        if name in ("nested", "nest_asyncio"):
            _set_nested(text)
        elif not equals or name not in config.items():
            close = suggestion(name, [*config.items(), "nested"])
            raise UsageProblem(f"Settings are written name=value; there is no {name!r}.{close}")
        else:
            _set(config, name, text)
    return None


def _settings(config: DeepSeek) -> Report:
    from deepseek_jupyter.nested import nested_state

    helps = {name: trait.help for name, trait in config.traits(config=True).items()}
    rows = [(name, repr(value), helps[name]) for name, value in config.items().items()]
    rows.append(("nested", nested_state(), "on lets asyncio.run() work inside cells."))
    return Report("Settings", rows, ("name", "value", "meaning"), "%deepseek config name=value")


def _set(config: DeepSeek, name: str, text: str) -> None:
    from traitlets import TraitError

    value: Any = text
    if not isinstance(getattr(config, name), str):
        value = parse_value(text.lower() if text in ("True", "False") else text)
    try:
        setattr(config, name, value)
    except TraitError as error:
        raise UsageProblem(str(error).split("\n")[0]) from None


def _set_nested(text: str) -> None:
    from deepseek_jupyter.nested import enable_nested

    if text.lower() in ("on", "true", "1"):
        enable_nested()
        return
    raise UsageProblem("nested can be switched on only; restarting the kernel switches it off.")


def _provider(arguments: Sequence[str]) -> Report:
    name = _at_most_one(arguments, "provider")
    if name is not None:
        get_session().endpoints.choose(name)
    return providers(get_session())


def _login(arguments: Sequence[str]) -> Report:
    """``login [PROVIDER] [--forget]``: the key is typed into a hidden prompt, never on the line."""
    names = [word for word in arguments if word != "--forget"]
    if any(word.startswith(("sk-", "sk_")) for word in names):
        raise UsageProblem("Never type a key into a cell: %deepseek login asks for it, hidden.")
    name = _at_most_one(names, "login") or get_session().config.provider or "deepseek"
    endpoints = get_session().endpoints
    if "--forget" in arguments:
        found = endpoints.forget_key(name)
        return Report(f"The key for {name} is {'gone' if found else 'not stored'}.")
    try:
        key = getpass.getpass(f"API key for {name} (hidden): ")
    except Exception as error:  # ipykernel's StdinNotImplementedError, EOFError without a terminal
        raise UsageProblem(
            f"Nobody can type a key here ({error}); set the provider's key variable instead."
        ) from None
    if not key.strip():
        return Report("Nothing was typed; nothing is changed.")
    return Report(f"The key for {name} is in {endpoints.store_key(name, key)}.")


def _local(arguments: Sequence[str]) -> Report:
    """``local [status|install|remove] [MODEL or file]``."""
    from deepseek_jupyter.reports.local_reports import install_local, local_status, remove_local

    verb, *rest = arguments or ["status"]
    model = _at_most_one(rest, f"local {verb}")
    if verb == "install":
        return install_local(model, Progress())
    if verb == "remove":
        return remove_local(model)
    if verb == "status":
        return local_status()
    raise UsageProblem(f"local takes install, status or remove.{suggestion(verb, _LOCAL)}")


_LOCAL = ("install", "status", "remove")


def _doctor(arguments: Sequence[str]) -> Report:
    from deepseek_jupyter.reports.doctor import doctor

    no_arguments(arguments, "doctor")
    return doctor(get_session())


def _reset(arguments: Sequence[str]) -> Report:
    no_arguments(arguments, "reset")
    turns = len(get_session().conversation.way())
    get_session().conversation.reset()
    return Report(f"A new conversation begins; the last one had {turns_in_words(turns)}.")


def _help(arguments: Sequence[str]) -> Report:
    rows = [(f"%deepseek {name} {c.form}".rstrip(), c.says) for name, c in COMMANDS.items()]
    return Report("", [("%deepseek", "what is set, what was spent"), *rows], remark=flag_help())


def _at_most_one(arguments: Sequence[str], command: str) -> str | None:
    if len(arguments) > 1:
        raise UsageProblem(f"%deepseek {command} takes one argument at most.")
    return arguments[0] if arguments else None


COMMANDS: dict[str, LineCommand] = {
    "models": LineCommand(_models, "[PROVIDER]", "the model ids that the provider lists"),
    "balance": LineCommand(_balance, "[PROVIDER]", "what is left on the account"),
    "usage": LineCommand(
        _usage, f"[{'|'.join(WAYS)}]", "tokens and cost, of this session without one"
    ),
    **{name: LineCommand(*row, asks=True) for name, row in fixing.COMMANDS.items()},
    "config": LineCommand(_config, "[NAME=VALUE]", "show or change settings"),
    "provider": LineCommand(_provider, "[NAME]", "list providers, or choose one"),
    "login": LineCommand(_login, "[PROVIDER] [--forget]", "store a key, typed hidden"),
    "local": LineCommand(_local, "install|status|remove [MODEL]", "the embedded model"),
    "tree": LineCommand(conversations.tree, "", "the conversation, with its branches"),
    "show": LineCommand(conversations.show, "[TURN] [--sent]", "a turn again, or what was sent"),
    "undo": LineCommand(conversations.undo, "[N]", "take the newest turns off the branch"),
    "fork": LineCommand(conversations.fork, "TURN NAME", "begin a branch at a turn"),
    "checkout": LineCommand(conversations.checkout, "NAME|TURN", "go on with another branch"),
    "diff": LineCommand(conversations.diff, "TURN TURN", "how two turns differ"),
    "search": LineCommand(conversations.search, "WORDS", "find turns of this conversation"),
    "export": LineCommand(conversations.export, "FILE", "write .md, .html, .json or .ipynb"),
    "reset": LineCommand(_reset, "", "begin a new conversation"),
    "doctor": LineCommand(_doctor, "", "check this installation and say what to mend"),
    "help": LineCommand(_help, "", "this list, and the flags of %%deepseek"),
}
