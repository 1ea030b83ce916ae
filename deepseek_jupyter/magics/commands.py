"""``%deepseek COMMAND``: each command is one function and one line in `COMMANDS`."""

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
from deepseek_jupyter.display.progress import Progress
from deepseek_jupyter.display.report import Drawing, Report
from deepseek_jupyter.errors import CellError
from deepseek_jupyter.protocol.parameters import parse_value
from deepseek_jupyter.session.accounts import WAYS, usage

from .arguments import UsageProblem, flag_help, no_arguments, parse_line, suggestion
from .reports import balance, models, providers, status, turns_in_words

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
            f"A key cannot be typed here ({error}); set the provider's key variable instead."
        ) from None
    if not key.strip():
        return Report("Nothing was typed; nothing is changed.")
    return Report(f"The key for {name} is in {endpoints.store_key(name, key)}.")


def _local(arguments: Sequence[str]) -> Report:
    """``local [status|install|remove] [MODEL or file]``."""
    from .reports import install_local, local_status, remove_local

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
    from .doctor import doctor

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


# The conversation's


def _tree(arguments: Sequence[str]) -> Drawing | Report:
    """The whole tree; the turns of the active branch are marked."""
    no_arguments(arguments, "tree")
    conversation = _conversation()
    if not len(conversation):
        return Report("The conversation has no turn yet.")
    return Drawing("\n".join(conversation.tree_lines()))


def _show(arguments: Sequence[str]) -> Reply | Preview:
    """One turn again, the newest without a name; ``--sent``: what went out for it."""
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


def _undo(arguments: Sequence[str]) -> Report:
    """Take the newest turns off the branch; they stay in the tree."""
    count = arguments[0] if arguments else "1"
    if not count.isdigit() or len(arguments) > 1:
        raise UsageProblem("undo takes the number of turns, 1 without one.")
    left = _conversation().undo(int(count))
    return Report(f"{turns_in_words(len(left))} taken back; %deepseek tree still shows them.")


def _fork(arguments: Sequence[str]) -> Report:
    """Begin a branch at a turn and go on with it."""
    if len(arguments) != 2:
        raise UsageProblem("fork takes a turn (as %deepseek tree names it) and the branch's name.")
    _conversation().fork(*arguments)
    return _where()


def _checkout(arguments: Sequence[str]) -> Report:
    """Go on with another branch, or from another turn."""
    if len(arguments) != 1:
        raise UsageProblem("checkout takes the name of a branch or of a turn.")
    _conversation().checkout(arguments[0])
    return _where()


def _diff(arguments: Sequence[str]) -> Drawing:
    """How two turns differ, prompt and answer, line by line."""
    from deepseek_jupyter.conversation.drawing import diff_text

    if len(arguments) != 2:
        raise UsageProblem("diff takes two turns, as %deepseek tree names them.")
    return Drawing(diff_text(_conversation().diff(*arguments)))


def _search(arguments: Sequence[str]) -> Report:
    """Turns that hold every word, in prompt, answer or thinking; the newest first."""
    if not arguments:
        raise UsageProblem("search takes the words to look for.")
    found = _conversation().search(" ".join(arguments))
    rows = [(hit.turn[-6:], hit.field, " ".join(hit.snippet.split())) for hit in found]
    return Report(f"{len(rows)} found", rows, ("turn", "in", "") if rows else ())


def _export(arguments: Sequence[str]) -> Report:
    """Write the conversation to a file: .md, .html, .json or .ipynb by its ending."""
    if len(arguments) != 1 or Path(arguments[0]).suffix not in ENDINGS:
        raise UsageProblem(f"export takes a file name that ends in {', '.join(ENDINGS)}.")
    path = Path(arguments[0]).expanduser()
    write_export(_conversation(), path)
    return Report(f"Written: {path}")


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
    from deepseek_jupyter.fixing import fix as fixes

    run = "--run" in arguments
    turns = [word for word in arguments if word != "--run"]
    if len(turns) > 1 or (run and verb != "accept"):
        raise UsageProblem(f"{verb} takes {'--run' if verb == 'accept' else 'nothing'} at most.")
    turn = turns[0] if turns else None
    session = get_session()
    if verb == "accept":
        return fixes.accept(session, turn, run=run)
    return fixes.reject(session, turn) if verb == "reject" else fixes.revert(session, turn)


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


COMMANDS: dict[str, LineCommand] = {
    "models": LineCommand(_models, "[PROVIDER]", "the model ids that the provider lists"),
    "balance": LineCommand(_balance, "[PROVIDER]", "what is left on the account"),
    "usage": LineCommand(
        _usage, f"[{'|'.join(WAYS)}]", "tokens and cost, of this session without one"
    ),
    **{
        kind: LineCommand(partial(_cell_command, kind), form, says, asks=True)
        for kind, (form, says) in _OF_CELLS.items()
    },
    "config": LineCommand(_config, "[NAME=VALUE]", "show or change settings"),
    "provider": LineCommand(_provider, "[NAME]", "list providers, or choose one"),
    "login": LineCommand(_login, "[PROVIDER] [--forget]", "store a key, typed hidden"),
    "local": LineCommand(_local, "install|status|remove [MODEL]", "the embedded model"),
    "tree": LineCommand(_tree, "", "the conversation, with its branches"),
    "show": LineCommand(_show, "[TURN] [--sent]", "a turn again, or what was sent"),
    "undo": LineCommand(_undo, "[N]", "take the newest turns off the branch"),
    "fork": LineCommand(_fork, "TURN NAME", "begin a branch at a turn"),
    "checkout": LineCommand(_checkout, "NAME|TURN", "go on with another branch"),
    "diff": LineCommand(_diff, "TURN TURN", "how two turns differ"),
    "search": LineCommand(_search, "WORDS", "find turns of this conversation"),
    "export": LineCommand(_export, "FILE", "write .md, .html, .json or .ipynb"),
    "trust": LineCommand(_trust, "[journal]", "send along turns that are not from here"),
    "reset": LineCommand(_reset, "", "begin a new conversation"),
    "doctor": LineCommand(_doctor, "", "check this installation and say what to fix"),
    "help": LineCommand(_help, "", "this list, and the flags of %%deepseek"),
}
