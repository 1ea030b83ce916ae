"""``%deepseek fix`` and its kin in a real shell: what is asked, offered and written."""

from __future__ import annotations

import re

import pytest

from deepseek_jupyter import api
from deepseek_jupyter.fixing import fix as fixes
from tests.support.scripted import answer, chunk, sse

BROKEN = ("rows = [3, 4]", "LIMIT = 9", "big = [r for r in rows if r > LIMIT]", "1 / len(big)")
CHANGE = "The limit is too high.\n\n```python In[2]\nLIMIT = 3\n```\n"


@pytest.fixture
def broken(run, server):
    """A notebook whose last cell failed, and an answer that changes its second."""
    for cell in BROKEN:
        run(cell)
    server.queue(answer(CHANGE))


def next_input(shell) -> str | None:
    return getattr(shell, "rl_next_input", None)


def sent(server) -> str:
    return str(server.requests[-1].json["messages"][-1]["content"])


def test_fix_sends_the_error_and_the_cells_it_depends_on(run, server, broken):
    told = run("%deepseek fix")
    asked = sent(server)
    assert asked.startswith("Fix In[4]: ZeroDivisionError\n")
    assert "ZeroDivisionError: division by zero\n  In[4], line 1: 1 / len(big)" in asked
    assert "The cell that failed, In[4]:\n```python\n1 / len(big)\n```" in asked
    for number, cell in enumerate(BROKEN[:3], 1):
        assert f"In[{number}] (for " in asked
        assert cell in asked
    assert "The limit is too high." in told
    assert "In[2]\n- LIMIT = 9\n+ LIMIT = 3\n" in told
    assert "%deepseek fix accept" in told


def test_words_and_flags_go_along(run, server, broken):
    run("%deepseek fix --no-think -m deepseek-v4-pro the limit must stay")
    body = server.requests[-1].json
    assert body["model"] == "deepseek-v4-pro"
    assert body["messages"][-1]["content"].startswith(
        "Fix In[4]: ZeroDivisionError\n\nthe limit must stay\n\n"
    )


def test_the_history_holds_the_short_prompt(run, server, broken):
    run("%deepseek fix")
    import deepseek_jupyter as ds

    assert ds.last.turn.prompt == "Fix In[4]: ZeroDivisionError"


def test_nothing_is_written_before_accept(run, shell, server, broken):
    run("%deepseek fix")
    assert next_input(shell) is None
    assert shell.user_ns["LIMIT"] == 9


def test_accept_offers_the_new_code(run, shell, server, broken):
    run("%deepseek fix")
    assert "Accepted." in run("%deepseek fix accept")
    assert next_input(shell) == "LIMIT = 3"
    assert shell.user_ns["LIMIT"] == 9, "it was not run"


def test_accept_and_run(run, shell, server, broken):
    run("%deepseek fix")
    run("%deepseek fix accept --run")
    assert shell.user_ns["LIMIT"] == 3


def test_reject_and_then_there_is_nothing_to_accept(run, shell, server, broken):
    run("%deepseek fix")
    assert "Rejected" in run("%deepseek fix reject")
    assert "CellError: There is nothing to accept" in run("%deepseek fix accept")
    assert next_input(shell) is None


def test_revert_brings_the_old_code_back(run, shell, server, broken):
    run("%deepseek fix")
    assert "nothing to revert" in run("%deepseek fix revert")
    run("%deepseek fix accept")
    assert "Taken back" in run("%deepseek fix revert")
    assert next_input(shell) == "LIMIT = 9"


def test_refused_when_the_cell_changed_since(run, shell, server):
    for number, cell in enumerate(BROKEN):
        shell.run_cell(cell, store_history=True, cell_id=f"c{number}")
    server.queue(answer(CHANGE))
    run("%deepseek fix")
    shell.run_cell("LIMIT = 2", store_history=True, cell_id="c1")
    told = run("%deepseek fix accept")
    assert "ChangedCellError: In[2] was changed and ran as In[6]." in told
    assert next_input(shell) is None
    assert fixes.newest(api.get_session()).state == "offered"


def test_an_answer_without_code_offers_nothing(run, server, broken):
    server.forget()
    server.queue(answer("The file is missing; download it first."))
    told = run("%deepseek fix")
    assert "No change is offered." in told
    assert "nothing to accept" in run("%deepseek fix accept")


def test_a_change_to_a_cell_that_was_not_sent_is_left_out(run, server, broken):
    server.forget()
    server.queue(answer("```python In[77]\nimport os\n```\n"))
    told = run("%deepseek fix")
    assert "The answer changes In[77], which was not sent" in told
    assert fixes.newest(api.get_session()).edits == ()


def test_half_a_change_is_not_offered(run, shell, server, broken):
    server.forget()
    server.queue(
        sse(chunk({"content": "```python In[2]\nLIMIT = 3\nif LIM"}), chunk({}, finish="length"))
    )
    told = run("%deepseek fix")
    assert "The answer was cut, and an incomplete change is not offered." in told
    assert fixes.newest(api.get_session()).edits == ()


def test_half_an_answer_does_not_run(run, shell, server):
    server.queue(sse(chunk({"content": "```python\nhalf = 1\n"}), chunk({}, finish="length")))
    run("%%ds --run --approve always\nMake a variable.")
    assert "half" not in shell.user_ns


def test_code_that_does_not_parse_is_told(run, server, broken):
    server.forget()
    server.queue(answer("```python In[2]\nLIMIT = = 3\n```"))
    assert "The new source of In[2] is not valid Python" in run("%deepseek fix")


def test_a_frame_on_the_failing_line_is_described_without_its_values(run, server):
    run("import io, pandas as pd")
    run("source = io.StringIO('city,Price\\nRome,4711')\nsales = pd.read_csv(source)")
    run("other = pd.DataFrame({'secret': [1]})")
    run("sales['price']")
    server.queue(answer("Write Price."))
    run("%deepseek fix")
    asked = sent(server)
    before, _, _ = asked.partition("Fix In[")
    assert "Price" in before
    assert "4711" not in before
    assert "secret" not in asked
    run("%deepseek config data_policy=none")
    server.queue(answer("Write Price."))
    run("%deepseek fix --new")
    assert sent(server).startswith("Fix In[")


def test_the_columns_of_a_frame_that_the_failing_cell_made_are_sent(run, server):
    run("import pandas as pd\ndf = pd.DataFrame({'city': ['Rome'], 'price': [4711]})")
    run("u = df.assign(vat=1)\nu['rates']")
    server.queue(answer("Write vat."))
    run("%deepseek fix")
    asked = sent(server)
    before, _, _ = asked.partition("Fix In[")
    assert "vat" in before
    assert "4711" not in before
    # That "1" would not be recognised elsewhere is told on demand: the level is not the user's.
    turn = api.get_session().last.turn
    assert not [said for said in turn.notices if "too short" in said]
    assert [said for said in turn.details if "too short" in said]


def test_a_dry_run_shows_it_and_sends_nothing(run, server, broken):
    told = run("%deepseek fix --dry-run")
    assert "The cell that failed, In[4]:" in told
    assert server.requests == []
    assert "nothing to accept" in run("%deepseek fix accept")


def test_masked_values_leave_under_another_name_and_come_back_in_the_change(run, server):
    run("contact = 'ada@example.com'")
    run("contact.nothing")
    server.queue(answer("No such attribute."))
    run("%deepseek fix")
    asked = sent(server)
    assert "ada@example.com" not in asked
    (alias,) = set(re.findall(r"contact = '([^']*)'", asked))
    server.queue(answer(f"```python In[1]\ncontact = '{alias}'.upper()\n```"))
    told = run("%deepseek fix")
    assert "+ contact = 'ada@example.com'.upper()" in told


def test_a_policy_that_keeps_code_out_of_cells_leaves_explaining(
    run, server, broken, tmp_path, monkeypatch
):
    policy = tmp_path / "deepseek-policy.toml"
    policy.write_text("[teaching]\nforbid_code_insertion = true\n")
    monkeypatch.setenv("DEEPSEEK_POLICY", str(policy))
    for line in ("%deepseek fix", "%deepseek test", "%deepseek doc 1"):
        assert "forbids putting the model's code into cells" in run(line)
    assert server.requests == []
    run("%deepseek explain 1")
    assert len(server.requests) == 1


def test_without_an_error_there_is_nothing_to_fix(run, server):
    run("x = 1")
    assert "CellError: No cell has failed" in run("%deepseek fix")
    assert server.requests == []


def test_an_error_that_was_mended_is_not_asked_about(run, shell, server):
    shell.run_cell("1 / 0", store_history=True, cell_id="a")
    shell.run_cell("1 / 1", store_history=True, cell_id="a")
    assert "In[1] ran without an error as In[2]." in run("%deepseek fix")
    assert server.requests == []


def test_our_own_errors_are_not_the_codes(run, shell, server):
    run("1 / 0")
    run("%deepseek nonsense")
    run("%ds {{ missing }}")
    server.queue(answer("Divide by something else."))
    run("%deepseek fix")
    assert "Fix In[1]: ZeroDivisionError" in sent(server)


def test_a_syntax_error_is_fixed_too(run, server):
    run("total = 3")
    run("print(total")
    server.queue(answer("```python In[2]\nprint(total)\n```"))
    told = run("%deepseek fix")
    assert "SyntaxError" in sent(server)
    assert "total = 3" in sent(server)
    assert "+ print(total)" in told


def test_magics_and_shell_lines_do_not_hide_what_cells_define(run, server):
    run("%%time\nvalues = [1]")
    run("lines = !echo one\n%precision 3")
    run("values[len(lines)]")
    server.queue(answer("Index 0."))
    run("%deepseek fix")
    assert "%%time\nvalues = [1]" in sent(server)
    assert "lines = !echo one" in sent(server)


def test_a_hidden_character_in_a_change_is_written_out(run, server, broken):
    server.forget()
    server.queue(answer("```python In[2]\nLIMIT = 3  # \u202e }\n```"))
    told = run("%deepseek fix")
    assert "⟨U+202E⟩" in told.split("```")[-1]


def test_explain_is_about_the_cell_before(run, server):
    run("def area(r):\n    return 3 * r * r")
    run("area(2)")
    server.queue(answer("It multiplies."))
    assert "It multiplies." in run("%deepseek explain")
    assert "The cell, In[2]:\n```python\narea(2)\n```" in sent(server)
    assert "def area" in sent(server)


@pytest.mark.parametrize("named", ["1", "In[1]", "[1]", "area"])
def test_a_cell_is_named_by_number_or_by_what_it_defines(run, server, named):
    run("def area(r):\n    return 3 * r * r")
    run("x = 1")
    server.queue(answer("It multiplies."))
    run(f"%deepseek explain {named}")
    assert "The cell, In[1]:" in sent(server)
    assert ("`area`" in sent(server)) == (named == "area")


def test_a_cell_that_is_not_there(run, server):
    run("x = 1")
    assert "No cell ran as In[9], and none defined it." in run("%deepseek explain In[9]")
    assert server.requests == []


def test_doc_and_optimize_propose_changes(run, shell, server):
    run("def area(r):\n    return 3 * r * r")
    for kind in ("doc", "optimize"):
        server.queue(
            answer('```python In[1]\ndef area(r):\n    """Of a disc."""\n    return 3\n```')
        )
        told = run(f"%deepseek {kind} area")
        assert '+     """Of a disc."""' in told
    run("%deepseek optimize accept")
    assert '"""Of a disc."""' in next_input(shell)


@pytest.mark.parametrize("kind", ["explain", "test"])
def test_a_function_may_be_called_accept(run, shell, server, kind, broken):
    run("%deepseek fix")
    run("def accept(offer):\n    return True")
    server.queue(answer("It says yes."))
    run(f"%deepseek {kind} accept")
    assert "`accept` in In[6]" in sent(server)
    assert fixes.newest(api.get_session()).kind == kind
    assert next_input(shell) is None, "the fix that was offered is still only offered"


def test_test_puts_tests_into_a_new_cell(run, shell, server):
    run("def area(r):\n    return 3 * r * r")
    server.queue(answer("```python\nassert area(1) == 3\n```"))
    run("%deepseek test area")
    assert next_input(shell) == "assert area(1) == 3"


def test_code_of_several_blocks_goes_into_the_next_input(run, shell, server):
    server.queue(answer("```python\na = 1\n```\nand\n```python\nb = 2\n```"))
    run("%%ds --code\nTwo variables.")
    assert next_input(shell) == "a = 1\n\nb = 2"


RUNS = {"": False, "--approve always": True, "--approve never": False, "--approve ask": False}


@pytest.mark.parametrize("flags", RUNS)
def test_where_nobody_can_answer_code_runs_only_if_the_question_says_so(run, shell, server, flags):
    server.queue(answer("```python\nbrand_new = 1\n```"))
    run(f"%%ds --run {flags}\nMake a variable.")
    assert ("brand_new" in shell.user_ns) is RUNS[flags]
    assert (next_input(shell) == "brand_new = 1") is not RUNS[flags]


def test_a_setting_cannot_let_code_run(run, shell, server):
    run("%deepseek config approve=always")
    server.queue(answer("```python\nbrand_new = 1\n```"))
    run("%%ds --run\nMake a variable.")
    assert "brand_new" not in shell.user_ns


FAILS = {
    "a key": ("people[name + ' Jr']", "KeyError", "Alice Quux Jr"),
    "a message": ("raise ValueError(people[name])", "ValueError", "secret-1"),
    "a cause": (
        "try:\n    int(name)\nexcept ValueError as error:\n    raise KeyError('x') from error",
        "ValueError",
        "Alice Quux",
    ),
}


@pytest.mark.parametrize("case", FAILS)
@pytest.mark.parametrize(
    "rule", ['level = "none"', 'level = "stats"', '[data.columns]\nx = "none"']
)
def test_an_error_s_message_is_an_output_for_a_policy(
    run, server, monkeypatch, tmp_path, case, rule
):
    policy = tmp_path / "deepseek-policy.toml"
    policy.write_text(f"{'' if rule[0] == '[' else '[data]'}\n{rule}\n")
    monkeypatch.setenv("DEEPSEEK_POLICY", str(policy))
    code, kind, value = FAILS[case]
    run("name = ' '.join(['Alice', 'Quux']); people = {name: '-'.join(['secret', '1'])}")
    run(code)
    server.queue(answer("Look it up first."))
    run("%deepseek fix")
    asked = sent(server)
    assert f"{kind}: (its message stays here" in asked
    assert value not in asked


def test_a_message_that_the_code_says_anyway_goes(run, server, monkeypatch, tmp_path):
    policy = tmp_path / "deepseek-policy.toml"
    policy.write_text('[data]\nlevel = "none"\n')
    monkeypatch.setenv("DEEPSEEK_POLICY", str(policy))
    run("{'a': 1}['rates']")
    server.queue(answer("There is no rates."))
    run("%deepseek fix")
    assert "KeyError: 'rates'" in sent(server)


@pytest.mark.parametrize("kind", ["fix", "explain", "doc"])
def test_cells_that_may_not_leave_do_not_leave_for_a_fix(run, server, monkeypatch, tmp_path, kind):
    policy = tmp_path / "deepseek-policy.toml"
    policy.write_text('[data]\nforbid = ["cell"]\n')
    monkeypatch.setenv("DEEPSEEK_POLICY", str(policy))
    run("1 / 0")
    told = run(f"%deepseek {kind}")
    assert "forbids attaching In[1]" in told
    assert server.requests == []
