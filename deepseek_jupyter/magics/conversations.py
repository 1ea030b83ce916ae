"""The conversation's commands: ``%deepseek tree``, ``show``, ``undo``, ``fork`` and the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepseek_jupyter.api import get_session
from deepseek_jupyter.asking.preview import Preview, sent
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.conversation.exports import ENDINGS, write_export
from deepseek_jupyter.display.report import Drawing, Report
from deepseek_jupyter.reports.reports import turns_in_words

from .arguments import UsageProblem, no_arguments

if TYPE_CHECKING:
    from deepseek_jupyter.conversation.conversation import Conversation

__all__ = ["checkout", "diff", "export", "fork", "search", "show", "tree", "undo"]


def tree(arguments: Sequence[str]) -> Drawing | Report:
    """The whole tree; the turns of the active branch are marked."""
    no_arguments(arguments, "tree")
    conversation = _conversation()
    if not len(conversation):
        return Report("The conversation has no turn yet.")
    return Drawing("\n".join(conversation.tree_lines()))


def show(arguments: Sequence[str]) -> Reply | Preview:
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


def undo(arguments: Sequence[str]) -> Report:
    """Take the newest turns off the branch; they stay in the tree."""
    count = arguments[0] if arguments else "1"
    if not count.isdigit() or len(arguments) > 1:
        raise UsageProblem("undo takes the number of turns, 1 without one.")
    left = _conversation().undo(int(count))
    return Report(f"{turns_in_words(len(left))} taken back; %deepseek tree still shows them.")


def fork(arguments: Sequence[str]) -> Report:
    """Begin a branch at a turn and go on with it."""
    if len(arguments) != 2:
        raise UsageProblem("fork takes a turn (as %deepseek tree names it) and the branch's name.")
    _conversation().fork(*arguments)
    return _where()


def checkout(arguments: Sequence[str]) -> Report:
    """Go on with another branch, or from another turn."""
    if len(arguments) != 1:
        raise UsageProblem("checkout takes the name of a branch or of a turn.")
    _conversation().checkout(arguments[0])
    return _where()


def diff(arguments: Sequence[str]) -> Drawing:
    """How two turns differ, prompt and answer, line by line."""
    from deepseek_jupyter.conversation.drawing import diff_text

    if len(arguments) != 2:
        raise UsageProblem("diff takes two turns, as %deepseek tree names them.")
    return Drawing(diff_text(_conversation().diff(*arguments)))


def search(arguments: Sequence[str]) -> Report:
    """Turns that hold every word, in prompt, answer or thinking; the newest first."""
    if not arguments:
        raise UsageProblem("search takes the words to look for.")
    found = _conversation().search(" ".join(arguments))
    rows = [(hit.turn[-6:], hit.field, " ".join(hit.snippet.split())) for hit in found]
    return Report(f"{len(rows)} found", rows, ("turn", "in", "") if rows else ())


def export(arguments: Sequence[str]) -> Report:
    """Write the conversation to a file: .md, .html, .json or .ipynb by its ending."""
    if len(arguments) != 1 or Path(arguments[0]).suffix not in ENDINGS:
        raise UsageProblem(f"export takes a file name that ends in {', '.join(ENDINGS)}.")
    path = Path(arguments[0]).expanduser()
    write_export(_conversation(), path)
    return Report(f"Written: {path}")


def _conversation() -> Conversation:
    return get_session().conversation


def _where() -> Report:
    conversation = _conversation()
    turns = turns_in_words(len(conversation.way()))
    return Report(f"On branch {conversation.active}, {turns}.")
