"""What a notebook defines and draws, attached in a real kernel: by name, by path, by number."""

from __future__ import annotations

import base64

import pytest
from IPython.core.history import HistoryManager

from tests.support.scripted import answer

SECRET = "Margarete Quandt-Weyl"


@pytest.fixture
def sent(kernel, server):
    """Ask in a cell; the content of the user message as it was sent."""

    def ask(prompt: str, flags: str = "--no-history"):
        server.queue(answer("I see."))
        ran = kernel.run(f"%%ds {flags}\n{prompt}")
        assert ran.ok, ran.error
        return server.requests[-1].json["messages"][-1]["content"]

    return ask


def test_functions_and_classes_of_cells_by_their_newest_source(kernel, sent):
    kernel.run("class Point:\n    x: int = 1")
    kernel.run("def area(p):\n    # an old thought\n    return p.x")
    kernel.run("def area(p):\n    # a new thought\n    return p.x ** 2")
    kernel.run("class Point:\n    x: int = 2\n    y: int = 3")
    said = sent("What do @area and @Point do?")
    assert "# a new thought" in said
    assert "an old thought" not in said
    assert "y: int = 3" in said
    assert said.endswith("What do `area` and `Point` do?")


def test_a_figure_goes_as_a_picture_and_in_words(kernel, sent):
    pytest.importorskip("matplotlib", reason="matplotlib has no wheel for this Python")
    kernel.run(
        "import matplotlib; matplotlib.use('agg')\n"
        "import matplotlib.pyplot as plt\n"
        "fig, ax = plt.subplots(); _ = ax.plot([1, 2], [3, 4], label='growth')"
    )
    text, picture = sent("What does @fig show?")
    assert "line 'growth': 2 points" in text["text"]
    url = picture["image_url"]["url"]
    assert base64.b64decode(url.partition(",")[2]).startswith(b"\x89PNG")
    blind = sent("What does @fig show?", "--no-history -m deepseek-v4-pro")
    assert "sees no images" in blind


def test_a_picture_is_refused_where_nobody_sees_it(kernel, server):
    pytest.importorskip("PIL", reason="pictures need Pillow")
    kernel.run("from PIL import Image; cat = Image.new('RGB', (9, 9))")
    ran = kernel.run("%%ds -m deepseek-v4-pro --no-history\nWhat is @cat?")
    assert not ran.ok
    assert "not known to see images" in str(ran.error)
    assert server.requests == []


def test_a_picture_of_an_earlier_turn_is_left_out_for_a_model_that_does_not_see(kernel, sent):
    pytest.importorskip("PIL", reason="pictures need Pillow")
    kernel.run("from PIL import Image; cat = Image.new('RGB', (9, 9))")
    assert isinstance(sent("What is @cat?", "--new"), list)
    said = sent("And now?", "-m deepseek-v4-pro")
    assert said == "And now?"


def test_the_same_picture_is_not_sent_twice(kernel, sent, server):
    pytest.importorskip("PIL", reason="pictures need Pillow")
    kernel.run("from PIL import Image; cat = Image.new('RGB', (9, 9))")
    sent("What is @cat?", "--new")
    sent("Once more: @cat?", "")
    contents = [message["content"] for message in server.requests[-1].json["messages"]]
    pictures = [part for c in contents if isinstance(c, list) for part in c if "image_url" in part]
    assert len(pictures) == 1


def test_files_by_path(kernel, sent, tmp_path):
    file = tmp_path / "notes of mine.txt"
    file.write_text("to ada@example.com", "utf-8")
    said = sent(f'Sum up @"{file}".')
    assert "to <email-1>" in said
    said = sent("Sum it up.", f"--no-history --attach '{file}'")
    assert "to <email-1>" in said


def test_cells_by_number(kernel, sent):
    ran = kernel.run("print('from a print')\nn = 42")
    number = ran.reply["execution_count"]
    assert "n = 42" in sent(f"Explain @In[{number}].")
    if hasattr(HistoryManager, "outputs"):  # from IPython 9.1 on
        assert "from a print" in sent(f"Explain @Out[{number}].")


@pytest.mark.parametrize(
    "setup",
    [
        "who = {'patient': '%s', 'n': 1}",
        "who = [{'deep': {'patient': ['%s']}}]",
        "class who:\n    patient = 'x'\nwho = {'patient': '%s', 'of': who}",
    ],
)
def test_a_policy_keeps_a_value_out_of_everything_that_leaves(kernel, sent, setup):
    kernel.run(setup % SECRET)
    said = sent(f"Who is @who? Not {SECRET}?", "--no-history --attach who:full,patient=none")
    assert "Quandt" not in said
