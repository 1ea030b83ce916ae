"""Tables of text: aligned in a terminal, escaped on a page."""

from __future__ import annotations

import pytest

from deepseek_jupyter.display.report import Report

REPORT = Report("Title", [("a", "1"), ("longer", "22")], ("name", "n"), "A remark.\nOn two lines.")


def test_columns_are_aligned():
    assert str(REPORT) == (
        "Title\n  name     n\n  a        1\n  longer  22\nA remark.\nOn two lines."
    )


def test_numbers_and_amounts_stand_at_the_right():
    report = Report("", [("a", "$0.50"), ("b", "$12.25")], ("what", "cost"))
    assert str(report) == "  what    cost\n  a      $0.50\n  b     $12.25"
    assert report._repr_html_().count("text-align:right") == 3


def test_parts_may_be_missing():
    assert str(Report("Only a title")) == "Only a title"
    assert str(Report("", remark="Only a remark")) == "Only a remark"
    assert str(Report("", [("a", "b")])) == "  a  b"
    assert "<table" not in Report("x")._repr_html_()


def test_the_page_gets_text_only():
    evil = "<script>alert(1)</script>&\"'"
    page = Report(evil, [(evil,)], (evil,), evil)._repr_html_()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4
    assert "mathjax_ignore" in page


@pytest.mark.parametrize("shown_by", [str, Report._repr_html_], ids=["terminal", "page"])
def test_nobody_gets_controls(shown_by):
    evil = "a\x1b[31mb\x1b]0;t\x07c\x9b2Jd\u202e"
    shown = shown_by(Report(evil, [(evil,)], (evil,), evil))
    assert not any(char in shown for char in "\x1b\x07\x9b\u202e")
    assert shown.count("abcd") == 4
