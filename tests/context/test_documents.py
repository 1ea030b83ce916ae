"""Files as documents: what is read of them, where it stands, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deepseek_jupyter.context import documents
from deepseek_jupyter.context.attach import attach
from deepseek_jupyter.context.documents import files_named, number_at, read
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import WHOLE, Policy, parse_spec
from deepseek_jupyter.privacy.redaction import Redactor
from tests.support.documents import docx, notebook, pdf

PAGE = (
    "<head><title>No</title></head><h1>Tides</h1><p>High <b>water</b>\nat six.<script>x()</script>"
)


def attached(path: Path, name: str = ""):
    return attach(name or str(path), path, Policy(budget=WHOLE), Redactor())


def line_of(found, words: str) -> int:
    return found.text[: found.text.index(words)].count("\n")


def test_pages_of_a_pdf_keep_their_numbers():
    found = read(Path("a.pdf"), pdf(["One page", "two lines"], ["Second page"], ["Third"]))
    assert found.size == "3 pages"
    assert "two lines" in found.text
    numbers = [number_at("page", found.positions, line_of(found, w)) for w in ("two", "Sec", "Th")]
    assert numbers == [1, 2, 3]


def test_paragraphs_of_word_and_of_a_page():
    found = read(Path("a.docx"), docx("# Tides", "High water at six.", "Low at noon."))
    assert found.text == "# Tides\nHigh water at six.\nLow at noon."
    assert number_at(found.unit, found.positions, line_of(found, "Low")) == 3
    assert read(Path("a.html"), PAGE.encode()).text == "# Tides\nHigh water at six."
    told = '<meta charset="latin-1"><p>caf\xe9'.encode("latin-1")
    assert read(Path("a.htm"), told).text == "café"
    table = b"<table><tr><td><p>a</p></td><td>b</td></tr><tr><td>c<td>d</table>"
    assert read(Path("a.html"), table).text == "a | b\nc | d"
    assert read(Path("a.html"), b"<tr><th>a<th>b<tr><td><td>2").text == "a | b\n| 2"
    assert read(Path("a.html"), b"<head><title>No</title><body>yes").text == "yes"
    for raw in ("<p>Größe".encode("cp1252"), "<meta charset=gb2312><p>镕基".encode("gbk")):
        assert read(Path("a.html"), raw).text in ("Größe", "镕基")
    assert read(Path("a.html"), b"<pre>if x:\n    y()</pre>").text == "if x:\n    y()"


def test_cells_of_a_notebook_with_short_outputs():
    found = read(Path("a.ipynb"), notebook(("x = 1", ""), ("print(x)", "1" * 500)))
    assert found.text.startswith("[cell 1]\nx = 1")
    assert f"Output:\n{'1' * 400}… (100 more characters)" in found.text
    assert number_at("cell", found.positions, line_of(found, "print")) == 2


def test_texts_in_utf16(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo", "utf-16")
    assert attached(tmp_path / "a.txt").text.endswith("in 2 lines\none\ntwo")
    (tmp_path / "b.txt").write_bytes(b"one\rtwo\r\nthree")  # ends of lines of all systems
    assert attached(tmp_path / "b.txt").text.endswith("in 3 lines\none\ntwo\nthree")
    two = attach("b.txt", tmp_path / "b.txt", parse_spec("x:sample(2)")[1], Redactor())
    assert two.text.endswith("one\ntwo\n[… 1 more line]")
    assert two.cut == "2 of 3 lines"


def test_scanned_pages_are_told(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf(["Text"], ["x"], scanned=[1]))
    made = attached(tmp_path / "a.pdf")
    assert "Scanned pages have no text to send: 2." in made.notices[0]
    with pytest.raises(ParameterError, match=r"is scanned: its pages are pictures"):
        read(Path("b.pdf"), pdf(["x"], ["y"], scanned=[0, 1]))
    with pytest.raises(ParameterError, match=r"is scanned") as told:  # but for their numbers
        read(Path("c.pdf"), pdf(["- 1 -"], ["- 2 -"], scanned=[0, 1], numbered=True))
    assert "text recognition" in told.value.hint


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("a.pdf", pdf(["x"], encrypted=True), "is encrypted"),
        ("a.pdf", b"%PDF-1.4 nothing", "is damaged"),
        ("a.pdf", b"", "is empty"),
        ("a.pdf", pdf([]), "has no text"),
        ("a.docx", b"PK\3\4 no archive", "is damaged"),
        ("a.docx", b"\xd0\xcf\x11\xe0 OLE", "is encrypted, or of Word 97"),
        ("a.docx", lambda: docx("x", bomb=301_000_000), "unpacks to more than 300 MB"),
        ("a.ipynb", b"[1, 2]", "no notebook of version 4"),
        ("a.txt", b"\0\1", "not a text in UTF-8 or UTF-16"),
        ("a.txt", "one".encode("utf-32"), "not a text in UTF-8 or UTF-16"),
        ("a.txt", "港口".encode("gb18030"), "not a text in UTF-8 or UTF-16"),
        ("a.txt", b" \n", "is empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_a_sentence(name, raw, reason):
    with pytest.raises(ParameterError, match=reason) as told:
        read(Path(name), raw() if callable(raw) else raw)
    assert told.value.hint


def test_a_book_of_more_than_five_thousand_pages_is_a_sentence():
    with pytest.raises(ParameterError, match=r"has 5,001 pages; at most 5,000 are read"):
        read(Path("a.pdf"), pdf(*[["x"]] * 5_001))


def test_a_reader_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(documents, "_SECONDS", 0.01)
    with pytest.raises(ParameterError, match=r"took longer than 0\.01 s"):
        read(Path("a.pdf"), pdf(["slow"]))


def test_a_missing_reader_names_the_extra(monkeypatch):
    monkeypatch.setattr(documents, "find_spec", lambda name: None)
    with pytest.raises(ParameterError, match="takes mammoth") as told:
        read(Path("a.docx"), docx("x"))
    assert "deepseek-jupyter[documents]" in told.value.hint


def test_links_are_followed_and_told_but_never_to_secrets(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    (tmp_path / ".env").write_text("KEY=1")
    (tmp_path / "innocent.txt").symlink_to(tmp_path / ".env")
    (tmp_path / "round.txt").symlink_to(tmp_path / "round.txt")
    assert "is a link; what is read is" in attached(tmp_path / "link.txt").notices[0]
    with pytest.raises(ParameterError, match="named like a file of secrets"):
        attached(tmp_path / "innocent.txt")
    with pytest.raises(ParameterError, match=r"round\.txt"):
        attached(tmp_path / "round.txt")


def test_which_expressions_name_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.makedirs("talks/old")
    for name in ("notes.txt", "talks/b.md", "talks/a.md", "talks/old/c.md", "my notes.md"):
        Path(name).write_text("x")
    assert files_named("notes.txt", {}) == ["notes.txt"]
    assert files_named("notes.txt", {"notes": 1}) is None  # Python wins
    assert files_named("talks/*.md", {}) == ["talks/a.md", "talks/b.md"]
    assert files_named("**/*.md", {}) == [
        "my notes.md",
        "talks/a.md",
        "talks/b.md",
        "talks/old/c.md",
    ]
    assert files_named("my notes.md", {}) == ["my notes.md"]
    assert files_named("df", {"df": 1}) is files_named("df.head()", {}) is None
    Path("my [draft] 1.md").write_text("x")
    assert files_named("my [draft]*.md", {}) == ["my [draft] 1.md"]
    assert files_named("my [n]otes.md", {}) == ["my notes.md"]
    os.symlink("loop", "loop")
    for other, what in (("talks", "is a folder"), ("talks/", "is a folder"), ("loop", "no file")):
        with pytest.raises(ParameterError, match=what):
            files_named(other, {})
    for missing in ("paper.pdf", "none/*.md"):
        with pytest.raises(ParameterError, match="There is no file"):
            files_named(missing, {})
    monkeypatch.setattr(documents, "MOST", 1)
    with pytest.raises(ParameterError, match="one question takes 1"):
        files_named("talks/*.md", {})


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("talks")
    Path("talks/a.md").write_text("x")
    assert attached(Path("talks/a.md"), "talks/a.md").name == "talks/a.md"
    assert attached(tmp_path / "talks/a.md").name == "a.md"
