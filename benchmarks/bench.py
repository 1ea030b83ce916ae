"""All families of rows: a table each on the terminal, and `results.md`.

A figure out of its bound is said (NOT MET), never failed; the exit status tells only whether
something broke.
"""

from __future__ import annotations

import sys
import time
import traceback

import bench_browser
import bench_display
import bench_lab
import bench_load
import bench_local
import bench_safe
import bench_stop
import bench_stream
from rows import Row, machine, skipped, text_table, write_results

FAMILIES = (
    bench_lab,
    bench_load,
    bench_stream,
    bench_display,
    bench_stop,
    bench_safe,
    bench_local,
    bench_browser,
)


def main() -> int:
    """Run everything; returns how many families broke."""
    about, broken = machine(), 0
    print("\n".join(about))
    results: dict[str, list[Row]] = {}
    for family in FAMILIES:
        began = time.monotonic()
        try:
            found = family.rows()
        except Exception as error:
            traceback.print_exc()
            broken += 1
            found = [skipped(family.TITLE, f"broke: {type(error).__name__}")]
        results[family.TITLE] = found
        print(
            f"\n{family.TITLE} ({time.monotonic() - began:.0f} s)\n{text_table(found)}", flush=True
        )
    write_results(results, about)
    missed = sum(row.verdict == "NOT MET" for found in results.values() for row in found)
    print(f"\n{missed} not met, {broken} broke; written to benchmarks/results.md")
    return broken


if __name__ == "__main__":
    sys.exit(main())
