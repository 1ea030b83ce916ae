"""``%deepseek pack``, ``unpack`` and ``rehearse``: a lesson that goes to another machine."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest

import deepseek_jupyter as ds
from deepseek_jupyter import config
from deepseek_jupyter.api import get_session
from deepseek_jupyter.conversation.recording import read_recording
from deepseek_jupyter.magics.rehearsal import play
from deepseek_jupyter.session import session as sessions
from tests.support.scripted import answer, whole

CELLS = [
    "%%ds -t 0\nWho is ada@example.com?",
    "%ds And who else?",
    "%%ds --no-history\nTwice 4?",
]
ANSWERS = ["That is <email-1>.", "Grace.", "8."]


@pytest.fixture
def lesson(shell, run, server, tmp_path, monkeypatch):
    """A notebook that was asked and packed; the file."""
    book = tmp_path / "lesson.ipynb"
    cells = [
        {"cell_type": "code", "id": f"c{at}", "source": cell, "outputs": [], "metadata": {}}
        for at, cell in enumerate(CELLS)
    ]
    book.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    monkeypatch.setenv("JPY_SESSION_NAME", str(book))
    server.queue(*map(answer, ANSWERS))
    shell.get_parent = lambda: {
        "metadata": {"cellId": shell.cell},
        "header": {"msg_id": shell.cell},
    }
    for at, cell in enumerate(CELLS):
        shell.cell = f"c{at}"
        run(cell)
    told = run(f"%deepseek pack {tmp_path / 'lesson.dsrec'}")
    assert "3 answers of deepseek-flash, recorded" in told
    assert "Prompts are not in it" in told
    return tmp_path / "lesson.dsrec"


@pytest.fixture
def elsewhere(lesson, server, tmp_path, monkeypatch):
    """Another machine: neither journal nor server nor key."""
    server.__exit__()
    for name in ("DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DEEPSEEK_JUPYTER_HOME", str(tmp_path / "elsewhere"))
    begin(monkeypatch)
    return lesson


def begin(monkeypatch) -> None:
    monkeypatch.setattr(sessions, "_session", None)
    monkeypatch.setattr(config, "_settings", None)
    settings = config.settings()
    settings.replay = "always"


def says(monkeypatch, word: str) -> list[str]:
    asked = []
    monkeypatch.setattr("builtins.input", lambda text: asked.append(text) or word)
    return asked


def texts(shell, run) -> list[str]:
    for at, cell in enumerate(CELLS):
        shell.cell = f"c{at}"
        run(cell)
    turns = get_session().conversation.turns() + get_session().conversation.aside()
    return [turn.seen().answer for turn in turns]


def test_another_machine_has_the_same_answers_and_sends_nothing(
    elsewhere, shell, run, server, monkeypatch
):
    asked = says(monkeypatch, "y")
    told = run(f"%deepseek unpack {elsewhere}")
    assert "was not made here: 3 answers of deepseek-flash, recorded" in told
    assert "answers now" in told
    assert texts(shell, run) == ["That is ada@example.com.", "Grace.", "8."]
    assert ds.last.footer.startswith("replayed · recorded 20")
    assert len(server.requests) == 3
    assert len(asked) == 1
    begin(monkeypatch)  # a new kernel: one yes is enough
    get_session().config.recordings = [str(elsewhere)]
    assert texts(shell, run)[1] == "Grace."
    assert len(asked) == 1


def test_a_foreign_recording_answers_nothing_before_a_yes(elsewhere, run, monkeypatch):
    get_session().config.recordings = [str(elsewhere)]
    told = run(CELLS[0])
    assert "ReplayError" in told
    assert f"%deepseek unpack {elsewhere} asks you once" in told
    says(monkeypatch, "n")
    assert "is not used" in run(f"%deepseek unpack {elsewhere}")
    assert "ReplayError" in run(CELLS[0])


def test_where_no_one_can_say_yes_it_is_no(elsewhere, run, monkeypatch):
    def nobody(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert "is not used" in run(f"%deepseek unpack {elsewhere}")


def test_a_changed_file_needs_another_yes(elsewhere, run, monkeypatch):
    says(monkeypatch, "y")
    run(f"%deepseek unpack {elsewhere}")
    data = elsewhere.read_bytes()
    elsewhere.unlink()
    elsewhere.write_bytes(gzip.compress(gzip.decompress(data).replace(b"Grace", b"Mallory")))
    run(CELLS[0])
    assert "ReplayError" in run(CELLS[1])


def test_its_own_recordings_need_no_yes(lesson, run, monkeypatch):
    asked = says(monkeypatch, "n")
    assert "answers now" in run(f"%deepseek unpack {lesson}")
    assert asked == []


def test_what_was_said_before_a_live_question_goes_out_as_it_was_recorded(
    elsewhere, shell, run, server, monkeypatch
):
    """The history of a replayed turn is its own message, masked, and the recorded answer."""
    says(monkeypatch, "y")
    run(f"%deepseek unpack {elsewhere}")
    run(CELLS[0])
    preview = ds.ask("And now?", dry_run=True)
    said = [message["content"] for message in preview.body["messages"]]
    assert said == ["Who is <email-1>?", "That is <email-1>.", "And now?"]


def test_a_recorded_turn_can_be_shown_again_but_not_its_request(elsewhere, shell, run, monkeypatch):
    says(monkeypatch, "y")
    run(f"%deepseek unpack {elsewhere}")
    texts(shell, run)
    assert "Grace." in run("%deepseek show")
    assert "And who else?" in run("%deepseek show --sent")
    assert "was not kept" in run("%deepseek show --as curl")


def test_quotes_of_a_recorded_answer_have_their_places_again(
    shell, run, server, tmp_path, monkeypatch
):
    (tmp_path / "paper.txt").write_text("One line.\nBees can count to four.\nThe end.")
    cell = f'%%ds --cite -a "{tmp_path / "paper.txt"}"\nCan bees count?'
    server.queue(answer('They can: "Bees can count to four."'))
    shell.cell = "c1"
    shell.get_parent = lambda: {"metadata": {"cellId": "c1"}, "header": {"msg_id": "m"}}
    run(cell)
    marked = ds.last.text
    assert "[paper.txt" in marked
    run(f"%deepseek pack {tmp_path / 'bees.dsrec'}")
    server.__exit__()
    monkeypatch.setenv("DEEPSEEK_JUPYTER_HOME", str(tmp_path / "elsewhere"))
    begin(monkeypatch)
    says(monkeypatch, "y")
    run(f"%deepseek unpack {tmp_path / 'bees.dsrec'}")
    run(cell)
    assert ds.last.turn.replayed
    assert ds.last.text == marked


def test_rehearse_says_which_cells_have_no_answer_and_why(lesson, run):
    assert "None is missing." in run("%deepseek rehearse")
    change(lesson, 1, "%ds And who else was there?")
    told = run("%deepseek rehearse")
    assert re.search(r"\[1\] .*there\n", told)
    assert re.search(r"\[2\] +And who else was there\? +its words have changed", told)
    assert re.search(r"\[3\] +Twice 4\? +there", told)
    change(lesson, 0, "%%ds -t 1\nWho is ada@example.com?")
    change(lesson, 2, "reply = ds.ask('Hello?')")
    told = run("%deepseek rehearse")
    assert "2 of 3 have none" in told
    assert "asks from Python" in told
    change(lesson, 1, "%%ds --dry-run\nThis?")
    assert "This?" not in run("%deepseek rehearse")
    assert len(get_session().conversation) == 2  # nothing was asked or kept


def test_rehearse_without_ids_of_the_front_end_goes_by_the_words(
    run, server, tmp_path, monkeypatch
):
    book = tmp_path / "lesson.ipynb"
    cells = [{"cell_type": "code", "id": f"c{n}", "source": f"%%ds\n{n}?"} for n in range(2)]
    book.write_text(json.dumps({"cells": cells}))
    monkeypatch.setenv("JPY_SESSION_NAME", str(book))
    server.queue(answer("A."), answer("B."))
    run("%%ds\n0?")
    run("%%ds\n1?")
    assert "None is missing." in run("%deepseek rehearse")


def test_rehearse_by_the_cells_own_ids_tells_what_changed(
    shell, run, server, tmp_path, monkeypatch
):
    shell.get_parent = lambda: {"metadata": {"cellId": "c0"}, "header": {"msg_id": "m"}}
    book = tmp_path / "lesson.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(book))

    def saved(*sources: str) -> None:
        cells = [
            {"cell_type": "code", "id": f"c{at}", "source": source, "outputs": []}
            for at, source in enumerate(sources)
        ]
        book.write_text(json.dumps({"cells": cells}))

    saved("%%ds -t 0\nTwice 4?")
    server.queue(answer("8."))
    run("%%ds -t 0\nTwice 4?")
    saved("%%ds -t 0\nTwice 5?", "%%ds\nWhy?")
    told = run("%deepseek rehearse")
    assert "its words have changed" in told
    assert "Why?" in told
    saved("%%ds -t 1\nTwice 4?")
    assert "has changed: temperature" in run("%deepseek rehearse")
    saved("%%ds -t {{\nTwice 4?", "%%ds\n{{ missing }}?")
    told = run("%deepseek rehearse")
    assert "2 of 2 have none" in told
    assert "missing" in told


def change(lesson: Path, at: int, source: str) -> None:
    book = lesson.with_suffix(".ipynb")
    content = json.loads(book.read_text())
    content["cells"][at]["source"] = source
    book.write_text(json.dumps(content))


def test_rows_are_packed_and_answered_without_asking(shell, run, server, tmp_path, monkeypatch):
    frame = pd.DataFrame({"text": ["too dear", "broken"], "who": ["a@b.org", "c@d.org"]})
    shell.user_ns["frame"] = frame
    server.queue(whole("price"), whole("quality of <email-1>"))
    cell = "%%ds --map frame --rows all --budget none -t 0 -o labels\nOf {{ who }}: {{ text }}"
    run(cell)
    assert shell.user_ns["labels"].answer.tolist() == ["price", "quality of c@d.org"]
    told = run(f"%deepseek pack {tmp_path / 'rows.dsrec'}")
    assert "2 answers" in told
    (first, second) = read_recording(tmp_path / "rows.dsrec").turns.values()
    assert {first.answer, second.answer} == {"price", "quality of <email-1>"}
    server.__exit__()
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    monkeypatch.setenv("DEEPSEEK_JUPYTER_HOME", str(tmp_path / "elsewhere"))
    begin(monkeypatch)
    says(monkeypatch, "y")
    del shell.user_ns["labels"]
    run(f"%deepseek unpack {tmp_path / 'rows.dsrec'}")
    get_session().config.replay = "always"  # so neither a key nor a server is needed
    run(cell)
    assert shell.user_ns["labels"].answer.tolist() == ["price", "quality of c@d.org"]
    assert len(server.requests) == 2


SUITE = """\
import deepseek_jupyter as ds
cases = [dict(prompt=f"say {n}", expected=n) for n in range(6)]
variants = "deepseek-flash?think=off&name=new, deepseek-v4-pro?think=off&name=old"
suite = ds.suite(cases, variants, rows="all", budget="none", repeats=2, show=False)
print(*suite.lines, [one.counts for one in suite.summaries], suite.summaries[0].total)"""
COMPARED = """\
found = ds.compare("Which colour?", ["deepseek-flash", "deepseek-v4-pro"], show=False)
print([reply.text for reply in found.values()])"""


@pytest.fixture
def suite_notebook(shell, run, server, tmp_path, monkeypatch):
    """A notebook with a suite and a comparison, asked and packed; what its cells printed."""

    def reply(request):
        said, model = request.json["messages"][-1]["content"], request.json["model"]
        if not said.startswith("say"):
            return answer(f"{model} blue")
        number = int(said[4:])
        if number > 3:  # nothing, and an answer that was cut
            return answer("" if number == 4 else "5", finish="stop" if number == 4 else "length")
        return answer(str(number) if number % 2 or model.endswith("pro") else "no idea")

    server.fallback = reply
    book = tmp_path / "suite.ipynb"
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(code) for code in (SUITE, COMPARED)]
    nbformat.write(made, book)
    monkeypatch.setenv("JPY_SESSION_NAME", str(book))
    printed = [run(SUITE), run(COMPARED)]
    assert "'no answer': 4" in printed[0]
    assert "'pass': 8" in printed[0]
    assert len(server.requests) == 6 * 2 * 2 + 2
    assert "26 answers" in run(f"%deepseek pack {tmp_path / 'suite.dsrec'}")
    return book, printed


def test_a_suite_and_a_comparison_are_unpacked_elsewhere(
    suite_notebook, shell, run, server, tmp_path, monkeypatch
):
    _, printed = suite_notebook
    server.__exit__()
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    monkeypatch.setenv("DEEPSEEK_JUPYTER_HOME", str(tmp_path / "elsewhere"))
    begin(monkeypatch)
    says(monkeypatch, "y")
    run(f"%deepseek unpack {tmp_path / 'suite.dsrec'}")
    assert [run(SUITE), run(COMPARED)] == printed
    assert shell.user_ns["suite"].asked == 0
    assert all(reply.turn.replayed for reply in shell.user_ns["found"].values())
    assert len(server.requests) == 26


@pytest.mark.slow
def test_a_notebook_with_a_suite_is_replayed_and_asks_nothing(suite_notebook, server, tmp_path):
    book, printed = suite_notebook
    content, problems = play(book, read_recording(tmp_path / "suite.dsrec"))
    assert problems == []
    shown = ["".join(out["text"] for out in cell.outputs) for cell in content.cells]
    assert shown == printed
    assert len(server.requests) == 26


def test_a_recording_that_is_gone_or_hostile_stops_the_question_with_its_name(run, tmp_path):
    run(f"%config DeepSeek.recordings = ['{tmp_path / 'no.dsrec'}']")
    run("%config DeepSeek.replay = 'auto'")
    told = run("%ds Hello?")
    assert "ReplayError" in told
    assert "no.dsrec" in told
    (tmp_path / "no.dsrec").write_text("evil")
    assert "it is none" in run("%ds Hello?")


@pytest.mark.parametrize("line", ["pack lesson.zip", "pack", "unpack"])
def test_what_is_no_pack_is_refused(run, line):
    assert "UsageError" in run(f"%deepseek {line}")


def test_pack_with_prompts(lesson, run, tmp_path):
    run(f"%deepseek pack {tmp_path / 'more.dsrec'} --with-prompts")
    found = read_recording(tmp_path / "more.dsrec").turns.values()
    assert [turn.prompt for turn in found] == ["Who is <email-1>?", "And who else?", "Twice 4?"]
    assert not any(turn.prompt for turn in read_recording(lesson).turns.values())


def test_a_cell_without_an_id_is_not_taken_for_another(run, server):
    server.queue(answer("8."))
    run("import deepseek_jupyter as ds; ds.ask('Twice 4?')")
    run("%ds --replay always Never asked?")
    assert re.search(r"Never asked\? +this cell has no kept answer", run("%deepseek rehearse"))
