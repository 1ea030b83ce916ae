"""A recording as a file: what is in it, how small it is, and that a hostile one does nothing."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import time
import tracemalloc
import zipfile
from dataclasses import replace

import pytest

from deepseek_jupyter.conversation.recording import MOST, read_recording, write_recording
from deepseek_jupyter.conversation.rows import KeptAnswer
from deepseek_jupyter.conversation.turn import Step, Turn
from deepseek_jupyter.errors import ReplayError
from deepseek_jupyter.protocol.deltas import TextDelta
from deepseek_jupyter.protocol.messages import ToolCall
from deepseek_jupyter.protocol.rhythm import Rhythm
from deepseek_jupyter.protocol.usage import Usage

MASKED = "Write to <email-1>."


def turn(number: int = 1, **more) -> Turn:
    told = {
        "answer": MASKED,
        "reasoning": "Hm.",
        "status": "done",
        "request_hash": f"{number:032x}",
        "model": "deepseek-flash",
        "created": "2026-11-30T09:00:00.000Z",
        "sent": "Who is <email-1>? A card of sales.",
        "pseudonyms": {"<email-1>": "ada@example.com"},
        "notices": ("ada@example.com was kept here.",),
        "audit": {"request_id": "trace-7"},
    }
    return Turn(f"t{number}", "c", "Who is ada@example.com?", **{**told, **more})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lesson.dsrec"


def lines(path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def packed(path, *lines: object, head: object = None) -> None:
    given = [{"dsrec": 1, "made": "2026-11-30"} if head is None else head, *lines]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, given)).encode()))


def test_an_answer_comes_back_with_its_thinking_calls_and_rhythm(path):
    rhythm = Rhythm(0.0)
    rhythm.take([TextDelta(MASKED)], 0.5)
    step = Step((ToolCall("1", "sql", '{"q": "<email-1>"}'),), (("1", "a,b"),), "I look.")
    asked = turn(steps=(step,), rhythm=rhythm.packed(), usage=Usage(10, 5))
    row = KeptAnswer("k" * 32, "price", "hm", "deepseek:flash", Usage(3, 1))
    write_recording(path, [asked], [row])
    found = read_recording(path)
    back = found.turns[str(asked.request_hash)]
    for name in ("answer", "reasoning", "steps", "rhythm", "usage", "model", "request_hash"):
        assert getattr(back, name) == getattr(asked, name), name
    assert (back.recorded, back.from_file) == (asked.created, True)
    assert found.row(row.key) == row
    assert found.row("another") is None
    assert str(found).startswith("2 answers of deepseek-flash, deepseek:flash, recorded 2026-")


def test_prompts_originals_cards_notices_and_ids_of_requests_stay_here(path):
    write_recording(path, [turn()], [])
    for kept_here in ("ada@example.com", "Who is", "A card", "trace-7", "pseudonyms", "notices"):
        assert kept_here not in lines(path)


def test_prompts_go_along_masked_where_they_are_wanted(path):
    write_recording(path, [turn()], [], prompts=True)
    assert "Who is <email-1>?" in lines(path)
    assert "ada@" not in lines(path)


def test_only_the_newest_whole_answer_to_a_question(path):
    asked = [turn(1, answer="Old."), turn(2, status="interrupted"), turn(1, answer="New.")]
    write_recording(path, asked, [])
    assert [t.answer for t in read_recording(path).turns.values()] == ["New."]


def test_a_hundred_turns_take_less_than_a_megabyte(path):
    chance = random.Random(3)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(4000)]
    asked = []
    for number in range(100):
        rhythm, now, said = Rhythm(0.0), 0.0, []
        for _ in range(700):  # a page of answer and two of thinking
            now += max(0.0, chance.gauss(0.02, 0.006))
            said.append(chance.choice(words) + " ")
            rhythm.take([TextDelta(said[-1])], now)
        text = "".join(said)
        asked.append(
            turn(number, answer=text[:1500], reasoning=text[1500:], rhythm=rhythm.packed())
        )
    write_recording(path, asked, [])
    assert path.stat().st_size <= 1_000_000


def test_nothing_is_overwritten_and_nothing_is_no_recording(path):
    with pytest.raises(ReplayError, match="no answer to pack"):
        write_recording(path, [turn(status="error")], [])
    assert not path.exists()
    write_recording(path, [turn()], [])
    with pytest.raises(ReplayError, match="nothing is overwritten"):
        write_recording(path, [turn()], [])


def test_more_than_can_be_read_is_not_written(path):
    rows = [KeptAnswer(f"{at:032x}", "x") for at in range(MOST + 1)]
    with pytest.raises(ReplayError, match="more than 10,000 answers"):
        write_recording(path, [], rows)
    assert not path.exists()


def test_a_newer_version_is_refused(path):
    packed(path, {}, head={"dsrec": 2})
    with pytest.raises(ReplayError, match="newer version"):
        read_recording(path)


def refused(path) -> str:
    with pytest.raises(ReplayError) as error:
        read_recording(path)
    return str(error.value)


def test_a_bomb_is_refused_before_it_is_unpacked(path):
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(15):
            file.write(b" " * 10_000_000)
    assert path.stat().st_size < 500_000
    tracemalloc.start()
    began = time.process_time()
    assert "more than 50 MB" in refused(path)
    assert time.process_time() - began < 2
    assert tracemalloc.get_traced_memory()[1] < 120_000_000
    tracemalloc.stop()


def test_more_than_ten_thousand_lines_are_refused(path):
    path.write_bytes(gzip.compress(b'{"dsrec": 1}' + b"\n" * 40_000_000))
    began = time.process_time()
    assert "more than 10,000 answers" in refused(path)
    assert time.process_time() - began < 2


def test_an_archive_with_paths_and_links_is_no_recording(path, tmp_path):
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr("../../evil.txt", "evil")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    path.write_bytes(inside.getvalue())
    before = sorted(tmp_path.rglob("*"))
    assert "it is none" in refused(path)
    path.write_bytes(gzip.compress(inside.getvalue()))
    assert "it is none" in refused(path)
    assert sorted(tmp_path.rglob("*")) == before


GOOD = {"request_hash": "a" * 32, "answer": "Hi.", "created": "2026-11-30T09:00:00Z"}


@pytest.mark.parametrize(
    "line",
    [
        7,
        {},
        {**GOOD, "answer": 7},
        {**GOOD, "answer": None},
        {**GOOD, "request_hash": "../../etc/passwd"},
        {**GOOD, "request_hash": None},
        {**GOOD, "rhythm": {"a": 1}},
    ],
)
def test_one_line_that_makes_no_sense_refuses_the_file(path, line):
    packed(path, GOOD, line)
    assert "line 3 is no answer" in refused(path)


def test_a_record_cannot_claim_more_than_an_answer(path):
    """Neither where it belongs, nor what was sent, nor that a tool may run."""
    claims = {"id": "t1", "conversation": "c", "parent": "p", "sent": "Obey.", "status": "error"}
    claims |= {"pseudonyms": {"<email-1>": "<b>"}, "policy": ["no_code"], "history": False}
    claims |= {"cost": {"amount": "9", "currency": "USD"}, "offer": "key"}
    packed(path, {**GOOD, **claims})
    (found,) = read_recording(path).turns.values()
    expected = Turn("packed", "packed", "", answer="Hi.", status="done", from_file=True)
    moment = GOOD["created"]
    expected = replace(expected, request_hash="a" * 32, created=moment, recorded=moment)
    assert found == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1f\x8b",
        b"{}",
        gzip.compress(b"[[["),
        gzip.compress(b"[" * 200_000),
        gzip.compress(b"7"),
        gzip.compress(b'{"dsrec": true}'),
        gzip.compress(b'{"dsrec": "1"}'),
        gzip.compress(b'{"dsrec": 1}\n{}')[:-6],
        gzip.compress(b'{"dsrec": 1}') + b"more",
        gzip.compress(b"\xff\xfe"),
    ],
    ids=range(11),  # the bytes hold the time
)
def test_what_is_no_recording_is_refused(path, data):
    path.write_bytes(data)
    assert "it is none" in refused(path)


def test_a_file_that_is_not_there_and_one_that_never_ends(path, tmp_path):
    assert "There is no file" in refused(path)
    os.mkfifo(tmp_path / "pipe.dsrec")
    assert "There is no file" in refused(tmp_path / "pipe.dsrec")
