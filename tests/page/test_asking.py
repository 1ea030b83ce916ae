"""The panel asks through the kernel, beside its cells: nothing waits, nothing is lost."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.page import Page, Refused
from tests.support.scripted import Reply, answer, deltas, error, pause, send
from tests.support.wires import named, responses_events, search
from tests.support.wording import tool_call


def prompts(page) -> list[str]:
    """The questions of the active branch."""
    way = [id for id, *_ in page.ask("conversation")["way"]]
    return [record["prompt"] for record in page.ask("turns", ids=way)["records"]] if way else []


def test_a_question_of_the_panel_is_answered_and_stays_in_the_conversation(page, server):
    server.queue(answer("Paris.", reasoning="France, so"))
    page.ask("conversation")
    done = page.ask("ask", prompt="The capital of France?")
    assert done["status"] == "done"
    (record,) = page.ask("turns", ids=[done["turn"]])["records"]
    assert (record["answer"], record["reasoning"]) == ("Paris.", "France, so")
    assert record["cell_id"] is None
    streamed = "".join(m.get("answer", "") for m in page.heard if m["type"] == "delta")
    assert streamed
    assert "Paris.".startswith(streamed)  # the rest came with the record
    assert prompts(page) == ["The capital of France?"]


def test_the_panel_answers_while_a_cell_runs(page, kernel, server):
    page.ask("conversation")
    cell = kernel.send("import time\nfor _ in range(100): time.sleep(0.1)")
    kernel.wait_for(cell, "status", "busy")
    server.queue(answer("At once."))
    assert page.ask("ask", prompt="Now?")["status"] == "done"
    assert page.ask("names")["names"] is not None
    assert not kernel._idle(cell)
    kernel.interrupt()
    kernel.finish(cell)


def test_the_kernel_is_free_while_the_panel_streams(page, kernel, server):
    page.ask("conversation")
    server.queue(Reply(deltas(400, rate=50)))
    asked = page.send("ask", prompt="A long story")
    running = page.turn("begun", "A long story")
    assert kernel.run("21 * 2").bundles[-1]["text/plain"] == "42"
    page.say({"type": "stop", "id": running["id"]})
    assert page.answer(asked)["status"] == "interrupted"


def test_a_turn_of_a_cell_is_told_to_the_page_at_once(page, kernel, server):
    page.ask("conversation")
    server.queue(Reply([*deltas(20, rate=50)]))
    cell = kernel.send("%%ds\nFrom a cell", cell_id="c-1")
    begun = page.turn("begun", "From a cell")
    assert begun["cell_id"] == "c-1"
    assert not kernel._idle(cell)
    ended = page.turn("ended", "From a cell")
    assert ended["id"] == begun["id"]
    assert ended["answer"]
    kernel.finish(cell)
    moved = page.until(lambda m: m["type"] == "moved" and m["tip"] == begun["id"])
    assert moved["count"] == 1


def test_a_cell_goes_on_from_what_the_panel_asked(page, kernel, server):
    page.ask("conversation")
    server.queue(answer("Seven."), answer("Eight."))
    page.ask("ask", prompt="Pick a number.")
    assert kernel.run("%%ds\nAdd one.").ok
    sent = [m["content"] for m in server.requests[-1].json["messages"]]
    assert sent == ["Pick a number.", "Seven.", "Add one."]


def test_the_switch_goes_back_to_the_branch_that_ends_there(page, kernel, server):
    server.queue(answer("One."), answer("Two."))
    first = page.ask("ask", prompt="Go.")["turn"]
    kernel.run(f"%deepseek fork {first} other")
    kernel.run("%deepseek checkout main")
    second = page.ask("regenerate", turn=first)["turn"]
    moved = page.ask("switch", turn=second, step=-1)
    assert (moved["tip"], moved["active"]) == (first, "other")
    assert moved["branches"]["main"] == second


def test_asking_again_makes_a_sibling_and_the_switch_goes_between_them(page, server):
    server.queue(answer("One."), answer("Two."), answer("After two."))
    page.ask("conversation")
    first = page.ask("ask", prompt="Say a word.")["turn"]
    second = page.ask("regenerate", turn=first)["turn"]
    after = page.ask("ask", prompt="And then?")["turn"]
    way = page.ask("conversation")["way"]
    assert [(id, index, count) for id, _, index, count in way] == [(second, 2, 2), (after, 1, 1)]
    assert page.ask("switch", turn=second, step=-1)["tip"] == first
    assert page.ask("switch", turn=first, step=1)["tip"] == after  # where it was left


def test_an_edited_question_takes_the_place_of_the_old_one(page, server):
    server.queue(answer("Hello."), answer("It is red."), answer("It is blue."))
    page.ask("conversation")
    page.ask("ask", prompt="Hi")
    old = page.ask("ask", prompt="What is blood's colour?")["turn"]
    page.ask("ask", prompt="What is the sky's colour?", instead_of=old)
    assert prompts(page) == ["Hi", "What is the sky's colour?"]
    sent = [m["content"] for m in server.requests[-1].json["messages"]]
    assert sent == ["Hi", "Hello.", "What is the sky's colour?"]


def test_a_cell_and_the_panel_at_once_are_both_kept(page, kernel, server):
    page.ask("conversation")
    server.queue(answer("The root."))
    root = page.ask("ask", prompt="Begin")["turn"]
    server.queue(Reply(deltas(60, rate=40)), Reply(deltas(20, rate=40)))
    cell = kernel.send("%%ds\nBy the cell")
    page.turn("begun", "By the cell")
    by_panel = page.ask("ask", prompt="By the panel")["turn"]
    kernel.finish(cell)
    by_cell = page.turn("ended", "By the cell")
    nodes = {node["id"]: node for node in page.ask("tree")["nodes"]}
    assert set(nodes) == {root, by_panel, by_cell["id"]}
    assert nodes[by_panel]["parent"] == nodes[by_cell["id"]]["parent"] == root


def test_what_fails_is_told_and_the_panel_goes_on(page, server):
    page.ask("conversation")
    server.queue(error(401, {"error": {"message": "no such key"}}))
    assert page.ask("ask", prompt="Hello?")["status"] == "error"
    record = page.turn("ended", "Hello?")
    assert record["error"]["type"] == "AuthenticationError"
    server.queue(answer("Yes."))
    assert page.ask("ask", prompt="Hello again?")["status"] == "done"
    assert prompts(page) == ["Hello again?"]


@pytest.mark.slow
def test_a_turn_of_the_panel_survives_a_kernel_that_is_killed(base_environment, server, tmp_path):
    import os
    import signal

    from tests.support.kernels import Kernel
    from tests.support.page import Page

    environment = {**base_environment, "JPY_SESSION_NAME": str(tmp_path / "n.ipynb")}
    environment["DEEPSEEK_JUPYTER_HOME"] = str(tmp_path / "state")
    server.queue(answer("Whole."), Reply([*deltas(200, rate=20), pause(10)]))
    with Kernel(environment, tmp_path / "one") as kernel:
        kernel.run("%load_ext deepseek_jupyter")
        page = Page(kernel)
        page.ask("ask", prompt="First")
        page.send("ask", prompt="Second")
        page.until(lambda m: m["type"] == "delta" and m["seq"] > 30)
        time.sleep(0.2)
        os.kill(kernel.pid, signal.SIGKILL)
    with Kernel(environment, tmp_path / "two") as kernel:
        kernel.run("%load_ext deepseek_jupyter")
        page = Page(kernel)
        way = [id for id, *_ in page.ask("conversation")["way"]]
        first, second = page.ask("turns", ids=way)["records"]
    assert first["answer"] == "Whole."
    assert second["status"] == "interrupted"
    assert second["answer"]


def test_a_dry_run_sends_nothing_and_tells_all(page, server):
    server.queue(answer("Hello."))
    page.ask("ask", prompt="Hi")
    seen = len(server.requests)
    shown = page.ask("dry_run", prompt="And now?")
    assert len(server.requests) == seen
    assert [m["text"] for m in shown["messages"]] == ["Hi", "Hello.", "And now?"]
    assert "Nothing was sent" in shown["title"]
    # DeepSeek's price doubles in the peak hours.
    summary = r"18 of 1,048,576 tokens, about \$0\.00000(?:39|20), 5 cached"
    assert re.fullmatch(summary, shown["summary"])
    assert [report["title"] for report in shown["reports"]] == ["Tokens", "Nothing was masked."]
    assert prompts(page) == ["Hi"]


def test_the_gauge_says_what_the_dry_run_does_or_what_is_wrong(page, kernel, server):
    kernel.run("notes = 'A line of the talk. ' * 900")
    page.ask("conversation")
    gauge = page.ask("gauge", prompt="What is in @notes?")["gauge"]
    assert re.fullmatch(r"\d,\d{3} of 1,048,576 tokens, about \$0\.00\d+, 0 cached", gauge)
    assert page.ask("dry_run", prompt="What is in @notes?")["summary"].startswith(gauge)
    assert not server.requests
    kernel.run("ds.get_session().config.providers = {'deepseek': {'context_tokens': 2_000}}")
    assert "takes 2,000 in all." in page.ask("gauge", prompt="What is in @notes?")["gauge"]


def test_a_question_is_searched_for_and_its_gauge_and_dry_run_say_what_that_means(page, server):
    page.ask("conversation")
    means = "Words of the question may go to a web search"
    assert means in page.ask("gauge", prompt="How?", web=True)["gauge"]
    assert means not in page.ask("gauge", prompt="How?")["gauge"]
    reports = page.ask("dry_run", prompt="How?", web=True)["reports"]
    assert any(report["remark"].startswith(means) for report in reports)
    assert not server.requests
    events = responses_events("They sleep little.", before=[search("giraffe sleep")])
    server.queue(Reply(send(*map(named, events))))
    asked = page.ask("ask", prompt="How?", web=True)
    assert asked["status"] == "done"
    assert server.requests[-1].json["tools"] == [{"type": "web_search"}]
    server.queue(Reply(send(*map(named, responses_events("They do not.")))))
    page.ask("regenerate", turn=asked["turn"])
    assert server.requests[-1].json["tools"] == [{"type": "web_search"}]
    server.queue(answer("Yes."))
    page.ask("ask", prompt="Sure?")
    assert "tools" not in server.requests[-1].json


def test_a_frame_is_attached_under_the_policy_of_its_chip(page, kernel, server):
    kernel.run("import pandas as pd\nsales = pd.DataFrame({'price': [12345, 67890]})")
    server.queue(answer("Two rows."))
    page.ask("conversation")
    shown = page.ask("dry_run", prompt="What is in @sales?", attach=["sales:schema"])
    body = shown["messages"][-1]["text"]
    assert "price" in body
    assert "12345" not in body
    page.ask("ask", prompt="What is in @sales?", attach=["sales:schema"])
    assert server.requests[-1].json["messages"][-1]["content"] == body
    record = page.turn("ended", "What is in @sales?")
    assert record["attachments"][0]["policy"].startswith("schema")


def test_asking_again_attaches_the_same_under_the_same_policy(page, kernel, server):
    kernel.run("import pandas as pd\nsales = pd.DataFrame({'price': [12345, 67890]})")
    server.queue(answer("One."), answer("Two."), answer("Three."), answer("Four."))
    page.ask("conversation")
    turn = page.ask("ask", prompt="What is in @sales?", attach=["sales:schema"])["turn"]
    page.ask("regenerate", turn=turn)
    kernel.run("%%ds --attach sales:stats\nOf a cell: what is in it?")
    by_cell = page.turn("ended", "Of a cell: what is in it?")
    assert by_cell["attachments"][0]["policy"] == "stats"
    page.ask("regenerate", turn=by_cell["id"])
    records = page.ask("turns", ids=[n["id"] for n in page.ask("tree")["nodes"]])["records"]
    policies = [record["attachments"][0]["policy"] for record in records]
    assert policies == ["schema", "schema", "stats", "stats"]
    sent = [m["content"] for r in server.requests[:2] for m in r.json["messages"]]
    assert all("price" in text and "12345" not in text for text in sent)


def test_cells_of_a_page_are_attached_and_pass_the_gate(page, kernel, server):
    server.queue(answer("One."), answer("Two."))
    page.ask("conversation")
    printed = {"output_type": "stream", "name": "stdout", "text": "to: ada@example.org\n"}
    cells = [
        {"cell_type": "code", "source": "x = 41", "execution_count": 7, "outputs": [printed]},
        {"cell_type": "markdown", "source": "# Aims", "place": 3},
    ]
    turn = page.ask("ask", prompt="Why?", cells=cells)["turn"]
    record = page.turn("ended", "Why?")
    assert [a["name"] for a in record["attachments"]] == ["In[7]", "cell 3"]
    said = server.requests[-1].json["messages"][-1]["content"]
    assert "x = 41" in said
    assert "# Aims" in said
    assert "ada@example.org" not in said
    assert "<email-1>" in said
    page.ask("regenerate", turn=turn)
    assert server.requests[-1].json["messages"][-1]["content"] == said


@pytest.mark.parametrize("wrong", ["x", [1], [{}] * 65, {"a": 1}], ids=str)
def test_what_is_no_list_of_cells_is_refused(page, server, wrong):
    with pytest.raises(Refused, match="ParameterError"):
        page.ask("ask", prompt="Why?", cells=wrong)
    assert server.requests == []


def test_the_panels_tools_are_called_by_its_questions_alone(page, kernel, server):
    kernel.run("def double(n: int) -> int:\n    'Twice n.'\n    return 2 * n")
    told = page.ask("settings", set={"tools": [" double ", "sql", "", "double"]})
    assert told["tools"] == ["double", "sql"]
    call = tool_call("c1", "double", '{"n": 21}')
    server.queue(answer("", None, [call], finish="tool_calls"), answer("42."), answer("Hi."))
    assert page.ask("ask", prompt="Twice 21?")["status"] == "done"
    first, second = (request.json for request in server.requests)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["double"]  # sql has no table
    assert second["messages"][-1]["content"] == "42"
    kernel.run("%%ds --no-history\nHello")
    assert "tools" not in server.requests[-1].json


ACTS = """\
import deepseek_jupyter as ds
from deepseek_jupyter.display.pages import pages
from deepseek_jupyter.tools.functions import Tool
done = []
acts = Tool("act", "Act.", {"type": "object", "properties": {}},
            lambda: done.append("acted") or "ran", consent="ask", preview=lambda a: "act()")
"""


def test_a_question_goes_on_to_the_next_page_and_ends_with_the_last(fresh_kernel, server):
    kernel = fresh_kernel
    assert kernel.run(f"%load_ext deepseek_jupyter\n{ACTS}").ok
    call = answer("", None, [tool_call("c1", "act", "{}")], finish="tool_calls")

    def begun(page: Page) -> str:
        server.queue(call, answer("Ok."))
        cell = kernel.send("reply = ds.ask('Go.', tools=[acts])")
        page.until(lambda m: m["type"] == "steps" and m["asking"])
        return cell

    first = Page(kernel)
    first.ask("conversation")
    cell = begun(first)
    first.leave()  # and is loaded again
    second = Page(kernel)
    shown = second.until(lambda m: m["type"] == "snapshot" and m["record"].get("asking"))
    assert shown["record"]["asking"] == {"call": "c1", "text": "act()"}
    second.say({"type": "approve", "id": shown["id"], "call": "c1"})
    assert kernel.finish(cell).ok
    assert kernel.value("done") == ["acted"]

    assert kernel.run("pages.grace = 0.0").ok
    cell = begun(second)
    second.leave()
    ran = kernel.finish(cell)
    assert ran.ok, ran.error
    assert kernel.value("done") == ["acted"]
    assert kernel.value("[d for s in reply.steps for _, d in s.decisions]") == ["nobody to ask"]
    assert "act was denied: the page that asked was closed." in ran.turns[-1]["notices"]
    assert server.requests[-1].json["messages"][-1]["content"].startswith("denied")


def test_a_continuation_that_broke_off_is_continued_again(page, server):
    page.ask("conversation")
    server.queue(
        answer("One, two,", finish="length"),
        answer(" thr", finish="length"),
        answer(" three."),
    )
    page.ask("ask", prompt="Count.")
    broken = page.ask("ask", prompt="", go_on=True)
    again = page.ask("regenerate", turn=broken["turn"])
    assert again["status"] == "done"
    first, second = (r.json["messages"] for r in server.requests[-2:])
    assert first == second
    assert second[-1]["content"] == "One, two,"


def test_a_continuation_that_failed_is_asked_for_again(page, server):
    page.ask("conversation")
    server.queue(answer("One, two,", finish="length"), error(401, "Wrong key"), answer(" three."))
    page.ask("ask", prompt="Count.")
    assert page.ask("ask", prompt="", go_on=True)["status"] == "error"
    assert page.ask("ask", prompt="", go_on=True)["status"] == "done"
    assert server.requests[-1].json["messages"][-1]["content"] == "One, two,"


def test_the_panel_sends_what_it_drew_or_nothing(page, kernel, server):
    kernel.run("import pandas as pd\nsales = pd.DataFrame({'price': [12345, 67890]})")
    question = {"prompt": "What is in @sales?", "attach": ["sales:full"], "new": True}
    shown = page.ask("dry_run", **question)
    server.queue(answer("Two."), answer("Three."))
    page.ask("ask", **{**question, "prompt": "Something else", "drawn": shown["drawn"]})
    sent = server.requests[-1]
    assert len(sent.raw) == shown["bytes"]
    assert [m["content"] for m in sent.json["messages"]] == [m["text"] for m in shown["messages"]]
    shown = page.ask("dry_run", **question)
    kernel.run("%config DeepSeek.temperature = 0.5\nsales.loc[0, 'price'] = 1")
    with pytest.raises(Refused, match="messages changed"):
        page.ask("ask", **question, drawn=shown["drawn"])
    assert server.requests[-1] is sent


def test_the_panel_asks_several_at_once_and_goes_on_with_one(page, server, monkeypatch):
    said = lambda request: answer(f"I am {request.json['model']}.")  # noqa: E731
    monkeypatch.setattr(server, "fallback", said)
    page.ask("conversation")
    named = ["deepseek-flash", "deepseek-v4-pro"]
    drawn = page.ask("dry_run", prompt="Who?", variants=named)
    assert [row[0] for row in drawn["reports"][0]["rows"]] == named
    assert not server.requests
    done = page.ask("ask", prompt="Who?", variants=named)
    (record,) = page.ask("turns", ids=[done["turn"]])["records"]
    compared = page.ask("turns", ids=record["compare"]["turns"])["records"]
    assert [turn["answer"] for turn in compared] == [f"I am {name}." for name in named]
    assert [turn["compare"]["variant"] for turn in compared] == named
    moved = [message["tip"] for message in page.heard if message["type"] == "moved"]
    assert moved[-1] == page.ask("conversation")["tip"] == compared[0]["id"]
    page.ask("use", id=compared[1]["id"])
    assert page.ask("conversation")["tip"] == compared[1]["id"]


def test_a_stop_ends_all_that_the_panel_asked_at_once(page, server, monkeypatch):
    monkeypatch.setattr(server, "fallback", Reply(deltas(400, rate=50)))
    page.ask("conversation")
    asked = page.send("ask", prompt="Who?", variants=["deepseek-flash", "deepseek-v4-pro"])
    server.wait_for_requests(2)
    page.say({"type": "stop", "id": page.turn("begun", "Who?")["id"]})
    assert page.answer(asked)["status"] == "interrupted"
    assert all(request.closed.wait(60) for request in server.requests)
