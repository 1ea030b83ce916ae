"""Families of rows: a table each on the terminal, and all of them in `results.md`.

    python benchmarks/bench.py                 # all of them
    python benchmarks/bench.py peers stop      # these; the others keep the rows of their last run

A family is a file ``bench_NAME.py`` with a `TITLE` and a function `rows`. A figure out of its bound
is said (NOT MET), never failed; the exit status tells only whether something broke.
"""

from __future__ import annotations

import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from chart import draw
from rows import Row, keep, kept, machine, skipped, text_table, write_results

# The order of the page; a family that is not named here comes after these.
ORDER = ("load", "stream", "display", "stop", "safe", "card", "journal", "browser", "lab", "local")
LAST = ("peers", "cost", "pages")


def families() -> list[str]:
    """The names of all families, in order."""
    found = {path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")}
    middle = sorted(found - {*ORDER, *LAST})
    return [name for name in (*ORDER, *middle, *LAST) if name in found]


def main(chosen: list[str]) -> int:
    """Run those families, all without a name; returns how many broke."""
    known = families()
    if unknown := set(chosen) - set(known):
        print(f"There is no family {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
        return 2
    print("\n".join(machine()))
    broken = sum(not _run(family) for family in known if not chosen or family in chosen)
    everything = kept(known)
    every = [row for _, rows in everything.values() for row in rows]
    draw(every)
    write_results(everything)
    missed = sum(row.verdict == "NOT MET" for row in every)
    for row in every:
        if row.lost and not row.reason:
            print(f"no reason is given for: {row.claim}")
    print(f"\n{missed} not met, {broken} broke; written to benchmarks/results.md")
    return broken


def _run(family: str) -> bool:
    module = import_module(f"bench_{family}")
    began = time.monotonic()
    found: list[Row]
    try:
        found = module.rows()
    except Exception as error:
        traceback.print_exc()
        found = [skipped(module.TITLE, f"broke: {type(error).__name__}")]
        whole = False
    else:
        whole = True
    keep(family, module.TITLE, found)
    print(f"\n{module.TITLE} ({time.monotonic() - began:.0f} s)\n{text_table(found)}", flush=True)
    return whole


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
