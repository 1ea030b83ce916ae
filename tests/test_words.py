"""Our words in the user's language: the catalogue is whole, and the language changes only what
people see.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deepseek_jupyter import config, words
from deepseek_jupyter.display import report
from deepseek_jupyter.display.report import Progress, Report, tell
from deepseek_jupyter.errors import DeepSeekError, Interrupted, TruncatedError
from deepseek_jupyter.words import Translator

from .support import catalogue

TABLE = json.loads((Path(__file__).parent / "data" / "words.json").read_text("utf-8"))


@pytest.fixture
def zh():
    words.choose("zh")
    yield
    words.choose("")
    words._shown.clear()


@pytest.mark.parametrize(("text", "shown"), TABLE["examples"])
def test_a_text_is_translated(text, shown):
    assert Translator(TABLE["catalogue"]).said(text) == shown


def test_every_text_that_people_read_is_in_the_catalogue():
    """`python -m tests.support.catalogue` prints what is missing, to fill in."""
    assert catalogue.lacking() == {}


def test_the_catalogue_is_well_formed():
    entries = json.loads(catalogue.CATALOGUE.read_text("utf-8"))
    field = re.compile(r"\{(\w+)[*#]?\}")
    for key, text in entries.items():
        assert set(field.findall(text)) <= set(field.findall(key)), key
        literal = field.sub("", key)
        assert not field.search(key) or re.search("[A-Za-z]{2}|^ of |^ s$", literal), key
        assert "}{" not in re.sub(r"\{\{|\}\}", "", key), key
        assert not re.search("词元|[\u4e00-\u9fff][,;?!] ?[\u4e00-\u9fff]", text), text


def test_an_error_is_said_in_chinese_and_is_english(zh):
    error = TruncatedError("The answer broke off before its end.")
    shown = error._render_traceback_()
    assert shown == [
        "TruncatedError: 回答在结束前中断。",
        "  → 已收到的部分已保留（ds.last）；--continue 可从中断处继续。",
    ]
    assert str(error).startswith("The answer broke off before its end.\nThe part that")
    assert error.record["message"] == "The answer broke off before its end."
    assert Interrupted()._render_traceback_() == ["已停止。已收到的内容已保留（ds.last）。"]


def test_two_sentences_are_two_translations(zh):
    text = "In all ~$0.02. 60% of the prompt tokens came from the cache."
    assert words.said(text) == "共计 ~$0.02。60% 的提示 token 来自缓存。"


def test_what_others_say_is_left_as_it_is(zh):
    error = DeepSeekError("Quota für heute verbraucht.", "")
    assert error._render_traceback_() == ["DeepSeekError: Quota für heute verbraucht."]


def test_a_broken_catalogue_leaves_english(zh, monkeypatch):
    def broken(language: str) -> Translator:
        raise ValueError("no JSON")

    monkeypatch.setattr(words, "_translator", broken)
    assert words.said("Stopped.") == "Stopped."


REPORT = Report(
    "Balance at DeepSeek",
    [("failed", "no price known", "12")],
    ("model", "answers", "cached"),
    "In all $2.",
    quoted=1,
)


def test_a_report_shows_chinese_and_is_english_to_models(zh, monkeypatch):
    html = REPORT._repr_html_()
    assert all(part in html for part in ("DeepSeek 的余额", ">价格未知<", ">回答<", "共计 $2。"))
    assert ">failed<" in html  # a name of the user's
    assert str(REPORT).startswith("Balance at DeepSeek\n  model")
    printed = []
    monkeypatch.setattr(report, "reads_plain_text", lambda: False)
    REPORT._repr_pretty_(Printer(printed), False)
    assert printed == [str(REPORT)]


class Printer:
    def __init__(self, out: list[str]) -> None:
        self.text = out.append


def test_a_terminal_reads_chinese_in_straight_columns_and_models_english(zh, monkeypatch):
    printed: list[str] = []
    monkeypatch.setattr(report, "reads_plain_text", lambda: True)
    REPORT._repr_pretty_(Printer(printed), False)
    assert printed == [
        "DeepSeek 的余额\n  模型    回答      缓存\n  failed  价格未知    12\n共计 $2。"
    ]
    assert words.english(printed[0]) == str(REPORT)


def test_what_a_terminal_showed_is_english_to_models_line_by_line(zh):
    shown = f"1\n\x1b[2m{words.said('Thinking…')}\x1b[0m\n你好"
    assert words.english(shown) == "1\n\x1b[2mThinking…\x1b[0m\n你好"


def test_a_sentence_and_progress_are_chinese(zh, capsys):
    tell("The code is in reply.code.")
    progress = Progress()
    progress(5, 0, "Waiting…")
    out, err = capsys.readouterr()
    assert (out, err) == ("代码在 reply.code 中。\n", "等待中…\n")


def test_the_setting_comes_before_the_page():
    settings = config.DeepSeek()
    try:
        words.tell("zh-CN")
        assert words.said("Stopped. What had arrived is kept (ds.last).").startswith("已停止")
        settings.language = "en"
        assert words.said("Thinking…") == "Thinking…"
        settings.language = "zh"
        words.tell("fr")
        assert words.said("Thinking…") == "正在思考…"
        settings.language = ""
        assert words.said("Thinking…") == "Thinking…"
    finally:
        words.tell("")
        words.choose("")
