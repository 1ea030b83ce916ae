"""``deepseek-policy.toml``: which files apply, what they may say, and how a mistake is told."""

from __future__ import annotations

import os
import socket
import time
from decimal import Decimal
from pathlib import Path

import pytest

from deepseek_jupyter.errors import PolicyError
from deepseek_jupyter.privacy.policy_file import (
    DETECTORS,
    FILE,
    VARIABLE,
    DataRules,
    FrameRule,
    Money,
    PolicyFiles,
    TeachingRules,
    find,
    load,
    parse,
)

EVERYTHING = """\
[data]
level = "stats"
detectors = true
budget = 800
forbid = ["image", "file"]
min_group = 10

[data.columns]
"*email*" = "none"
salary = "sample(3)"

[data.frames]
patients = "schema"
visits = {level = "stats", columns = {"*name*" = "none"}, unit = "patient"}

[teaching]
hints_only = true
no_whole_solutions = true
instructions = "Name the chapter that helps."
thinking = "required"
models = ["deepseek-*"]
providers = ["deepseek", "local"]
budget = "0.50 USD"
budget_tokens = 200_000
forbid_tools = ["run_python"]
forbid_code_insertion = true
"""


def told(text: str) -> str:
    with pytest.raises(PolicyError) as raised:
        parse(text, "course.toml")
    assert raised.value.hint
    return raised.value.what


class TestContent:
    def test_every_rule_becomes_a_frozen_value(self):
        data, teaching = parse(EVERYTHING, "x")
        assert data == DataRules(
            level="stats",
            columns=(("*email*", "none"), ("salary", "sample(3)")),
            frames=(
                FrameRule("patients", "schema"),
                FrameRule("visits", "stats", (("*name*", "none"),), "patient"),
            ),
            detectors=DETECTORS,
            budget=800,
            forbid=("image", "file"),
            min_group=10,
        )
        assert teaching == TeachingRules(
            hints_only=True,
            no_whole_solutions=True,
            instructions="Name the chapter that helps.",
            thinking="required",
            models=("deepseek-*",),
            providers=("deepseek", "local"),
            budget=Money(Decimal("0.50"), "USD"),
            budget_tokens=200_000,
            forbid_tools=("run_python",),
            forbid_code_insertion=True,
        )
        with pytest.raises(AttributeError):
            teaching.hints_only = False

    def test_an_empty_file_says_nothing(self):
        assert parse("", "x") == (DataRules(), TeachingRules())

    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            ("[data]\nlevel = ", 2, "Invalid value"),
            ('[data]\nlevel = "stats', 2, "string"),
            ("[teaching]\nhints_only = true\nmodles = []", 3, "'modles'. Did you mean models?"),
            ("[techaing]", 1, "[techaing]. Did you mean teaching?"),
            ('level = "none"', 1, "no section [level]"),
            ("teaching = 3", 1, "write [teaching]"),
            ("teaching = {hints = true}", 1, "'hints'"),
            ("teaching.hints = true", 1, "'hints'"),
            ('\n\n[data]\n# why\nlevel = "all"', 5, "data.level is one of none, schema"),
            ('[data]\nlevel = "sample(0)"', 2, "sample(N)"),
            ("[data]\nbudget = 0", 2, "1 or more"),
            ("[data]\nbudget = true", 2, "number of tokens"),
            ('[data.columns]\nage = "secret"', 1, "'age' is one of none"),
            ('[data]\n"columns" = "none"', 2, "table of patterns"),
            ('[data]\ndetectors = ["e-mail"]', 2, "it takes email, phone"),
            ('[data]\nforbid = ["picture"]', 2, "no 'picture'"),
            ('[data.frames]\ndf = {leve = "none"}', 1, "no key 'leve'"),
            ("[data.frames]\ndf = {unit = 3}", 1, "a unit that is no name"),
            ("[data]\nmin_group = 1", 2, "2 or more"),
            ("[data]\nmin_group = true", 2, "number of rows"),
            ('[teaching]\nhints_only = "yes"', 2, "true or false"),
            ("[teaching]\nbudget = 0.5", 2, '"0.50 USD"'),
            ('[teaching]\nbudget = "0.5 EUR"', 2, "USD or CNY"),
            ('[teaching]\nthinking = "off"', 2, '"shown" or "required"'),
            ('[teaching]\nmodels = "deepseek-flash"', 2, "list of texts"),
            ("[teaching]\nhints_only = true\nhints_only = false", 3, "overwrite"),
        ],
    )
    def test_a_mistake_is_told_with_path_line_and_what_would_be_right(self, text, line, words):
        what = told(text)
        assert what.startswith(f"course.toml, line {line}: ")
        assert words in what


def filled(begin: str, again: str, end: str = "") -> str:
    """As large as a file may be."""
    return begin + again * ((250_000 - len(begin) - len(end)) // len(again)) + end


HOSTILE = {
    "dots": filled("", "a.", "a=1"),
    "dots between quotes": filled("", "\"a\".'b'.", "a=1"),
    "dots in a head": filled("[", "a.", "a]"),
    "dots in braces": filled("x = {", "a . ", "a=1}"),
    "dots behind a text": filled('x = [ """y""""", {', "a.", "a=1}]"),
    "brackets": filled("[data]\nforbid=", "["),
    "brackets of many lines": filled("[data]\nforbid=", "[\n"),
    "braces": filled("[data]\ncolumns=", "{a="),
    "brackets between comments": filled("[data]\nforbid=[ # ]\n", "[ # ]\n"),
    "a long number": filled("[data]\nbudget=", "9"),
    "a longer number": filled("[data]\nbudget=0x", "f"),
    "a long amount": filled('[teaching]\nbudget="', "9", ' USD"'),
    "a long level": filled('[data]\nlevel="sample(', "9", ')"'),
    "a long key": filled("[data]\n", "k", "=1"),
    "a key of lines": '[data]\n"a\\nb\\nc"=1',
    "a section of lines": '["a\\nb"]',
    "blanks": filled("[teaching]\ninstructions='''\na", " ", "\n'''\nx=1"),
    "a text without end": filled('a="""', '\\"""'),
    "backslashes": filled('a="""', "\\"),
    "quotes": filled("a=", '"'),
    "many sections": "".join(f"[a{n}]\n" for n in range(30_000)),
    "many keys": "[data]\n" + "".join(f"k{n}=1\n" for n in range(25_000)),
    "sections in a list": filled("", "[[a]]\n"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_a_trap_is_told_in_two_lines_and_in_linear_time(name):
    began = time.process_time()
    with pytest.raises(PolicyError) as raised:
        parse(HOSTILE[name], "course.toml")
    assert time.process_time() - began < 4
    assert len(str(raised.value).splitlines()) == 2
    assert len(str(raised.value)) < 700


@pytest.mark.parametrize(
    "text",
    [
        f"instructions = '''Read {'1.' * 40}'''",
        'instructions = """[[[[[[[[[[[[[[[[[[[[[[[[ \\" {{{{{{{{{{{{{{{{{{{{{ \'\'\' """',
        f'models = ["{"a." * 40}*"] # {"[." * 50}',
    ],
)
def test_what_stands_in_texts_and_comments_is_no_structure(text):
    _, teaching = parse(f"[teaching]\n{text}\n", "course.toml")
    assert teaching.instructions or teaching.models


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "device", "socket"])
def test_nothing_of_that_name_holds_a_question(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(FILE)  # a longer path is none for a socket
    elif kind == "device":
        (tmp_path / FILE).symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / (FILE if kind == "pipe" else "pipe"))
        if kind != "pipe":
            (tmp_path / FILE).symlink_to(tmp_path / "pipe")
    with pytest.raises(PolicyError, match="cannot be read") as raised:
        load(str(tmp_path / "x.ipynb"), {})
    assert len(str(raised.value).splitlines()) == 2


class TestFiles:
    def write(self, folder: Path, text: str = "") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(text, "utf-8")
        return folder / FILE

    def test_every_file_upward_from_the_notebook_applies(self, tmp_path):
        outer = self.write(tmp_path / "course", "[teaching]\nhints_only = true\n")
        inner = self.write(tmp_path / "course" / "week 3", '[data]\nlevel = "schema"\n')
        self.write(tmp_path / "course" / "week 4")
        policy = load(str(inner.parent / "lab.ipynb"), {})
        assert policy.paths == (str(outer), str(inner))
        assert [rules.level for rules in policy.data] == [None, "schema"]
        assert [rules.hints_only for rules in policy.teaching] == [True, False]

    def test_without_a_notebook_the_working_directory_counts(self, tmp_path, monkeypatch):
        file = self.write(tmp_path / "here")
        monkeypatch.chdir(file.parent)
        assert load(None, {}).paths == (str(file),)
        assert load("/not/on/this/machine/x.ipynb", {}).paths == (str(file),)

    def test_no_file_is_no_policy(self, tmp_path):
        assert load(str(tmp_path / "x.ipynb"), {}) == PolicyFiles()
        assert not PolicyFiles()

    def test_the_variable_names_one_more(self, tmp_path):
        admin = self.write(tmp_path / "etc", "[teaching]\nno_whole_solutions = true\n")
        own = self.write(tmp_path / "home")
        notebook = str(own.parent / "x.ipynb")
        assert load(notebook, {VARIABLE: str(admin)}).paths == (str(admin), str(own))
        assert load(notebook, {VARIABLE: str(own)}).paths == (str(own),)

    def test_a_file_that_the_variable_names_must_be_there(self, tmp_path):
        for missing in (str(tmp_path / "gone.toml"), "~no-such-user-here/gone.toml"):
            with pytest.raises(PolicyError, match=r"gone\.toml cannot be read: No such file"):
                load(str(tmp_path / "x.ipynb"), {VARIABLE: missing})

    def test_a_change_is_seen_at_once(self, tmp_path):
        file = self.write(tmp_path, "[data]\nbudget = 100\n")
        before = os.stat(file)
        assert load(str(tmp_path / "x.ipynb"), {}).data[0].budget == 100
        file.write_text("[data]\nbudget = 200\n", "utf-8")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert load(str(tmp_path / "x.ipynb"), {}).data[0].budget == 200

    @pytest.mark.parametrize(
        ("content", "reason"),
        [(b"\xff\xfe\x00", "codec"), (b"#" * 250_001, "larger than 250,000 bytes")],
    )
    def test_what_cannot_be_read_stops_the_question(self, tmp_path, content, reason):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(PolicyError, match="until then nothing is sent") as raised:
            load(str(tmp_path / "x.ipynb"), {})
        assert reason in raised.value.what
        assert str(tmp_path / FILE) in raised.value.what

    def test_a_folder_or_a_dangling_link_of_that_name_is_no_way_round(self, tmp_path):
        (tmp_path / "a" / FILE).mkdir(parents=True)
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / FILE).symlink_to(tmp_path / "nowhere")
        for folder in ("a", "b"):
            with pytest.raises(PolicyError, match="cannot be read"):
                load(str(tmp_path / folder / "x.ipynb"), {})

    def test_the_search_goes_up_in_order(self, tmp_path):
        files = [self.write(tmp_path / path) for path in (".", "a", "a/b")]
        assert find(str(tmp_path / "a/b/x.ipynb"), {}) == files


def test_a_working_directory_that_was_deleted_holds_no_file(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert find(None, {}) == find("relative.ipynb", {}) == []
