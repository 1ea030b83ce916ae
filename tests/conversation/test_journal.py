"""What is written is read back as it was; searching, accounts, upkeep."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from deepseek_jupyter.conversation.journal import Journal, default_path
from deepseek_jupyter.protocol.usage import Usage

from .turns import a_full_turn, a_turn, kept_turns


def test_a_turn_is_read_back_as_it_was_written(journal, path):
    turn = a_full_turn()
    journal.finish(turn)
    journal.close()
    assert Journal.open(path).turn(turn.id) == turn


@pytest.mark.parametrize(
    "forged",
    [
        *("x", {}, [], [{}], [[], [{"type": "thinking"}]], [[], [7, None, {"type": ["thinking"]}]]),
        *([[], [{"type": "thinking", "size": size, "signature": "s"}]] for size in (-1, 1.5, "3")),
        [[], [{"type": "thinking", "size": 3, "signature": {"role": "system"}}]],
        [[], [{"type": "reasoning", "size": 3, "id": "r" * 300_000}]],
    ],
)
def test_forged_signatures_are_left_out(journal, path, forged):
    turn = a_full_turn()
    journal.finish(turn)
    journal.close()
    with closing(sqlite3.connect(path)) as file, file:
        (text,) = file.execute("SELECT body FROM bodies").fetchone()
        body = {**json.loads(text), "step_details": forged, "reasoning_details": forged}
        file.execute("UPDATE bodies SET body = ?", (json.dumps(body),))
    found = Journal.open(path).turn(turn.id)
    assert found.reasoning_details == ()
    assert [step.reasoning_details for step in found.steps] == [(), ()]
    assert found.messages()


def test_the_hosts_own_cost_and_an_absent_chain_of_thought_are_kept(journal):
    turn = a_turn(usage=Usage(1, 2, 0, 0, Decimal("0.0100")), reasoning=None)
    journal.finish(turn)
    assert journal.turn(turn.id) == turn


def test_a_checkpoint_is_in_the_file_at_once(journal, path):
    turn = a_turn(status="answering", answer="Half of")
    journal.write_running(replace(turn, answer=""))
    journal.write_running(turn)
    other = Journal.open(path)
    assert other.turn(turn.id) == turn
    assert other.nodes("c") == []  # not yet part of the conversation


def test_a_turn_that_ends_is_one_turn(journal):
    turn = a_turn()
    for write in (journal.write_running, journal.write_running, journal.finish, journal.finish):
        write(turn)
    assert kept_turns(journal) == [turn]
    assert [hit.turn for hit in journal.search("answer")] == [turn.id]


def test_what_does_not_belong_to_the_memory_is_kept_but_not_in_the_tree(journal):
    forgotten, empty, kept = a_turn(history=False), a_turn(answer=""), a_turn()
    for turn in (forgotten, empty, kept):
        journal.finish(turn)
    assert kept_turns(journal) == [kept]
    assert journal.turn(forgotten.id) == forgotten
    assert sum(total.turns for total in journal.totals()) == 3


def test_the_file_is_for_its_owner_alone(journal, path):
    journal.finish(a_turn())
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(path):
    path.parent.mkdir()
    path.touch(mode=0o644)
    Journal.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_lies_in_the_state_directory(environment):
    assert default_path() == environment / "journal.sqlite3"


def test_threads_share_it(journal):
    def write():
        for _ in range(20):
            journal.finish(a_turn(conversation="threads"))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept_turns(journal, "threads")) == 80


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_has_a_connection_of_its_own(journal):
    before = a_turn("before")
    journal.finish(before)
    in_child = a_turn("in the child")
    child = os.fork()
    if child == 0:
        try:
            journal.finish(in_child)
            os._exit(0 if journal.turn(before.id) == before and not journal.trouble else 1)
        except BaseException:
            os._exit(2)
    after = a_turn("after")
    journal.finish(after)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert {turn.id for turn in kept_turns(journal)} == {before.id, in_child.id, after.id}


# Searching


def test_prompts_answers_and_thinking_are_searched_and_the_newest_comes_first(journal):
    turns = [a_turn("regression?"), a_turn(answer="a regression"), a_turn(reasoning="regress it")]
    for turn in turns:
        journal.finish(turn)
    hits = journal.search("regress")
    assert [hit.turn for hit in hits] == [turn.id for turn in reversed(turns)]
    assert [hit.field for hit in hits] == ["reasoning", "answer", "prompt"]
    assert hits[0].snippet == "«regress» it"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("线性", True),
        ("回归分", True),
        ("分归", False),
        ("naive", True),  # the text says naïve
        ('"mean value"', True),
        ('"value mean"', False),
        ("value mean", True),
        ("mean absent", False),
        ('AND OR NOT ( ) * " ^ :', False),
        ("\0", False),
        ("", False),
        ("C++", True),
    ],
)
def test_a_query_is_words_and_phrases_and_never_an_error(journal, query, found):
    journal.finish(a_turn(answer="The naïve mean value; 线性回归分析 in C++."))
    assert bool(journal.search(query)) is found


def test_a_search_can_be_of_one_conversation(journal):
    for name in ("a", "b"):
        journal.finish(a_turn("common", conversation=name))
    assert [hit.conversation for hit in journal.search("common", conversation="a")] == ["a"]
    assert len(journal.search("common", limit=1)) == 1


# Pinned answers


def test_a_pinned_answer_is_the_newest_whole_one(journal):
    old, new = a_turn("1", request_hash="h"), a_turn("2", request_hash="h")
    broken = a_turn("3", request_hash="h", status="interrupted")
    for turn in (old, new, broken):
        journal.finish(turn)
    journal.write_running(a_turn("4", request_hash="h", status="waiting", answer=""))
    assert journal.find_by_request("h") == new
    assert journal.find_by_request("other") is None


# Accounts


def test_totals_add_tokens_and_exact_money_by_whatever_is_asked(journal):
    usage = Usage(100, 20, 60, 10)
    cost = {"amount": "0.1", "currency": "USD"}
    first = a_turn(usage=usage, cost=cost, created="2026-01-01T12:00:00.000Z")
    second = a_turn(usage=usage, cost={"amount": "0.2", "currency": "USD"}, parent=first.id)
    yuan = a_turn(usage=usage, cost={"amount": "3", "currency": "CNY"}, served_model="r1")
    away = a_turn(usage=usage, cost=cost, from_file=True)
    for turn in (first, second, yuan, away):
        journal.finish(turn)
    journal.set_tip("c", "main", second.id)
    journal.set_conversation("c", "n")
    (total,) = journal.totals("conversation")
    assert total.turns == 3
    assert total.usage == Usage(300, 60, 180, 30)
    assert total.cost == {"USD": Decimal("0.3"), "CNY": Decimal(3)}
    assert [(t.key, t.turns) for t in journal.totals("notebook", notebook="n")] == [("n", 3)]
    assert [(t.key, t.turns) for t in journal.totals("branch", conversation="c")] == [("main", 2)]
    by_model = {t.key: t.turns for t in journal.totals("model")}
    assert by_model == {"deepseek:deepseek-chat": 2, "deepseek:r1": 1}
    assert [t.turns for t in journal.totals("day")] == [1, 2]
    assert [t.key for t in journal.totals("turn")] == [first.id, second.id, yuan.id]
    assert journal.totals("turn", conversation="nothing") == []


# Upkeep


def days_ago(days: float) -> str:
    moment = datetime.now(UTC) - timedelta(days=days)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_what_is_too_old_goes_and_cannot_be_read_from_the_file(journal, path):
    old, new = a_turn("an old SECRETWORD", created=days_ago(40)), a_turn("new")
    for turn in (old, new):
        journal.finish(turn)
    journal.set_tip("c", "past", old.id)
    journal.set_tip("c", "main", new.id)
    pruned = journal.prune(keep_days=30)
    assert pruned.turns == 1
    assert kept_turns(journal) == [new]
    assert journal.branches("c") == {"main": new.id}
    assert journal.search("secretword") == []
    journal.close()
    for file in path.parent.iterdir():
        assert b"secretword" not in file.read_bytes().lower(), file.name


def test_a_limit_of_bytes_lets_the_oldest_go(journal):
    turns = [a_turn(answer=f"{n} " + "word " * 2_000) for n in range(60)]
    for turn in turns:
        journal.finish(turn)
    half = journal.size() // 2
    pruned = journal.prune(max_bytes=half)
    assert pruned.after <= half * 1.1
    kept = kept_turns(journal)
    assert kept == turns[-len(kept) :]
    assert 20 <= len(kept) <= 40


def test_a_turn_being_written_is_never_pruned(journal):
    running = a_turn(created=days_ago(99), status="answering")
    journal.write_running(running)
    journal.prune(keep_days=1, max_bytes=0)
    assert journal.turn(running.id) == running


# Notebooks and branches


def test_conversations_of_a_notebook_the_newest_first(journal):
    journal.set_notebook("n", "/a/b.ipynb")
    for id in ("one", "two"):
        journal.set_conversation(id, "n")
        journal.finish(a_turn(conversation=id))
    journal.set_conversation("else", "m")
    assert [row.id for row in journal.conversations("n")] == ["two", "one"]
    assert {row.id for row in journal.conversations()} == {"one", "two", "else"}
    assert journal.notebook_of("one") == journal.notebook("n") == journal.notebook_at("/a/b.ipynb")
    assert journal.notebook("m") is None


def test_the_tip_moves_with_the_turn_or_not_at_all(journal):
    turn = a_turn()
    journal.finish(turn, "draft")
    assert journal.branches("c") == {"draft": turn.id}
    assert journal.active_branch("c") == "draft"
