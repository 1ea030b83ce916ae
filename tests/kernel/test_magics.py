"""The magics as a notebook calls them."""

from __future__ import annotations

import pytest

from tests.support.scripted import answer, error

CODE = "Here:\n\n```python\nx = 1\n```\n\nand\n\n```\ny = 2\n```\n\n```bash\nls\n```\n"


def prompt(server, number: int = -1) -> str:
    return str(server.requests[number].json["messages"][-1]["content"])


def test_the_value_of_a_cell_is_the_reply(kernel, server):
    server.queue(answer("Hello."))
    kernel.run("%%ds\nx")
    assert kernel.value("[type(_).__name__, _.text, _ is ds.last]") == ["Reply", "Hello.", True]


def test_code_goes_into_the_next_cell(kernel, server):
    server.queue(answer(CODE))
    ran = kernel.run("%%ds --code\nx")
    (payload,) = ran.reply["payload"]
    assert (payload["source"], payload["replace"]) == ("set_next_input", False)
    assert payload["text"] == "x = 1\n\ny = 2"


def test_without_code_no_cell_is_made(kernel, server):
    server.queue(answer("No code at all."))
    assert kernel.run("%%ds --code\nx").reply["payload"] == []


def test_out_names_a_variable(kernel, server):
    server.queue(answer("Hello."))
    kernel.run("%%ds --out greeting\nx")
    assert kernel.value("[greeting.text, greeting is ds.last]") == ["Hello.", True]


QUESTIONS = {
    "%ds what is it?": "what is it?",
    "%ds   what is it?  ": "what is it?",
    "r = %ds what is it?": "what is it?",
    "r.x = %ds why?": "why?",
    "%ds don't panic?": "don't panic?",
    "%ds is \"a b\" 'quoted'?": "is \"a b\" 'quoted'?",
    "%ds back\\slash?": "back\\slash?",
    "%ds --no-think what??": "what??",
    "if True:\n    %ds indented?": "indented?",
    "%ds what does ls -x do?": "what does ls -x do?",
    "%ds {single} $HOME {{ 1 + 1 }}?": "{single} $HOME 2?",
}


@pytest.mark.parametrize("code", QUESTIONS, ids=range(len(QUESTIONS)))
def test_a_question_mark_reaches_the_model(kernel, server, code):
    kernel.run("class r: pass")
    server.queue(answer("Because."))
    ran = kernel.run(code)
    assert ran.ok, ran.error
    assert prompt(server) == QUESTIONS[code]


OTHERS = {
    's = """\n%ds what?\n"""\nprint(s)': "\n%ds what?\n\n",
    "s = '''a\n  %ds don't?\n'''\nprint(s)": "a\n  %ds don't?\n\n",
    "s = '%ds what?'\nprint(s)": "%ds what?\n",
    "%%bash\necho '\n%ds what?\n'": "\n%ds what?\n",
    "# %ds what?\nprint(1)": "1",
}


@pytest.mark.parametrize("code", OTHERS, ids=range(len(OTHERS)))
def test_other_cells_that_only_look_like_it_are_untouched(kernel, server, code):
    ran = kernel.run(code)
    assert ran.ok
    assert OTHERS[code] in ran.stdout
    assert server.requests == []


def test_ipythons_own_help_still_works(kernel):
    for code in ("%ds?", "%%deepseek?", "len?"):
        payload = kernel.run(code).reply["payload"]
        assert payload[0]["source"] == "page", code


def test_continue_needs_no_body(kernel, server):
    server.queue(answer("One, two,", finish="length"), answer(" three."), answer(" four."))
    kernel.run("%%ds\nCount.")
    assert kernel.run("%%ds --continue").ok
    assert kernel.run("%%deepseek --continue\n\n").ok
    assert server.requests[1].json["messages"][-1]["prefix"] is True


def test_values_of_the_notebook_fill_braces(kernel, server):
    server.queue(answer("x"), answer("x"))
    kernel.run("n = 3\nname = 'df'")
    kernel.run("%%ds\n{{ n }} rows of {{ name.upper() }}, {n} and ${n} and %s")
    assert prompt(server) == "3 rows of DF, {n} and ${n} and %s"
    kernel.run("def f(local):\n    %ds {{ local }}!\nf('seen')")
    assert prompt(server) == "seen!"


USAGE = {
    "%%ds --thnik\nx": "--think",
    "%%ds --temperature hot\nx": "float",
    "%%ds what is x\nx": "flags only",
    "%%ds --effort huge\nx": "huge",
    "%%ds --out 1x\nx": "--out",
    "%%ds -s 'open\nx": "quotation",
    "%ds": "question",
    "%deepseek blance": "balance",
    "%deepseek config modle=x": "model",
}


@pytest.mark.parametrize("code", USAGE, ids=range(len(USAGE)))
def test_a_mistake_in_a_flag_is_one_line(kernel, server, code):
    ran = kernel.run(code)
    assert ran.reply["status"] == "error"
    assert ran.reply["ename"] == "UsageError"
    told = [*ran.error, *ran.stderr.splitlines()]
    assert len(told) == 1
    assert USAGE[code] in told[0]
    assert server.requests == []


def test_an_error_is_two_lines_and_stops_run_all(kernel, server):
    server.queue(error(402, "Insufficient Balance"))
    asked, after = kernel.run_all(["%%ds\nx", "print('never')"])
    assert len(asked.error) == 2
    assert asked.error[0].startswith("InsufficientBalanceError: Insufficient Balance")
    assert "HTTP 402" in asked.error[0]
    assert asked.error[1].startswith("  → ")
    assert after.reply["status"] == "aborted"


def test_on_error_return_goes_on(kernel, server):
    server.queue(error(402, "Insufficient Balance"))
    asked, after = kernel.run_all(["%%ds --on-error return\nx", "print(type(_.error).__name__)"])
    assert asked.ok
    assert asked.turns[0]["error"]["type"] == "InsufficientBalanceError"
    assert after.stdout == "InsufficientBalanceError\n"


def test_an_unknown_name_is_told_before_anything_is_sent(kernel, server):
    kernel.run("frame = 1")
    ran = kernel.run("%%ds\nWhat is {{ frmae }}?")
    assert len(ran.error) == 2
    assert "frame" in ran.error[1]
    assert server.requests == []


def test_what_a_dry_run_drew_is_asked_to_the_byte_or_refused(kernel, server):
    kernel.run("import pandas as pd\nsales = pd.DataFrame({'price': [12345, 67890]})")
    for change, refused in (("", ""), ("sales['price'] += 1", "messages changed")):
        shown = kernel.run("%%ds --dry-run --no-history -a sales:full\nWhich is dearer?")
        drawn = shown.bundles[-1]["application/vnd.deepseek.dry-run+json"]["id"]
        kernel.run("from deepseek_jupyter.asking.preview import drawn")
        payload = kernel.value(f"drawn({drawn!r}).drawn[1].decode()")
        assert kernel.run(change).ok
        seen = len(server.requests)
        server.queue(answer("The second."))
        ran = kernel.run(f"%deepseek send {drawn}")
        assert refused in "".join(ran.error or ())
        assert [r.raw.decode() for r in server.requests[seen:]] == ([] if refused else [payload])
    assert "did not make that drawing" in "".join(kernel.run("%deepseek send 0").error)
