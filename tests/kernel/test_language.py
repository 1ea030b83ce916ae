"""In a Chinese page people read Chinese; code, journal and models see no difference."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from tests.support.kernels import Kernel
from tests.support.page import Page
from tests.support.scripted import Server, answer, error

HAN = re.compile("[\u4e00-\u9fff]")
CELLS = (
    "%ds --no-think Hello",
    "%deepseek usage",
    "%ds --param nothing=1 Hello",
    "%ds Hello",  # 402
    "%ds --dry-run Hello",
    "print('words of mine')",
    "%ds --no-think --cells all What do you see?",
)
FACTS = "prompt status answer notices details error finish_reason usage cost parameters"


class Seen:
    """What one kernel showed, kept, raised and sent."""

    def __init__(self, language: str, environment: dict[str, str], folder: Path, server: Server):
        state = folder / "state"
        server.queue(answer("Hi."), error(402, "Insufficient Balance"), answer("Cells."))
        sent = len(server.requests)
        with Kernel({**environment, "DEEPSEEK_JUPYTER_HOME": str(state)}, folder) as kernel:
            kernel.run("%load_ext deepseek_jupyter")
            Page(kernel).say({"type": "hello", "language": language})
            self.ran = [kernel.run(cell) for cell in CELLS]
            kernel.shut_down()
        self.bodies = [request.raw for request in server.requests[sent:]]
        with sqlite3.connect(state / "journal.sqlite3") as journal:
            rows = journal.execute("SELECT body FROM bodies ORDER BY key").fetchall()
        kept = [json.loads(body)["record"] for (body,) in rows]
        self.turns = [{name: record.get(name) for name in FACTS.split()} for record in kept]

    def html(self, cell: int) -> str:
        return "".join(b.get("text/html", "") for b in self.ran[cell].bundles)


@pytest.fixture(scope="module")
def seen(base_environment, shared_server, tmp_path_factory):
    def look(language: str) -> Seen:
        folder = tmp_path_factory.mktemp(f"language{language}")
        return Seen(language, base_environment, folder, shared_server)

    return look("en"), look("zh_CN")


def test_requests_and_journal_are_the_same(seen):
    english, chinese = seen
    assert chinese.bodies == english.bodies
    assert len(chinese.bodies) == 3
    assert b"words of mine" in chinese.bodies[-1]
    assert not HAN.search(b"".join(chinese.bodies).decode())
    assert chinese.turns == english.turns
    assert not HAN.search(json.dumps(chinese.turns, ensure_ascii=False))


def test_people_read_chinese_and_code_reads_english(seen):
    english, chinese = seen
    for cell in (2, 3):
        (one,), (other,) = (s.ran[cell].of("error") for s in (english, chinese))
        assert one.content["evalue"] == other.content["evalue"]
        assert "".join(other.content["traceback"]).count("→") == 1
        assert HAN.search("".join(other.content["traceback"]))
        assert not HAN.search("".join(one.content["traceback"]))
    assert "没有参数 'nothing'" in "".join(chinese.ran[2].error)
    for cell, words in ((1, "本次会话"), (1, "提示 token 来自缓存"), (4, "未发送任何内容")):
        assert words in chinese.html(cell)
        assert not HAN.search(english.html(cell))
    texts = [[b["text/plain"] for b in s.ran[1].bundles] for s in seen]
    assert texts[0] == texts[1]
