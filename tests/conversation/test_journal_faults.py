"""Disks that refuse and files that are damaged: one sentence, and the work goes on."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from deepseek_jupyter.conversation import database
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal
from tests.conftest import ROOT

from .turns import a_turn, ask, prompts

HOST = socket.gethostname()


def goes_on(journal: Journal) -> None:
    conversation = Conversation(journal)
    turn = a_turn("It goes on", conversation=conversation.id)
    conversation.begin(turn)
    conversation.checkpoint(turn)
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
        journal.close()  # else its log would still hold the whole new file, and mend the old
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
    assert len(Journal.open(path).turns("c")) == 6


def test_a_journal_that_was_moved_away_is_begun_anew(journal, path):
    journal.finish(a_turn())
    path.rename(path.with_name("elsewhere"))
    turn = a_turn("After")
    journal.begin(turn)
    journal.finish(turn)
    assert Journal.open(path).turns("c") == [turn]


def test_a_damaged_search_index_is_made_anew(journal, path):
    turns = [a_turn(f"Searched {n}") for n in range(30)]
    for turn in turns:
        journal.finish(turn)
    journal.close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE search_data SET block = x'0102030405' WHERE id > 10")
    raw.commit()
    raw.close()
    assert len(journal.search("searched", limit=50)) == 30
    assert journal.turns("c") == turns
    assert aside(path) == []


# Disks. Root may write everywhere, so a file system of its own stands for them.


@contextmanager
def file_system(place, options: str):
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("cannot mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_read_only_directory_leaves_the_work_in_memory(tmp_path):
    place = tmp_path / "disk"
    with file_system(place, "ro,size=1m"):
        journal = Journal.open(place / "journal.sqlite3")
        one_sentence(journal.trouble, str(place), "in memory")
        assert journal.in_memory
        goes_on(journal)


def test_a_directory_that_cannot_be_made_leaves_the_work_in_memory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    journal = Journal.open(tmp_path / "file" / "journal.sqlite3")
    one_sentence(journal.trouble, "in memory")
    goes_on(journal)


def test_a_kernel_that_ends_while_its_work_is_in_memory_tries_the_disk_once_more(tmp_path):
    place = tmp_path / "disk"
    code = (
        "import sys; from pathlib import Path\n"
        "from deepseek_jupyter.conversation.journal import Journal\n"
        "from tests.conversation.turns import a_turn\n"
        f"place = Path({str(place)!r})\n"
        "journal = Journal.open(place / 'journal.sqlite3')\n"
        "try: (place / 'ballast').write_bytes(bytes(2_000_000))\n"
        "except OSError: pass\n"
        "for n in range(20): journal.finish(a_turn(str(n), answer='x' * 10_000))\n"
        "assert journal.in_memory\n"
        "(place / 'ballast').unlink()\n"
    )
    with file_system(place, "size=1m"):
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        assert len(Journal.open(place / "journal.sqlite3").turns("c")) == 20


def test_a_disk_that_fills_up_leaves_the_work_in_memory_and_comes_back(tmp_path, monkeypatch):
    place = tmp_path / "disk"
    with file_system(place, "size=1m"):
        journal = Journal.open(place / "journal.sqlite3")
        conversation = Conversation(journal)
        before = a_turn("Before", conversation=conversation.id)
        conversation.add(before)
        assert journal.trouble == ""
        ballast = place / "ballast"
        with pytest.raises(OSError, match="space"):
            ballast.write_bytes(bytes(2_000_000))
        turns = [
            a_turn(f"{n}", conversation=conversation.id, parent=before.id, answer="x" * 100_000)
            for n in range(20)
        ]
        for turn in turns:
            conversation.begin(turn)
            conversation.add(turn)
        one_sentence(journal.trouble, "full", "in memory")
        assert [t.id for t in conversation] == [before.id, turns[-1].id]
        assert all(journal.turn(turn.id) == turn for turn in turns[-5:])
        subprocess.run(["mount", "-o", "remount,size=30m", str(place)], check=True)
        ballast.unlink()
        monkeypatch.setattr(database, "_BETWEEN_TRIES", 0.0)
        journal.begin(a_turn("Later", conversation=conversation.id))
        assert journal.trouble == ""
        assert not journal.in_memory
        journal.close()
        again = Conversation.load(Journal.open(place / "journal.sqlite3"), conversation.id)
        assert again.tip == turns[-1].id
        assert len(again) == 21


@contextmanager
def filled(place, ballast):
    """Meanwhile nothing more can be written there."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        ballast.unlink()


@pytest.mark.parametrize("another", [True, False], ids=["another kernel", "alone"])
def test_a_kernel_on_a_full_disk_knows_what_was_said(tmp_path, monkeypatch, another):
    place = tmp_path / "disk"
    path = place / "journal.sqlite3"
    with file_system(place, "size=8m"):
        first = Journal.open(path)
        begun = Conversation(first, "n")
        asked = [ask(begun, f"{n}", answer="x" * 20_000) for n in range(20)]
        elsewhere = Conversation(first, "m")
        ask(elsewhere, "elsewhere")
        if not another:
            first.close()
        with filled(place, place / "ballast"):
            journal = Journal.open(path)
            journal.set_notebook("n", "/n.ipynb", None)
            conversation = Conversation.load(journal, begun.id, "n")
            assert prompts(conversation) == [turn.prompt for turn in asked]
            ask(conversation, "on the full disk", answer="y" * 2_000_000)
            one_sentence(journal.trouble, "in memory")
        ask(elsewhere, "meanwhile")
        monkeypatch.setattr(database, "_BETWEEN_TRIES", 0.0)
        ask(conversation, "again")
        assert journal.trouble == ""
        journal.close()
        again = Journal.open(path)
        assert prompts(Conversation.load(again, begun.id))[-2:] == ["on the full disk", "again"]
        assert len(Conversation.load(again, begun.id)) == 22
        newer = prompts(Conversation.load(again, elsewhere.id))
        assert newer == ["elsewhere", "meanwhile"], "what was lent does not come back"
        again.close()
        first.close()


def test_a_tip_that_was_mended_in_memory_does_not_undo_what_came_since(tmp_path, monkeypatch):
    place = tmp_path / "disk"
    path = place / "journal.sqlite3"
    with file_system(place, "size=8m"):
        first = Journal.open(path)
        begun = Conversation(first, "n")
        ask(begun, "one")
        left = a_turn("left behind", conversation=begun.id, parent=begun.tip, answer="A par")
        begun.begin(left)
        raw = sqlite3.connect(path)
        raw.execute("UPDATE turns SET owner = ? WHERE id = ?", (f"{HOST}:1073741824:1.x", left.id))
        raw.commit()
        raw.close()
        with filled(place, place / "ballast"):
            other = Journal.open(path)  # mends it, in memory
            assert other.in_memory
        first = Journal.open(path)  # mends it, on the disk
        going_on = Conversation.load(first, begun.id)
        assert prompts(going_on) == ["one", "left behind"]
        ask(going_on, "two")
        monkeypatch.setattr(database, "_BETWEEN_TRIES", 0.0)
        goes_on(other)
        assert not other.in_memory
        assert prompts(Conversation.load(first, begun.id)) == ["one", "left behind", "two"]


def refused(path, monkeypatch):
    """A journal in memory with a turn, whose file at `path` is there again by now."""
    away = path.parent.rename(path.parent.with_name("away"))
    path.parent.write_text("no folder")
    journal = Journal.open(path)
    journal.finish(a_turn("In memory"))
    assert journal.in_memory
    path.parent.unlink()
    away.rename(path.parent)
    monkeypatch.setattr(database, "_BETWEEN_TRIES", 0.0)
    return journal


def test_a_damaged_file_does_not_keep_the_work_in_memory(path, monkeypatch):
    damage(path)
    journal = refused(path, monkeypatch)
    goes_on(journal)
    assert not journal.in_memory
    (kept,) = aside(path)
    one_sentence(journal.trouble, str(kept))
    assert [t.prompt for t in Journal.open(path).turns("c")] == ["In memory"]


def test_nor_does_a_damaged_search_index(journal, path, monkeypatch):
    journal.finish(a_turn("Before"))
    journal.close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE search_data SET block = x'0102030405' WHERE id > 10")
    raw.commit()
    raw.close()
    again = refused(path, monkeypatch)
    goes_on(again)
    assert not again.in_memory
    assert aside(path) == []
    assert [t.prompt for t in Journal.open(path).turns("c")] == ["Before", "In memory"]


LIMITED = """
import resource, sys
from pathlib import Path
from tests.conversation.turns import a_turn
from deepseek_jupyter.conversation.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
turns = [a_turn(answer="x" * 50_000) for _ in range(20)]
for turn in turns:
    journal.begin(turn)
    journal.finish(turn)
assert journal.in_memory
assert journal.turn(turns[-1].id) == turns[-1]
print(journal.trouble)
"""


def test_a_file_that_may_not_grow_leaves_the_work_in_memory(path, child_environment):
    command = [sys.executable, "-c", LIMITED, str(path)]
    ran = subprocess.run(command, env=child_environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    one_sentence(ran.stdout.strip(), "in memory")
    assert Journal.open(path).trouble == ""


def test_a_lock_that_is_never_released_does_not_stop_the_cell(journal, path, monkeypatch):
    journal.finish(a_turn())
    journal.close()
    monkeypatch.setattr(database, "_PATIENCE", 0.3)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    goes_on(journal)
    one_sentence(journal.trouble, "locked")
    holder.close()
    monkeypatch.setattr(database, "_BETWEEN_TRIES", 0.0)
    goes_on(journal)
    assert journal.trouble == ""
    assert len(Journal.open(path).conversations()) == 3
