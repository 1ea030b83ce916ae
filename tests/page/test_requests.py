"""What a page may ask besides asking the model, and what it may not."""

from __future__ import annotations

import pytest

from deepseek_jupyter.page.panel_queries import describe
from deepseek_jupyter.page.requests import PANEL_REQUESTS
from tests.support.page import Refused
from tests.support.scripted import answer, error, plain


def test_names_come_with_type_and_shape_and_no_value():
    import pandas as pd
    import polars as pl

    class Sly:
        @property
        def shape(self):
            raise AssertionError("code of the user's was run")

        __len__ = shape

    namespace = {
        "sales": pd.DataFrame({"price": [1.0, 2.0]}),
        "lake": pl.DataFrame({"a": [1]}).lazy(),
        "key": "sk-secret",
        "sly": Sly(),
        "pd": pd,
        "f": lambda: None,
        "_hidden": 1,
        "In": ["x"],
    }
    assert describe(namespace, {"In"}) == [
        ["lake", "LazyFrame", ""],
        ["sales", "DataFrame", "2 × 1"],
        ["key", "str", "9"],
        ["sly", "Sly", ""],
    ]


def test_the_notebooks_variables_are_listed(page, kernel):
    kernel.run("import pandas as pd\nsales = pd.DataFrame({'a': [1, 2, 3]})\nn = 7")
    assert page.ask("names")["names"][:2] == [["sales", "DataFrame", "3 × 1"], ["n", "int", ""]]


def test_settings_are_the_kernels_and_heard_of_whoever_sets_them(page, kernel):
    page.ask("conversation")
    told = page.ask("settings", set={"think": "on", "temperature": 0.5, "max_tokens": 100})
    assert told["think"] == "on"
    parameters = kernel.value("ds.get_session().config.parameters")
    assert parameters == {"temperature": 0.5, "max_tokens": 100}
    kernel.run("%deepseek config model=deepseek-reasoner")
    page.until(lambda m: m["type"] == "moved" and m["settings"]["model"] == "deepseek-reasoner")
    assert page.ask("settings", set={"temperature": None})["temperature"] is None
    assert kernel.value("ds.get_session().config.parameters") == {"max_tokens": 100}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"think": "maybe"}, {"temperature": "hot"}, {"temperature": 9}, {"max_tokens": 0}),
        *({"tools": "run_python"}, {"tools": [1]}),
        *({"api_key": "x"}, {"base_url": "http://elsewhere"}, [1], "model"),
    ],
    ids=str,
)
def test_no_other_setting_can_be_reached(page, wrong):
    with pytest.raises(Refused, match="ParameterError"):
        page.ask("settings", set=wrong)


def test_a_command_in_a_cell_moves_the_panel(page, kernel, server):
    server.queue(answer("One."), answer("Two."))
    page.ask("conversation")
    first = page.ask("ask", prompt="One?")["turn"]
    page.ask("ask", prompt="Two?")
    kernel.run("%deepseek undo")
    page.until(lambda m: m["type"] == "moved" and m["tip"] == first and m["count"] == 2)


def test_another_conversation_is_begun_and_the_old_one_opened_again(page, kernel, server):
    server.queue(answer("Old answer."), answer("New answer."), answer("Older still."))
    old = page.ask("conversation")["conversation"]
    page.ask("ask", prompt="Old question")
    new = page.ask("new")["conversation"]
    assert new != old
    page.ask("ask", prompt="New question")
    assert [m["content"] for m in server.requests[-1].json["messages"]] == ["New question"]
    listed = page.ask("conversations")
    assert listed["current"] == new
    assert {row["title"] for row in listed["conversations"]} >= {"Old question", "New question"}
    assert page.ask("open", conversation=old)["conversation"] == old
    page.ask("ask", prompt="Go on")
    sent = [m["content"] for m in server.requests[-1].json["messages"]]
    assert sent == ["Old question", "Old answer.", "Go on"]


def test_a_conversation_of_another_notebook_cannot_be_opened(page):
    page.ask("conversation")
    with pytest.raises(Refused, match="no such conversation"):
        page.ask("open", conversation="0198c0de-0000-7000-8000-000000000000")


def test_search_finds_words_and_says_where(page, server):
    server.queue(answer("Use groupby and mean."))
    page.ask("ask", prompt="How do I average?")
    (hit,) = page.ask("search", query="groupby")["hits"]
    assert hit["field"] == "answer"
    assert ["groupby", True] in hit["pieces"]


def test_usage_adds_up(page, server):
    server.queue(answer("One."), answer("Two."))
    page.ask("ask", prompt="One?")
    page.ask("ask", prompt="Two?")
    told = page.ask("usage")
    assert (told["turns"], told["prompt"], told["cached"]) == (2, 24, 8)
    assert list(told["cost"]) == ["USD"]


@pytest.mark.parametrize("kind", ["md", "html", "json", "ipynb"])
def test_the_conversation_is_exported(page, server, kind):
    server.queue(answer("<script>alert(1)</script> The answer."))
    page.ask("ask", prompt="The question")
    file = page.ask("export", format=kind)
    assert file["name"].endswith(f".{kind}")
    assert "The question" in file["text"]
    assert kind in ("json", "ipynb") or "<script>alert" not in file["text"]


WRONG = [None, 7, "", "x" * 300, [], ["?"], {"a": 1}, -1, True, "../../etc/passwd"]
FIELDS = ["prompt", "turn", "ids", "to", "conversation", "query", "format", "limit", "step"]


@pytest.mark.parametrize("name", sorted({*PANEL_REQUESTS} - {"ask", "regenerate", "models"}))
def test_no_request_breaks_the_kernel_whatever_is_in_it(page, name):
    asked = [page.send(name, **dict.fromkeys(FIELDS, wrong)) for wrong in WRONG]
    for request in asked:
        try:
            page.answer(request)
        except Refused as refusal:
            told = str(refusal)
            assert told.startswith(("ParameterError", "ConversationError", "Missing")), told


def test_the_models_of_all_usable_providers_are_offered(page, server, kernel):
    providers = {"vllm": {"base_url": server.base_url("vllm")}}
    kernel.run(f"ds.get_session().config.providers = {providers!r}")
    for listed in (["deepseek-flash", "deepseek-other"], ["a-model", "b:1"]):
        server.queue(plain({"data": [{"id": id} for id in listed]}))
    page.ask("settings", set={"model": "vllm:a-model"})
    told = page.ask("models")
    assert told["default"] == "deepseek-flash"
    assert told["models"] == ["deepseek-flash", "deepseek-other", "vllm:a-model", "vllm:b:1"]
    server.queue(answer("Fine."))
    page.ask("ask", prompt="Who?")
    assert server.requests[-1].json["model"] == "a-model"
    assert server.requests[-1].path.startswith("/vllm")


def test_a_web_search_is_offered_where_a_server_searches_and_no_policy_forbids_it(
    page, server, kernel, tmp_path
):
    told = page.ask("models", only="default")["web"]
    assert told.startswith("Words of the question may go to a web search")
    assert "30,000 tokens, about 0.0" in told
    providers = {"vllm": {"base_url": server.base_url("vllm")}}
    kernel.run(f"ds.get_session().config.providers = {providers!r}")
    page.ask("settings", set={"model": "vllm:m"})
    assert page.ask("models", only="default")["web"] == ""
    page.ask("settings", set={"model": ""})
    policy = tmp_path / "policy.toml"
    policy.write_text('[teaching]\nforbid_tools = ["web_*"]\n')
    kernel.run(f"import os; os.environ['DEEPSEEK_POLICY'] = {str(policy)!r}")
    assert page.ask("models", only="default")["web"] == ""
    policy.write_text("[teaching\n")
    assert page.ask("models", only="default")["web"] == ""
    kernel.run("del os.environ['DEEPSEEK_POLICY']")


def test_a_turn_without_an_answer_is_told_to_later_panels_until_something_moves(page, server):
    server.queue(answer("Fine."))
    first = page.ask("ask", prompt="One?")["turn"]
    server.queue(error(402, "Insufficient balance"))
    failed = page.ask("ask", prompt="Two?")["turn"]
    told = page.ask("conversation")
    assert told["failed"]["id"] == failed
    assert told["failed"]["status"] == "error"
    assert [row[0] for row in told["way"]] == [first]
    page.ask("checkout", to=first)
    assert page.ask("conversation")["failed"] is None
