"""``%deepseek COMMAND``: each command is one function, which `_command` puts into `COMMANDS`."""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.api import get_session
from deepseek_jupyter.asking.preview import Preview, sent
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.conversation.exports import ENDINGS, write_export
from deepseek_jupyter.display.report import Drawing, Report
from deepseek_jupyter.errors import CellError
from deepseek_jupyter.protocol.parameters import parse_value
from deepseek_jupyter.session.accounts import WAYS, usage

from .arguments import UsageProblem, flag_help, no_arguments, parse_line, suggestion
from .reports import LOCAL_VERBS, balance, local_model, models, providers, status, turns_in_words

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation
    from deepseek_jupyter.fixing.fix import Proposal


@dataclass(frozen=True, slots=True)
class LineCommand:
    """A command, the form of its arguments, and what it does in one line.

    One that `asks` the model is given the line as it was written, and the id of the asking cell.
    """

    call: Callable[..., Any]
    form: str
    says: str
    asks: bool = False


COMMANDS: dict[str, LineCommand] = {}

Call = Callable[[Sequence[str]], Any]


def _command(form: str, says: str) -> Callable[[Call], Call]:
    """Make a function a command under its own name."""

    def add(call: Call) -> Call:
        COMMANDS[call.__name__.removeprefix("_")] = LineCommand(call, form, says)
        return call

    return add


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


# The session's


@_command("[PROVIDER]", "the model ids that the provider lists")
def _models(arguments: Sequence[str]) -> Report:
    return models(get_session(), _at_most_one(arguments, "models"))


@_command("[PROVIDER]", "what is left on the account")
def _balance(arguments: Sequence[str]) -> Report:
    return balance(get_session(), _at_most_one(arguments, "balance"))


@_command(f"[{'|'.join(WAYS)}]", "tokens and cost, of this session without one")
def _usage(arguments: Sequence[str]) -> Report:
    by = _at_most_one(arguments, "usage")
    if by is not None and by not in WAYS:
        raise UsageProblem(f"usage takes {', '.join(WAYS)}.{suggestion(by, WAYS)}")
    return usage(get_session(), by)  # type: ignore[arg-type]


@_command("[NAME=VALUE]", "show or change settings")
def _config(arguments: Sequence[str]) -> Report | None:
    config = get_session().config
    if not arguments:
        return _settings(config)
    for item in arguments:
        name, equals, text = item.partition("=")
        if name in ("nested", "nest_asyncio"):
            from deepseek_jupyter.nested import enable_nested

            if text.lower() not in ("on", "true", "1"):
                raise UsageProblem("nested can only be switched on; restarting switches it off.")
            enable_nested()
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


@_command("[NAME]", "list providers, or choose one")
def _provider(arguments: Sequence[str]) -> Report:
    name = _at_most_one(arguments, "provider")
    if name is not None:
        get_session().endpoints.choose(name)
    return providers(get_session())


@_command("[PROVIDER] [--forget]", "store a key, typed hidden")
def _login(arguments: Sequence[str]) -> Report:
    """``login [PROVIDER] [--forget]``: the key is typed into a hidden prompt, never on the line."""
    from deepseek_jupyter.transport.keys import forget_key, store_key

    names = [word for word in arguments if word != "--forget"]
    if any(word.startswith(("sk-", "sk_")) for word in names):
        raise UsageProblem("Never type a key into a cell: %deepseek login asks for it, hidden.")
    name = _at_most_one(names, "login") or get_session().config.provider or "deepseek"
    profile = get_session().endpoints.profile(name)
    if "--forget" in arguments:
        found = forget_key(profile)
        return Report(f"The key for {name} is {'gone' if found else 'not stored'}.")
    try:
        key = getpass.getpass(f"API key for {name} (hidden): ")
    except Exception as error:  # ipykernel's StdinNotImplementedError, EOFError without a terminal
        raise UsageProblem(
            f"A key cannot be typed here ({error}); set the provider's key variable instead."
        ) from None
    if not key.strip():
        return Report("Nothing was typed; nothing is changed.")
    return Report(f"The key for {name} is in {store_key(profile, key)}.")


@_command("install|status|remove [MODEL]", "the embedded model")
def _local(arguments: Sequence[str]) -> Report:
    """``local [status|install|remove] [MODEL or file]``."""
    verb, *rest = arguments or ["status"]
    if verb not in LOCAL_VERBS:
        raise UsageProblem(f"local takes install, status or remove.{suggestion(verb, LOCAL_VERBS)}")
    return local_model(verb, _at_most_one(rest, f"local {verb}"))


@_command("", "begin a new conversation")
def _reset(arguments: Sequence[str]) -> Report:
    no_arguments(arguments, "reset")
    turns = len(get_session().conversation.way())
    get_session().conversation.reset()
    return Report(f"A new conversation begins; the last one had {turns_in_words(turns)}.")


@_command("[--forget]", "check this installation and say what to fix")
def _doctor(arguments: Sequence[str]) -> Report:
    from .doctor import doctor, forget

    if list(arguments) == ["--forget"]:
        return forget()
    no_arguments(arguments, "doctor")
    return doctor(get_session())


@_command("", "this list, and the flags of %%deepseek")
def _help(arguments: Sequence[str]) -> Report:
    rows = [(f"%deepseek {name} {c.form}".rstrip(), c.says) for name, c in COMMANDS.items()]
    return Report("", [("%deepseek", "what is set, what was spent"), *rows], remark=flag_help())


def _at_most_one(arguments: Sequence[str], command: str) -> str | None:
    if len(arguments) > 1:
        raise UsageProblem(f"%deepseek {command} takes one argument at most.")
    return arguments[0] if arguments else None


# The conversation's


@_command("", "the conversation, with its branches")
def _tree(arguments: Sequence[str]) -> Drawing | Report:
    no_arguments(arguments, "tree")
    if not len(_conversation()):
        return Report("The conversation has no turn yet.")
    return Drawing("\n".join(_conversation().tree_lines()))


@_command("[TURN] [--sent]", "a turn again, or what was sent")
def _show(arguments: Sequence[str]) -> Reply | Preview:
    conversation = _conversation()
    names = [word for word in arguments if word != "--sent"]
    if len(names) > 1:
        raise UsageProblem("show takes one turn, as %deepseek tree names it, and --sent.")
    named = conversation.find(names[0]) if names else conversation.tip
    turn = conversation.turn(named)
    if turn is None:
        raise UsageProblem("The conversation has no turn yet.")
    if "--sent" in arguments:
        if not turn.sent:
            raise UsageProblem("This turn was read from a file; nothing was sent for it from here.")
        return sent(get_session(), turn)
    return Reply(turn)


@_command("[N]", "take the newest turns off the branch")
def _undo(arguments: Sequence[str]) -> Report:
    count = arguments[0] if arguments else "1"
    if not count.isdigit() or len(arguments) > 1:
        raise UsageProblem("undo takes the number of turns, 1 without one.")
    left = _conversation().undo(int(count))
    return Report(f"{turns_in_words(len(left))} taken back; %deepseek tree still shows them.")


@_command("TURN NAME", "begin a branch at a turn")
def _fork(arguments: Sequence[str]) -> Report:
    if len(arguments) != 2:
        raise UsageProblem("fork takes a turn (as %deepseek tree names it) and the branch's name.")
    _conversation().fork(*arguments)
    return _where()


@_command("NAME|TURN", "go on with another branch")
def _checkout(arguments: Sequence[str]) -> Report:
    if len(arguments) != 1:
        raise UsageProblem("checkout takes the name of a branch or of a turn.")
    _conversation().checkout(arguments[0])
    return _where()


@_command("TURN TURN", "how two turns differ")
def _diff(arguments: Sequence[str]) -> Drawing:
    from deepseek_jupyter.conversation.drawing import diff_text

    if len(arguments) != 2:
        raise UsageProblem("diff takes two turns, as %deepseek tree names them.")
    return Drawing(diff_text(_conversation().diff(*arguments)))


@_command("WORDS", "find turns of this conversation")
def _search(arguments: Sequence[str]) -> Report:
    if not arguments:
        raise UsageProblem("search takes the words to look for.")
    found = _conversation().search(" ".join(arguments))
    rows = [(hit.turn[-6:], hit.field, " ".join(hit.snippet.split())) for hit in found]
    return Report(f"{len(rows)} found", rows, ("turn", "in", "") if rows else ())


@_command("FILE", "write .md, .html, .json or .ipynb")
def _export(arguments: Sequence[str]) -> Report:
    if len(arguments) != 1 or Path(arguments[0]).suffix not in ENDINGS:
        raise UsageProblem(f"export takes a file name that ends in {', '.join(ENDINGS)}.")
    path = Path(arguments[0]).expanduser()
    write_export(_conversation(), path)
    return Report(f"Written: {path}")


@_command("[journal]", "send along turns that are not from here")
def _trust(arguments: Sequence[str]) -> Report:
    """Take along the file's turns that are not from here; `journal`: what the file lacks."""
    what = _at_most_one(arguments, "trust")
    if what not in (None, "journal"):
        raise UsageProblem(f"trust takes journal or nothing.{suggestion(str(what), ['journal'])}")
    memory = get_session().memory
    count = memory.trust_journal() if what else memory.trust()
    if not count:
        return Report("There is nothing to take along.")
    return Report(f"{turns_in_words(count)} taken along; the next question sends this branch.")


def _conversation() -> Conversation:
    return get_session().conversation


def _where() -> Report:
    conversation = _conversation()
    turns = turns_in_words(len(conversation.way()))
    return Report(f"On branch {conversation.active}, {turns}.")


# About cells

_VERBS = ("accept", "reject", "revert")


def _cell_command(kind: str, line: str, cell_id: str | None) -> Proposal | Reply | Preview:
    """Ask for a change and show it, or decide on the one that was offered."""
    words = line.split()
    if words and words[0] in _VERBS and kind not in ("explain", "test"):  # those change no cell
        return _decide(words[0], words[1:])
    from deepseek_jupyter.display.frontend import current_cell, user_namespace
    from deepseek_jupyter.display.surfaces import surface
    from deepseek_jupyter.fixing import fix as fixes

    session = get_session()
    command = parse_line(line, cell_id)
    target, wish = _target(kind, command.question.prompt)
    question = replace(command.question, prompt=wish)
    if question.dry_run:
        return fixes.preview(session, kind, question, target)
    quiet = command.quiet or session.config.quiet
    on = surface(False if quiet else None)
    proposal = fixes.propose(session, kind, question, target=target, on=on)
    proposal.reply.shown_in = current_cell()
    if command.out:
        user_namespace()[command.out] = proposal.reply
    return proposal.reply if kind in ("explain", "test") else proposal


def _decide(verb: str, arguments: Sequence[str]) -> Proposal:
    from deepseek_jupyter.fixing.fix import accept, reject, revert

    run = "--run" in arguments
    turns = [word for word in arguments if word != "--run"]
    if len(turns) > 1 or (run and verb != "accept"):
        raise UsageProblem(f"{verb} takes {'--run' if verb == 'accept' else 'nothing'} at most.")
    turn = turns[0] if turns else None
    if verb == "accept":
        return accept(get_session(), turn, run=run)
    return (reject if verb == "reject" else revert)(get_session(), turn)


def _target(kind: str, words: str) -> tuple[str, str]:
    """The cell or name that the words begin with, and the rest."""
    first, _, rest = words.partition(" ")
    if kind == "fix" or not first:
        return "", words
    from deepseek_jupyter.fixing.cell_runs import find

    try:
        find(first)
    except CellError:
        if not rest:
            raise
        return "", words  # a wish, not a cell
    return first, rest.strip()


_OF_CELLS = {
    "fix": ("[FLAGS] [WORDS] | accept [--run] | reject | revert", "repair the last error"),
    "explain": ("[CELL|NAME]", "what a cell or function does"),
    "doc": ("[CELL|NAME]", "docstrings and comments, as a change to accept"),
    "test": ("[CELL|NAME]", "tests in a new cell"),
    "optimize": ("[CELL|NAME]", "faster code with equal results, as a change to accept"),
}

for _kind, (_form, _says) in _OF_CELLS.items():
    COMMANDS[_kind] = LineCommand(partial(_cell_command, _kind), _form, _says, asks=True)
