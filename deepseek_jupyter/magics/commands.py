"""``%deepseek COMMAND``: each command is one function, which `_command` puts into `COMMANDS`."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError

from deepseek_jupyter.api import get_session
from deepseek_jupyter.asking.consent import typed
from deepseek_jupyter.asking.notebook_cells import raw_cells
from deepseek_jupyter.asking.preview import Preview, drawn, preview
from deepseek_jupyter.asking.preview import sent as preview_sent
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.conversation.exports import ENDINGS, all_turns, write_export
from deepseek_jupyter.conversation.turn import steps
from deepseek_jupyter.display.report import Changes, Drawing, Folds, Report, tell
from deepseek_jupyter.errors import CellError, counted, did_you_mean
from deepseek_jupyter.protocol.parameters import STANDARD, parse_value
from deepseek_jupyter.session.accounts import WAYS, usage
from deepseek_jupyter.words import said

from . import reports
from .arguments import flag_help, parse_line, split
from .origins import origins

if TYPE_CHECKING:
    from deepseek_jupyter.fixing.fix import Proposal
    from deepseek_jupyter.session.session import Session


@dataclass(frozen=True, slots=True)
class LineCommand:
    """A command, the form of its arguments, and what it does in one line.

    `call` takes the session and the words of the line; its keyword-only parameters are flags, with
    a value where their default is a text. One that `asks` the model is given the line as it was
    written, and the id of the asking cell.
    """

    call: Callable[..., Any]
    form: str
    says: str
    asks: bool = False

    def run(self, name: str, words: list[str]) -> Any:
        """Carry it out. Raises `UsageError` for words that do not have its form."""
        takes = signature(self.call)
        own = [p for p in takes.parameters.values() if p.kind is p.KEYWORD_ONLY]
        flags = {f"--{p.name.rstrip('_').replace('_', '-')}": p for p in own}
        given: dict[str, Any] = {}
        rest, left = list[str](), iter(words)
        for word in left:
            if word in flags:
                flag = flags[word]
                given[flag.name] = next(left, "?") if flag.default == "" else True
            else:
                rest.append(word)
        try:
            bound = takes.bind(get_session(), *rest, **given)
        except TypeError:
            form = f"%deepseek {name} {self.form}".rstrip()
            names = " %deepseek tree names the turns." if "TURN" in form else ""
            raise UsageError(f"Write it as {form}: {self.says}.{names}") from None
        return self.call(*bound.args, **bound.kwargs)


COMMANDS: dict[str, LineCommand] = {}

Call = TypeVar("Call", bound=Callable[..., Any])


def _command(form: str, says: str) -> Callable[[Call], Call]:
    """Make a function a command under its own name."""

    def add(call: Call) -> Call:
        COMMANDS[call.__name__.removeprefix("_")] = LineCommand(call, form, says)
        return call

    return add


def run(line: str, cell_id: Callable[[], str | None] = lambda: None) -> Any:
    """Carry out ``%deepseek LINE``. Raises `UsageError` for an unknown command."""
    first, _, rest = line.strip().partition(" ")
    if first in COMMANDS and COMMANDS[first].asks:
        return COMMANDS[first].call(rest, cell_id())
    words = split(line)
    if not words:
        return reports.status(get_session())
    name = words[0]
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS) or "%deepseek help lists the commands."
        raise UsageError(f"There is no command {name!r}. {hint}")
    return COMMANDS[name].run(name, words[1:])


def _refused(what: str, word: str, known: Iterable[str]) -> UsageError:
    return UsageError(f"{what} {did_you_mean(word, known)}".rstrip())


# The session's


_command("[PROVIDER]", "the model ids that the provider lists")(reports.models)
_command("[PROVIDER]", "what --param takes there: range, default, meaning")(reports.parameters)


@_command("", "what models cost, per million tokens, and whether it is peak time")
def _price(session: Session) -> Report:
    from deepseek_jupyter.session.accounts import price_list

    return price_list(session)


_command("[PROVIDER]", "what is left on the account")(reports.balance)


@_command(f"[{'|'.join(WAYS)}]", "tokens and cost by one of these, or of this session")
def _usage(session: Session, by: str | None = None) -> Report:
    if by is not None and by not in WAYS:
        raise _refused(f"usage takes {', '.join(WAYS)}.", by, WAYS)
    return usage(session, by)  # type: ignore[arg-type]


@_command("[NAME=VALUE]", "show or change settings")
def _config(session: Session, *items: str) -> Report | None:
    from deepseek_jupyter.nested import enable_nested, nested_state

    config = session.config
    if not items:
        helps = {name: trait.help for name, trait in config.traits(config=True).items()}
        rows = [(name, repr(value), helps[name]) for name, value in config.items().items()]
        rows.append(("nested", nested_state(), "on lets asyncio.run() work inside cells."))
        heads = ("name", "value", "meaning")
        return Report("Settings", rows, heads, "%deepseek config name=value", 2)
    for item in items:
        name, equals, text = item.partition("=")
        if name in ("nested", "nest_asyncio"):
            if text.lower() not in ("on", "true", "1"):
                raise UsageError("nested can only be switched on; restarting switches it off.")
            enable_nested()
        elif not equals or name not in config.items():
            hint = did_you_mean(name, [*config.items(), "nested"])
            if name in STANDARD:
                hint = "It is a parameter: %config DeepSeek.parameters sets it."
            what = f"Settings are written name=value; there is no {name!r}. {hint}"
            raise UsageError(what.rstrip())
        else:
            _set(config, name, text)
    return None


def _set(config: DeepSeek, name: str, text: str) -> None:
    from traitlets import TraitError

    value: Any = text
    if not isinstance(getattr(config, name), str):
        value = parse_value(text)
    try:
        setattr(config, name, value)
    except TraitError as error:
        raise UsageError(str(error).split("\n")[0]) from None


@_command("[NAME]", "list providers, or choose one")
def _provider(session: Session, name: str | None = None) -> Report:
    if name is not None:
        session.endpoints.choose(name)
    return reports.providers(session)


@_command("[PROVIDER] [--forget]", "store a key, typed hidden")
def _login(session: Session, name: str = "", *, forget: bool = False) -> Report:
    from deepseek_jupyter.transport.keys import forget_key, store_key

    if name.startswith(("sk-", "sk_")):
        raise UsageError("Never type a key into a cell: %deepseek login asks for it, hidden.")
    profile = session.endpoints.profile(name)
    name = profile.name
    if forget:
        found = forget_key(profile)
        return Report(f"The key for {name} is {'gone' if found else 'not stored'}.")
    try:
        key = getpass.getpass(said(f"API key for {name} (hidden): "))
    except Exception as error:  # ipykernel's StdinNotImplementedError, EOFError without a terminal
        raise UsageError(
            f"A key cannot be typed here ({error}); set the provider's key variable instead."
        ) from None
    if not key.strip():
        return Report("Nothing was typed; nothing is changed.")
    return Report(f"The key for {name} is in {store_key(profile, key)}.")


@_command("install|status|remove [MODEL]", "the embedded model")
def _local(session: Session, verb: str = "status", model: str | None = None) -> Report:
    if verb not in reports.LOCAL_VERBS:
        raise _refused("local takes install, status or remove.", verb, reports.LOCAL_VERBS)
    return reports.local_model(verb, model)


@_command("", "begin a new conversation")
def _reset(session: Session) -> Report:
    turns = len(session.conversation.way())
    session.conversation.reset()
    return Report(f"A new conversation begins; the last one had {counted(turns, 'turn')}.")


@_command("[--forget]", "check this installation and say what to fix")
def _doctor(session: Session, *, forget: bool = False) -> Report:
    from . import doctor

    return doctor.forget() if forget else doctor.doctor(session)


@_command("", "this list, and the flags of %%deepseek")
def _help(session: Session) -> Report:
    rows = [(f"%deepseek {name} {c.form}".rstrip(), c.says) for name, c in COMMANDS.items()]
    return Report("", [("%deepseek", "what is set, what was spent"), *rows], remark=flag_help())


# The conversation's


@_command("", "the conversation, with its branches")
def _tree(session: Session) -> Drawing | Report:
    if not len(session.conversation):
        return Report("The conversation has no turn yet.")
    return Drawing("\n".join(session.conversation.tree_lines()))


@_command(
    "[TURN] [--thinking | --sent | --as curl|python|openai]",
    "a turn again, its thinking in steps, what was sent, or as code",
)
def _show(
    session: Session, name: str = "", *, thinking: bool = False, sent: bool = False, as_: str = ""
) -> Reply | Preview | Drawing | Folds:
    if as_ and name.startswith("drawn-"):  # a dry run's button; its bytes are built once more
        return preview(session, drawn(name.removeprefix("drawn-"))).as_code(as_)
    conversation = session.conversation
    turn = conversation.look_up(name) if name else conversation.turn(conversation.tip)
    if turn is None:
        raise UsageError("The conversation has no turn yet.")
    if thinking:
        seen = turn.seen()
        thoughts = [*(step.reasoning for step in seen.steps), seen.reasoning]
        if found := [step for text in thoughts if text for step in steps(text)]:
            return Folds(found)
        raise UsageError("This turn has no thinking to show.")
    if sent or as_:
        if not turn.sent:
            raise UsageError("This turn was read from a file; nothing was sent for it from here.")
        gone_out = preview_sent(session, turn)
        return gone_out.as_code(as_) if as_ else gone_out
    return Reply(turn)


@_command("[N]", "take back the newest turns of the branch")
def _undo(session: Session, count: str = "1") -> Report:
    if not count.isdecimal():
        raise UsageError("undo takes the number of turns, 1 without one.")
    left = session.conversation.undo(int(count))
    if not left:
        raise UsageError("There is no turn to take back.")
    return Report(f"{counted(len(left), 'turn')} taken back; still in %deepseek tree.")


@_command("TURN NAME", "begin a branch at a turn")
def _fork(session: Session, turn: str, name: str) -> Report:
    session.conversation.fork(turn, name)
    return _where(session)


@_command("NAME|TURN", "go on with another branch")
def _checkout(session: Session, name: str) -> Report:
    session.conversation.checkout(name)
    return _where(session)


@_command("TURN TURN", "how two turns differ")
def _diff(session: Session, one: str, other: str) -> Changes:
    return Changes(session.conversation.diff(one, other))


@_command("WORDS", "find turns of this conversation")
def _search(session: Session, first: str, *words: str) -> Report:
    found = session.conversation.search(" ".join((first, *words)))
    rows = [(hit.turn[-6:], hit.field, " ".join(hit.snippet.split())) for hit in found]
    return Report(f"{len(rows)} found", rows, ("turn", "in", "") if rows else (), quoted=3)


@_command("FILE [--audit]", "write .md, .html, .json, .ipynb, or .jsonl as training data or audit")
def _export(session: Session, file: str, *, audit: bool = False) -> Report:
    path = Path(file).expanduser()
    if path.suffix not in ENDINGS or (audit and path.suffix != ".jsonl"):
        endings = ".jsonl with --audit" if audit else ", ".join(ENDINGS)
        raise UsageError(f"export takes a file name that ends in {endings}.")
    of_cells = origins(raw_cells(), all_turns(session.conversation))
    write_export(session.conversation, path, audit=audit, cells=of_cells)
    sent = "It holds what was sent, cards of attached data too." if path.suffix == ".jsonl" else ""
    return Report(f"Written: {path}", remark="\n".join([sent, *of_cells]).strip())


@_command(
    "FILE.dsrec [--with-prompts]", "write the notebook's kept answers, for a replay elsewhere"
)
def _pack(session: Session, file: str, *, with_prompts: bool = False) -> Report:
    from deepseek_jupyter.conversation.recording import write_recording

    path = Path(file).expanduser()
    if path.suffix != ".dsrec":
        raise UsageError("pack takes a file name that ends in .dsrec.")
    found = write_recording(path, *session.recordings.kept(), prompts=with_prompts)
    session.recordings.trust(found)
    prompts = "Prompts are in it." if with_prompts else "Prompts are not in it."
    held = f"{found}. Thinking and results of tool calls are in it. {prompts}"
    return Report(f"Written: {path}", remark=held)


@_command("FILE.dsrec", "let a recording answer, after a yes where it was not made here")
def _unpack(session: Session, file: str) -> Report:
    from deepseek_jupyter.conversation.recording import read_recording

    path = Path(file).expanduser()
    found = read_recording(path)
    if not session.recordings.is_trusted(found):
        tell(f"{path} was not made here: {found}. What it says becomes part of the conversation.")
        if typed("Use it? [y]es, [n]o: ") != "yes":
            return Report(f"{path} is not used.")
        session.recordings.trust(found)
    config = session.config
    config.recordings = [*config.recordings, str(path)]
    config.replay = "auto" if config.replay == "never" else config.replay
    return Report(f"{path} answers now: {found}.")


@_command("", "which cells have a kept answer, and why others have none")
def _rehearse(session: Session) -> Report:
    from .rehearsal import rehearse

    return rehearse(session)


@_command("[journal]", "use turns that came with the file and were not asked here")
def _trust(session: Session, what: str | None = None) -> Report:
    """Take along the file's turns that are not from here; `journal`: what the file lacks."""
    if what not in (None, "journal"):
        raise _refused("trust takes journal or nothing.", str(what), ["journal"])
    count = session.memory.trust_journal() if what else session.memory.trust()
    if not count:
        return Report("No turns are waiting to be used.")
    return Report(f"{counted(count, 'turn')} taken along; the next question sends this branch.")


def _where(session: Session) -> Report:
    turns = counted(len(session.conversation.way()), "turn")
    return Report(f"On branch {session.conversation.active}, {turns}.")


# About cells

_VERBS = {
    "accept": ("[TURN] [--run]", "apply the change, and run the cells"),
    "reject": ("[TURN]", "drop the change"),
    "revert": ("[TURN]", "take an accepted change back"),
}


@_command("[ID]", "ask what a dry run showed; without an id the newest one")
def _send(session: Session, id: str = "") -> Reply:
    from deepseek_jupyter.asking.ask import ask
    from deepseek_jupyter.display.frontend import current_cell
    from deepseek_jupyter.display.surfaces import surface

    reply = ask(session, drawn(id), surface(False if session.config.quiet else None))
    reply.shown_in = current_cell()
    return reply


def _cell_command(kind: str, line: str, cell_id: str | None) -> Proposal | Reply | Preview:
    """Ask for a change and show it, or decide on the one that was offered."""
    from deepseek_jupyter.display.frontend import user_namespace
    from deepseek_jupyter.display.surfaces import surface
    from deepseek_jupyter.fixing import fix as fixes

    session, words = get_session(), line.split()
    if words and words[0] in _VERBS and kind not in ("explain", "test"):  # those change no cell
        form, says = _VERBS[words[0]]
        verb = LineCommand(getattr(fixes, words[0]), form, says)
        proposal: Proposal = verb.run(f"{kind} {words[0]}", words[1:])
        return proposal
    command = parse_line(line, cell_id)
    target, wish = _target(kind, command.question.prompt)
    question = replace(command.question, prompt=wish)
    if question.dry_run:
        return fixes.preview(session, kind, question, target)
    quiet = command.quiet or session.config.quiet
    on = surface(False if quiet else None)
    proposal = fixes.propose(session, kind, question, target=target, on=on)
    if command.out:
        user_namespace()[command.out] = proposal.reply
    return proposal.reply if kind in ("explain", "test") else proposal


def _target(kind: str, words: str) -> tuple[str, str]:
    """The cell or name that the words begin with, and the rest."""
    first, _, rest = words.partition(" ")
    if kind == "fix" or not first:
        return "", words
    from deepseek_jupyter.fixing.fix import find

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
