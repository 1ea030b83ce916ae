"""Kill -9 at random moments, several processes at once: nothing is lost and nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time

import pytest

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal

from .turns import PIECE, a_turn, kept_turns

# 200 and 10,000 for the whole claims, as `make bench` runs them; fewer keep the tests quick.
KILLS = int(os.environ.get("DEEPSEEK_TEST_KILLS", "20"))
TURNS = int(os.environ.get("DEEPSEEK_TEST_TURNS", "100"))

WHOLE = PIECE * 8


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
@pytest.mark.timeout(60 + 2 * KILLS)
@pytest.mark.slow
def test_a_killed_kernel_loses_nothing_that_was_finished_and_at_most_the_last_checkpoint(
    writer, path
):
    dice = random.Random(4)
    finished: set[str] = set()
    begun: list[str] = []
    arrived: dict[str, int] = {}
    for _ in range(KILLS):
        process = writer("c", 10_000)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # So much of three turns, and a moment more; a time alone says little of a busy machine.
        said = "".join(process.stdout.readline() for _ in range(dice.randrange(30)))
        time.sleep(dice.uniform(0, 0.01))
        process.kill()
        said += process.communicate()[0]
        for line in said.split("\n")[:-1]:  # the last may be cut
            match line.split():
                case ["begun", id]:
                    begun.append(id)
                case ["checkpoint", id, length]:
                    arrived[id] = int(length)
                case ["finished", id]:
                    finished.add(id)
                case ["trouble", *words]:
                    pytest.fail(" ".join(words))
        journal = Journal.open(path)
        assert journal.trouble == ""
        kept = journal.turns_of(begun)
        assert set(kept) == set(begun)
        for id in begun:
            turn = kept[id]
            if id in finished:
                assert (turn.status, turn.answer) == ("done", WHOLE)
            else:
                assert turn.status in ("interrupted", "done")  # done: killed before it could say so
                assert len(turn.answer) >= arrived.get(id, 0)
                assert WHOLE.startswith(turn.answer)
        conversation = Conversation.load(journal, "c")
        assert [t.id for t in conversation] == [t.id for t in conversation.turns()]
        journal.close()
    assert finished
    assert len(begun) > len(finished)
    check = sqlite3.connect(path)
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.execute("INSERT INTO search(search) VALUES ('integrity-check')")
    doubled = "SELECT id FROM turns GROUP BY id HAVING count(*) > 1"
    assert check.execute(doubled).fetchall() == []
    lost_half = "SELECT (SELECT count(*) FROM turns) - (SELECT count(*) FROM bodies)"
    assert check.execute(lost_half).fetchone() == (0,)


@pytest.mark.timeout(120 + TURNS // 20)
def test_four_processes_write_to_one_journal(writer, path):
    count = TURNS // 4
    processes = [writer(f"c{n}", count) for n in range(4)]  # all four make the file and its schema
    for process in processes:
        said, _ = process.communicate()
        assert process.returncode == 0
        assert "trouble" not in said
    journal = Journal.open(path)
    for n in range(4):
        turns = kept_turns(journal, f"c{n}")
        assert len(turns) == count
        assert {(turn.status, turn.answer) for turn in turns} == {("done", WHOLE)}
        assert len(list(Conversation.load(journal, f"c{n}"))) == count


@pytest.mark.timeout(120 + TURNS // 20)
def test_two_kernels_of_one_notebook_lose_no_turn(writer, path):
    count = TURNS // 2
    processes = [writer("c", count) for _ in range(2)]
    for process in processes:
        said, _ = process.communicate()
        assert "trouble" not in said
    assert len(kept_turns(Journal.open(path))) == 2 * count


def test_a_turn_left_behind_is_ended_and_becomes_the_tip(writer, path):
    process = writer("c", 1, pause=5)
    assert process.stdout is not None
    while "checkpoint" not in process.stdout.readline():
        pass
    os.kill(process.pid, signal.SIGSTOP)
    meanwhile = Journal.open(path)
    assert kept_turns(meanwhile) == []  # its kernel lives: nobody ends it for it
    process.kill()
    process.communicate()
    journal = Journal.open(path)
    (turn,) = Conversation.load(journal, "c")
    assert turn.status == "interrupted"
    assert turn.answer.startswith(PIECE)
    assert turn.notices[-1].startswith("The kernel ended")
    assert [hit.turn for hit in journal.search("piece")] == [turn.id]


def test_a_turn_left_behind_does_not_move_a_conversation_that_went_on(writer, path):
    process = writer("c", 1, pause=5)
    assert process.stdout is not None
    while "checkpoint" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGSTOP)
    later = a_turn("Meanwhile")
    Journal.open(path).finish(later, "main")
    process.kill()
    process.communicate()
    conversation = Conversation.load(Journal.open(path), "c")
    assert conversation.tip == later.id
    assert len(conversation) == 2


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_a_kill_while_the_schema_is_made_does_no_harm(path, writer):
    for pause in (0.05, 0.1, 0.15, 0.2, 0.25):
        process: subprocess.Popen[str] = writer("c", 0)
        time.sleep(pause)
        process.kill()
        process.communicate()
    journal = Journal.open(path)
    journal.finish(a_turn())
    assert journal.trouble == ""
    assert len(kept_turns(journal)) == 1
