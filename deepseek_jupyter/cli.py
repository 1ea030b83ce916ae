"""The ``deepseek-jupyter`` command: enable, disable, local, doctor, export, prune, replay."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ._version import __version__
from .errors import DeepSeekError

_STARTUP = "50-deepseek-jupyter.py"
_STARTUP_CODE = """\
# Written by `deepseek-jupyter enable`; `deepseek-jupyter disable` removes it.
try:
    get_ipython().run_line_magic("load_ext", "deepseek_jupyter")
except ImportError:  # another environment, without the package
    pass
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, or 1 after an error or a finding of the doctor's."""
    options = parser().parse_args(arguments)
    try:
        text, status = _run(options)
        print(text)
        return status
    except DeepSeekError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("deepseek-jupyter", description="DeepSeek in notebooks.")
    made.add_argument("--version", action="version", version=__version__)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, says in (
        ("enable", "make IPython and every kernel load the extension by itself"),
        ("disable", "take that back"),
    ):
        command = commands.add_parser(name, help=says)
        command.add_argument("--profile", default="default", help="IPython profile")
    commands.add_parser("doctor", help="check this installation")
    local = commands.add_parser("local", help="the embedded model")
    local.add_argument("verb", choices=("install", "status", "remove"))
    local.add_argument("model", nargs="?", help="a model id, or a GGUF file to install")
    export = commands.add_parser("export", help="write a notebook's conversation to a file")
    export.add_argument("notebook", type=Path, help="an .ipynb file")
    export.add_argument(
        "file",
        type=Path,
        nargs="?",
        help="ends in .md, .html, .json or .ipynb; default: NAME-conversation.md",
    )
    prune = commands.add_parser("prune", help="delete old turns from the journal for good")
    prune.add_argument("--keep-days", type=float, metavar="N", help="delete what is older")
    prune.add_argument("--max-mb", type=float, metavar="N", help="delete the oldest beyond this")
    replay = commands.add_parser("replay", help="run a notebook from a recording; fails on a miss")
    replay.add_argument("notebook", type=Path, help="an .ipynb file")
    replay.add_argument("--pack", type=Path, required=True, metavar="FILE", help="a .dsrec file")
    replay.add_argument("--yes", action="store_true", help="use a recording that is not from here")
    replay.add_argument(
        "--out", type=Path, metavar="FILE", help="write the executed notebook there"
    )
    return made


def _run(options: argparse.Namespace) -> tuple[str, int]:
    """What to print, and the exit status."""
    if options.command == "local":
        from .magics.reports import local_model

        return str(local_model(options.verb, options.model)), 0
    if options.command == "doctor":
        from .api import get_session
        from .magics.doctor import ALL_WELL, doctor

        report = doctor(get_session())
        return str(report), 0 if report.remark == ALL_WELL else 1
    if options.command == "export":
        return _export(options.notebook, options.file), 0
    if options.command == "prune":
        return _prune(options.keep_days, options.max_mb), 0
    if options.command == "replay":
        return _replay(options)
    from IPython.paths import get_ipython_dir

    # IPython runs every file in a profile's startup folder, in terminals and in kernels.
    startup = Path(get_ipython_dir()) / f"profile_{options.profile}" / "startup" / _STARTUP
    if options.command == "enable":
        startup.parent.mkdir(parents=True, exist_ok=True)
        startup.write_text(_STARTUP_CODE, "utf-8")
        return f"Enabled: {startup}", 0
    existed = startup.exists()
    startup.unlink(missing_ok=True)
    return (f"Disabled: {startup} is gone." if existed else "It was not enabled."), 0


def _export(notebook: Path, file: Path | None) -> str:
    import json

    from .conversation.exports import all_turns, conversation_of_file, write_export
    from .magics.origins import origins

    target = file or notebook.with_name(f"{notebook.stem}-conversation.md")
    found = conversation_of_file(notebook)
    cells = json.loads(notebook.read_text("utf-8")).get("cells")
    of_cells = origins(cells, all_turns(found))
    write_export(found, target, cells=of_cells)
    return "\n".join([f"Written: {target}", *of_cells])


def _replay(options: argparse.Namespace) -> tuple[str, int]:
    import json

    from .api import get_session
    from .conversation.recording import read_recording
    from .errors import ReplayError
    from .magics.rehearsal import play

    found = read_recording(options.pack)
    if not (options.yes or get_session().recordings.is_trusted(found)):
        raise ReplayError(
            f"{options.pack} was not made here: {found}.", "--yes says that it may answer."
        )
    content, problems = play(options.notebook, found)
    if options.out:
        try:
            options.out.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
        except OSError as why:
            said = f"{options.out} cannot be written: {why.strerror}."
            raise ReplayError(said, "Name a file in another folder.") from None
    told = f"{options.notebook} ran from {options.pack} ({found}); nothing was sent."
    return "\n".join(problems or [told]), 1 if problems else 0


def _prune(keep_days: float | None, megabytes: float | None) -> str:
    from .conversation.journal import Journal

    journal = Journal.open()
    if keep_days is None and megabytes is None:
        return f"The journal takes {journal.size() / 1e6:.1f} MB: {journal.path}"
    pruned = journal.prune(keep_days, None if megabytes is None else int(megabytes * 1e6))
    return (
        f"{pruned.turns} turns deleted; "
        f"{pruned.before / 1e6:.1f} MB before, {pruned.after / 1e6:.1f} MB now."
    )
