"""Changes to cells where no page of ours listens: a notebook front end, and no front end at all."""

from __future__ import annotations

from tests.support.scripted import answer

BROKEN = ("limit = 9", "big = [r for r in (3, 4) if r > limit]\n1 / len(big)")
CHANGE = "Too high.\n\n```python In[{}]\nlimit = 3\n```\n"


def inputs(ran) -> list[str]:
    """What the front end is asked to put into new cells."""
    return [p["text"] for p in ran.reply.get("payload", []) if p["source"] == "set_next_input"]


def failed(kernel) -> int:
    """Run the broken notebook; the number of its first cell."""
    for index, cell in enumerate(BROKEN):
        ran = kernel.run(cell, cell_id=f"cell-{index}")
    assert not ran.ok
    return int(ran.reply["execution_count"]) - 1


def test_fix_accept_and_revert_offer_new_cells(kernel, server):
    server.queue(answer(CHANGE.format(failed(kernel))))
    ran = kernel.run("%deepseek fix", cell_id="fix")
    assert ran.ok, ran.error
    assert inputs(ran) == []
    shown = ran.bundles[-1]
    assert "```diff\n- limit = 9\n+ limit = 3\n```" in shown["text/markdown"]
    assert "```python" not in shown["text/markdown"], "one copy of the code"
    assert len(ran.bundles) == 1, "nothing is below the card"
    accepted = kernel.run("%deepseek fix accept", cell_id="accept")
    assert inputs(accepted) == ["limit = 3"]
    assert kernel.value("limit") == 9
    assert inputs(kernel.run("%deepseek fix revert", cell_id="revert")) == ["limit = 9"]


def test_accept_and_run_runs_it_here(kernel, server):
    server.queue(answer(CHANGE.format(failed(kernel))))
    kernel.run("%deepseek fix", cell_id="fix")
    kernel.run("%deepseek fix accept --run", cell_id="accept")
    assert kernel.value("limit") == 3


def test_the_diff_is_no_markup(kernel, server):
    first = failed(kernel)
    server.queue(answer(f"```python In[{first}]\nlimit = '<img src=x onerror=alert(1)>'\n```"))
    ran = kernel.run("%deepseek fix", cell_id="fix")
    assert "<img" not in ran.bundles[-1]["text/markdown"]


def test_fix_run_again_is_a_sibling_and_no_second_question(kernel, server):
    server.queue(answer("Lower it."), answer("Lower it."))
    failed(kernel)
    for _ in range(2):
        kernel.run("%deepseek fix", cell_id="fix")
    counts = "[len(list(ds.get_session().conversation)), ds.last.turn.branch['count']]"
    assert kernel.value(counts) == [1, 2]


def test_a_run_that_nobody_can_allow_is_refused_and_the_code_is_kept(kernel, server):
    server.queue(answer("```python\nfresh = 1\n```"))
    ran = kernel.run("%%ds --run\nMake a variable.", cell_id="ask")
    assert inputs(ran) == ["fresh = 1"]
    assert kernel.value("'fresh' in globals()") is False


def test_a_run_that_is_allowed(kernel, server):
    server.queue(answer("```python\nfresh = 1\n```"))
    ran = kernel.run("%%ds --run\nMake a variable.", cell_id="ask", answers=["y"])
    assert kernel.value("fresh") == 1
    assert "The model asks to run this code, 1 line:\n\n│ 1 fresh = 1\n" in ran.stdout
    assert "Run this code, 1 line?" in kernel.prompts[-1]["prompt"]


def test_a_run_that_is_denied(kernel, server):
    server.queue(answer("```python\nfresh = 1\n```"))
    ran = kernel.run("%%ds --run\nMake a variable.", cell_id="ask", answers=["n"])
    assert kernel.value("'fresh' in globals()") is False
    assert inputs(ran) == ["fresh = 1"]


def test_cells_that_ran_before_the_extension_was_loaded_count(fresh_kernel, server):
    fresh_kernel.run("limit = 0")
    fresh_kernel.run("%load_ext deepseek_jupyter")
    fresh_kernel.run("1 / limit")
    server.queue(answer("Not zero."))
    ran = fresh_kernel.run("%deepseek fix")
    assert ran.ok, ran.error
    assert "limit = 0" in server.requests[-1].json["messages"][-1]["content"]
