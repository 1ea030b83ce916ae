"""The promises that are counts, and the tests that hold each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CASES", "COUNTS", "EXAMPLES", "Count"]

CASES = "cases"
EXAMPLES = "examples"  # of a hypothesis test


@dataclass(frozen=True, slots=True)
class Count:
    """One claim: which tests hold it, what of them is counted, and how much must be.

    `counted`: `CASES` that passed, `EXAMPLES` that passed, or a property that the tests record.
    `most`: the bound is an upper one, and holds for every recorded value.
    """

    claim: str
    bound: float
    unit: str
    tests: tuple[str, ...]
    counted: str = CASES
    most: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


_RECORDED = "test_recordings.py::test_a_"

COUNTS = [
    Count(
        "recorded replies over a socket, sync and async: read as their bytes say",
        500,
        "replies",
        (
            _RECORDED + "recording_reads_the_same_over_a_socket",
            _RECORDED + "recording_reads_the_same_from_a_running_loop",
        ),
    ),
    Count(
        "recorded streams cut at every byte, with comments and other line ends: the same",
        300,
        "streams",
        (
            _RECORDED + "stream_cut_at_every_byte_reads_the_same",
            _RECORDED + "stream_cut_at_random_reads_the_same",
            _RECORDED + "stream_with_comments_and_other_line_ends_reads_the_same",
        ),
    ),
    Count(
        "faults of a server: each ends in its own error or a marked part, and tells no key",
        17,
        "faults",
        ("transport/test_faults.py",),
    ),
    Count(
        "cells queued behind a streamed one: all run",
        3,
        "cells",
        ("kernel/test_running.py::test_three_queued_cells_run_after_a_streamed_one",),
        "queued",
    ),
    Count(
        "kill -9 while it streams: finished turns whole, the last one to its last checkpoint",
        200,
        "kills",
        (
            "conversation/test_journal_crash.py::test_a_killed_kernel_loses_nothing_that_was_"
            "finished_and_at_most_the_last_checkpoint",
        ),
        "kills",
        environment={"DEEPSEEK_TEST_KILLS": "200"},
    ),
    Count(
        "turns of four kernels at one journal: none lost, no lock error",
        10_000,
        "turns",
        ("conversation/test_journal_crash.py::test_four_processes_write_to_one_journal",),
        "turns",
        environment={"DEEPSEEK_TEST_TURNS": "10000"},
    ),
    Count(
        "turns of two kernels on one notebook: none lost, no lock error",
        2_000,
        "turns",
        ("conversation/test_journal_crash.py::test_two_kernels_of_one_notebook_lose_no_turn",),
        "turns",
        environment={"DEEPSEEK_TEST_TURNS": "2000"},
    ),
    Count(
        "requests about one frame whose every byte goes on from the one before",
        30,
        "turns",
        ("asking/test_prefix.py::test_thirty_turns_share_every_byte_of_their_prefix",),
        "turns",
    ),
    Count(
        "requests of a notebook that is run again with its answers pinned, server and key gone",
        0,
        "requests",
        ("asking/test_replay.py::test_it_needs_neither_server_nor_key",),
        "requests",
        most=True,
    ),
    Count(
        "generated frames under a policy: no byte of a protected value in a request",
        1000,
        "frames",
        ("asking/test_sentinels.py",),
        EXAMPLES,
        environment={"SENTINELS": "1000"},
    ),
    Count(
        "generated frames of 1 to 2,000 columns: the card's tokens of its budget",
        105,
        "%",
        ("context/test_frames.py::test_the_budget_is_kept_within_five_percent",),
        "percent",
        most=True,
    ),
    Count(
        "the same table in pandas and polars: the same bytes",
        10,
        "tables",
        ("context/test_frames.py::test_twins_have_the_same_bytes",),
    ),
    Count(
        "a lazy scan of 10 GB: rows read",
        1000,
        "rows",
        ("context/test_frames.py::test_a_lazy_scan_is_read_as_far_as_the_card_says",),
        "rows",
        most=True,
    ),
    Count(
        "dry runs that are the request, byte for byte",
        4,
        "requests",
        ("asking/test_attaching.py::test_the_dry_run_is_the_request_byte_for_byte",),
        "requests",
    ),
    Count(
        "generated models: accepted by DeepSeek's validator, and values come back whole",
        300,
        "models",
        ("tools/test_strict.py::test_three_hundred_models_are_accepted_and_lose_nothing",),
        "models",
    ),
    Count(
        "tries to get out of the sql tool: no file, no socket, each ended with an error",
        100,
        "tries",
        tuple(
            f"tools/test_escapes.py::test_{name}"
            for name in (
                "nothing_outside_can_be_reached",
                "nothing_but_one_query_runs",
                "the_machine_is_not_described",
                "nothing_takes_more_than_it_may",
            )
        ),
    ),
    Count(
        "classic errors of which %deepseek fix sends the cause along (of 20)",
        18,
        "errors",
        ("cells/test_classic_errors.py",),
    ),
    # In a browser.
    Count(
        "attacks in a card, in a plain output and in nbconvert's page: nothing ran, nothing left",
        1000,
        "attacks",
        (
            "browser/test_attacks.py::test_a_record_edited_by_hand_does_no_harm",
            "browser/test_attacks.py::test_attacks_split_across_deltas_do_no_harm",
            "browser/test_live.py::test_no_attack_succeeds_in_a_cell_just_run",
            "browser/test_live.py::test_no_attack_succeeds_in_nbconverts_html",
        ),
        "attacks",
    ),
    Count(
        "panel, side bar and card in light, dark and high contrast: serious findings of axe-core",
        0,
        "findings",
        ("browser/test_accessible.py::test_axe_finds_nothing_serious_in_panel_and_card",),
        "serious",
        most=True,
    ),
    Count(
        "ghost text that is of no use any more: closed at the server",
        5,
        "requests",
        (
            "browser/test_ghost.py::test_what_is_of_no_use_any_more_is_closed_at_the_server",
            "browser/test_ghost.py::test_one_that_has_not_answered_is_closed_too",
        ),
    ),
    Count(
        "ghost text while it is off: requests",
        0,
        "requests",
        ("browser/test_ghost.py::test_nothing_is_asked_while_it_is_off",),
        "requests",
        most=True,
    ),
]
