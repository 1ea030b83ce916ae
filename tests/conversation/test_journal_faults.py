"""Disks that refuse and files that are damaged: one sentence, and the work goes on."""

from __future__ import annotations

import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest

from deepseek_jupyter.conversation import database
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.protocol.usage import Usage
from tests.conftest import ROOT

from .faults import full_disk, locked, no_directory, small_disk
from .turns import a_turn, ask, kept_turns, prompts

HOST = socket.gethostname()


def goes_on(journal: Journal) -> None:
    conversation = Conversation(journal)
    turn = a_turn("It goes on", conversation=conversation.id)
    conversation.begin_turn(turn)
    journal.write_running(turn)
    conversation.add(turn)
    assert journal.turn(turn.id) == turn
    assert [hit.turn for hit in journal.search("goes", limit=1)] == [turn.id]
    assert list(conversation) == [turn]


def one_sentence(trouble: str, *words: str) -> None:
    assert "\n" not in trouble
    assert trouble.endswith(".")
    for word in words:
        assert word in trouble


def aside(path):
    return sorted(path.parent.glob("journal.corrupt-*.sqlite3"))


@pytest.mark.parametrize(
    "content", [b"This is no database. " * 500, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_file_that_is_no_journal_is_set_aside(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    journal = Journal.open(path)
    (kept,) = aside(path)
    assert kept.read_bytes() == content
    one_sentence(journal.trouble, str(kept), "damaged")
    assert not journal.in_memory
    goes_on(journal)
    assert Journal.open(path).trouble == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize(
    "make", [getattr(os, "mkfifo", None), lambda path: path.symlink_to("/dev/zero"), Path.mkdir]
)
def test_what_is_no_file_is_not_waited_for(path, make):
    path.parent.mkdir()
    make(path)
    journal = Journal.open(path)
    conversation = Conversation(journal)
    ask(conversation, "In memory")
    assert prompts(conversation) == ["In memory"]
    one_sentence(journal.trouble, "in memory")


def damage(path) -> bytes:
    """A journal of some turns, its pages overwritten in the middle."""
    journal = Journal.open(path)
    for n in range(200):
        journal.finish(a_turn(f"Question {n} " * 40))
    journal.close()
    content = bytearray(path.read_bytes())
    content[5_000:-5_000] = os.urandom(len(content) - 10_000)
    path.write_bytes(content)
    return bytes(content)


def test_damage_that_shows_later_is_set_aside_then(path):
    content = damage(path)
    journal = Journal.open(path)
    goes_on(journal)
    (kept,) = aside(path)
    assert kept.read_bytes()[5_000:] == content[5_000:]
    one_sentence(journal.trouble, str(kept))
    assert not journal.in_memory


def test_a_second_damaged_file_does_not_overwrite_the_first(path):
    for n in range(3):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d is no database. " % n * 500)
        journal = Journal.open(path)
        goes_on(journal)
        journal.close()  # else its log would still hold the whole new file, and repair the old
    assert len(aside(path)) == 3


def test_of_several_kernels_that_find_the_damage_one_sets_it_aside(path):
    path.parent.mkdir()
    path.write_bytes(b"This is no database. " * 500)
    journals = []

    def work():
        journal = Journal.open(path)
        journal.finish(a_turn())
        journals.append(journal)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(aside(path)) == 1
    assert [journal.trouble for journal in journals if journal.in_memory] == []
    assert len(kept_turns(Journal.open(path))) == 6


def test_a_journal_that_was_moved_away_is_begun_again(journal, path):
    journal.finish(a_turn())
    path.rename(path.with_name("elsewhere"))
    turn = a_turn("After")
    journal.write_running(turn)
    journal.finish(turn)
    assert kept_turns(Journal.open(path)) == [turn]


def damage_index(path) -> None:
    raw = sqlite3.connect(path)
    raw.execute("UPDATE search_data SET block = x'0102030405' WHERE id > 10")
    raw.commit()
    raw.close()


def test_a_damaged_search_index_is_built_again(journal, path):
    turns = [a_turn(f"Searched {n}") for n in range(30)]
    for turn in turns:
        journal.finish(turn)
    journal.close()
    damage_index(path)
    assert len(journal.search("searched", limit=50)) == 30
    assert kept_turns(journal) == turns
    assert aside(path) == []


# Disks that refuse. What a user sees of each is in tests/kernel/test_journal_faults.py.


def test_a_disk_that_fills_up_gets_all_of_it_when_there_is_room_again(tmp_path):
    place = tmp_path / "disk"
    path = place / "state" / "journal.sqlite3"
    with small_disk(place, "size=1m"):
        journal = Journal.open(path)
        conversation = Conversation(journal)
        before = ask(conversation, "Before")
        assert journal.trouble == ""
        with full_disk(path):
            turns = [ask(conversation, f"{n}", answer="x" * 100_000) for n in range(20)]
            one_sentence(journal.trouble, "full", "in memory")
            assert journal.in_memory
            assert prompts(conversation) == ["Before", *map(str, range(20))]
            assert conversation.search("19")[0].turn == turns[-1].id
            subprocess.run(["mount", "-o", "remount,size=30m", str(place)], check=True)
        journal.write_running(a_turn("Later", conversation=conversation.id))
        assert journal.trouble == ""
        assert not journal.in_memory
        journal.close()
        again = Conversation.load(Journal.open(path), conversation.id)
        assert [turn.id for turn in again] == [before.id, *(turn.id for turn in turns)]


@pytest.mark.parametrize("another", [True, False], ids=["another kernel", "alone"])
def test_a_kernel_on_a_full_disk_knows_what_was_said(tmp_path, another):
    place = tmp_path / "disk"
    path = place / "state" / "journal.sqlite3"
    with small_disk(place):
        first = Journal.open(path)
        begun = Conversation(first, "n")
        asked = [ask(begun, f"{n}", answer="x" * 20_000) for n in range(20)]
        elsewhere = Conversation(first, "m")
        ask(elsewhere, "elsewhere")
        if not another:
            first.close()
        with full_disk(path):
            journal = Journal.open(path)
            journal.set_notebook("n", "/n.ipynb", None)
            conversation = Conversation.load(journal, begun.id, "n")
            assert prompts(conversation) == [turn.prompt for turn in asked]
            ask(conversation, "on the full disk", answer="y" * 2_000_000)
            one_sentence(journal.trouble, "in memory")
        ask(elsewhere, "meanwhile")
        ask(conversation, "again")
        assert journal.trouble == ""
        journal.close()
        again = Journal.open(path)
        assert prompts(Conversation.load(again, begun.id))[-2:] == ["on the full disk", "again"]
        assert len(Conversation.load(again, begun.id)) == 22
        newer = prompts(Conversation.load(again, elsewhere.id))
        assert newer == ["elsewhere", "meanwhile"]
        again.close()
        first.close()


def test_a_turn_that_is_recovered_late_does_not_undo_what_came_since(tmp_path):
    place = tmp_path / "disk"
    path = place / "state" / "journal.sqlite3"
    with small_disk(place):
        first = Journal.open(path)
        begun = Conversation(first, "n")
        ask(begun, "one")
        left = a_turn("left behind", conversation=begun.id, parent=begun.tip, answer="A par")
        begun.begin_turn(left)
        raw = sqlite3.connect(path)
        raw.execute("UPDATE turns SET owner = ? WHERE id = ?", (f"{HOST}:1073741824:1.x", left.id))
        raw.commit()
        raw.close()
        with full_disk(path):
            other = Journal.open(path)  # cannot write that it has ended
            assert other.in_memory
        first = Journal.open(path)  # does
        going_on = Conversation.load(first, begun.id)
        assert prompts(going_on) == ["one", "left behind"]
        ask(going_on, "two")
        goes_on(other)
        assert not other.in_memory
        assert prompts(Conversation.load(first, begun.id)) == ["one", "left behind", "two"]


def test_what_waits_when_the_kernel_ends_is_tried_once_more(tmp_path):
    place = tmp_path / "disk"
    path = place / "state" / "journal.sqlite3"
    code = (
        "import sys; from pathlib import Path\n"
        "from deepseek_jupyter.conversation.journal import Journal\n"
        "from tests.conversation.faults import full_disk\n"
        "from tests.conversation.turns import a_turn\n"
        f"path = Path({str(path)!r})\n"
        "journal = Journal.open(path)\n"
        "with full_disk(path):\n"
        "    for n in range(20): journal.finish(a_turn(str(n), answer='x' * 10_000))\n"
        "    assert journal.in_memory\n"
    )
    with small_disk(place, "size=1m"):
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        assert len(kept_turns(Journal.open(path))) == 20


def test_what_waits_is_bounded_and_the_newest_stays(path, monkeypatch):
    monkeypatch.setattr(database, "_MOST_WAITING", 5)
    with no_directory(path):
        journal = Journal.open(path)
        for n in range(9):
            journal.finish(a_turn(f"{n}"))
    journal.close()
    assert [turn.prompt for turn in kept_turns(Journal.open(path))] == ["4", "5", "6", "7", "8"]


def test_what_was_spent_and_is_not_written_is_known(path):
    with no_directory(path):
        journal = Journal.open(path)
        turn = a_turn(cost={"amount": "0.5", "currency": "USD"})
        journal.write_running(turn)
        assert journal.unwritten() == []
        journal.finish(turn)
        journal.add_ghosts("n", Total("m", 1, cost={"USD": Decimal(2)}))
        assert journal.totals() == journal.ghosts() == []
        assert sum(total.cost["USD"] for total in journal.unwritten()) == Decimal("2.5")
    journal.set_tip("c", "main", None)
    assert journal.unwritten() == []
    assert len(journal.totals()) == len(journal.ghosts()) == 1


def test_a_turn_that_cannot_be_stored_does_not_keep_others_from_it(journal, path):
    impossible = a_turn("too much", usage=Usage(10**30, 1, 0, 0))
    journal.finish(impossible)
    one_sentence(journal.trouble, "refused a turn", "in memory")
    goes_on(journal)
    assert not journal.in_memory
    assert [turn.prompt for turn in kept_turns(journal)] == []


def test_a_transaction_that_cannot_be_ended_is_thrown_away(journal, monkeypatch):
    """A connection that is left in a transaction takes no other."""
    ask(Conversation(journal), "Before")
    connection = journal._database._connection
    connection.execute("BEGIN IMMEDIATE")
    conversation = Conversation(journal)
    asked = [ask(conversation, f"{n}") for n in range(2)]
    assert prompts(Conversation.load(journal, conversation.id)) == [t.prompt for t in asked]
    assert journal._database._connection is not connection


@pytest.mark.parametrize("seed", range(5))
def test_statements_that_break_off_anywhere_lose_nothing(path, monkeypatch, seed):
    dice, opened = random.Random(seed), database._open
    chance = 0.01

    def breaks_off(*how):
        connection = opened(*how)
        connection.set_progress_handler(lambda: dice.random() < chance, 10)
        return connection

    monkeypatch.setattr(database, "_open", breaks_off)
    journal = Journal.open(path)
    conversation = Conversation(journal)
    asked, failed = [], 0
    for n in range(40):
        asked.append(ask(conversation, f"{n}"))
        failed += journal.in_memory
    assert failed > 5
    assert list(conversation) == asked
    chance = 0.0
    asked.append(ask(conversation, "at last"))
    assert journal.trouble == ""
    assert list(Conversation.load(journal, conversation.id)) == asked


def test_a_damaged_file_gets_what_waited_too(path):
    damage(path)
    with no_directory(path):
        journal = Journal.open(path)
        journal.finish(a_turn("In memory"))
        assert journal.in_memory
    goes_on(journal)
    assert not journal.in_memory
    (kept,) = aside(path)
    one_sentence(journal.trouble, str(kept))
    assert [t.prompt for t in kept_turns(Journal.open(path))] == ["In memory"]


def test_so_does_one_with_a_damaged_search_index(journal, path):
    journal.finish(a_turn("Before"))
    journal.close()
    damage_index(path)
    with no_directory(path):
        again = Journal.open(path)
        again.finish(a_turn("In memory"))
    goes_on(again)
    assert not again.in_memory
    assert aside(path) == []
    assert [t.prompt for t in kept_turns(Journal.open(path))] == ["Before", "In memory"]


LIMITED = """
import resource, sys
from pathlib import Path
from tests.conversation.turns import ask, prompts
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
conversation = Conversation(journal)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
for n in range(20):
    ask(conversation, str(n), answer="x" * 50_000)
assert journal.in_memory
assert len(prompts(conversation)) == 20
print(journal.trouble)
"""


def test_a_file_that_may_not_grow_leaves_the_work_in_memory(path, child_environment):
    command = [sys.executable, "-c", LIMITED, str(path)]
    ran = subprocess.run(command, env=child_environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    one_sentence(ran.stdout.strip(), "in memory")
    assert Journal.open(path).trouble == ""


def test_a_lock_that_is_held_is_waited_for_once(journal, path, monkeypatch):
    journal.finish(a_turn())
    journal.close()
    monkeypatch.setattr(database, "_PATIENCE", 2.0)
    with locked(path):
        began = time.monotonic()
        conversation = Conversation(journal)
        for n in range(5):
            ask(conversation, str(n))
        assert time.monotonic() - began < 12  # ten writes
        one_sentence(journal.trouble, "locked")
    goes_on(journal)
    assert journal.trouble == ""
    assert prompts(Conversation.load(Journal.open(path), conversation.id)) == list("01234")
