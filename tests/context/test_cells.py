"""Which of the notebook's cells `--cells` sends, and how they read."""

from __future__ import annotations

import pytest

from deepseek_jupyter.asking.notebook_cells import cells_of, output_text
from deepseek_jupyter.context.attach import attach
from deepseek_jupyter.context.cell_text import Cell, check_choice, choose
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import Policy, parse_spec
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.protocol.tokens import estimate_tokens

CELLS = [Cell(f"x{n} = {n}", f"out {n}", n + 1) for n in range(6)]


def shown(choice: str, here: int = 3, cells=CELLS, **how) -> list[str]:
    """The sources of the chosen cells."""
    chosen = choose(cells, here, choice, str, **how)
    return [cell.split("\n")[1] for cell in chosen.cells]


class TestChoice:
    def test_above_all_a_number_none(self):
        assert shown("above") == ["x0 = 0", "x1 = 1", "x2 = 2"]
        assert shown("all") == ["x0 = 0", "x1 = 1", "x2 = 2", "x4 = 4", "x5 = 5"]
        assert shown("2") == ["x1 = 1", "x2 = 2"]
        assert shown("99") == shown("above")
        assert shown("none") == []
        assert shown("above", here=0) == []

    @pytest.mark.parametrize("choice", ["", "0", "-1", "below", "1.5"])
    def test_nothing_else(self, choice):
        with pytest.raises(ParameterError, match="above, all, none or a number"):
            check_choice(choice)

    def test_the_nearest_come_first_within_the_budget_and_the_rest_is_counted(self):
        cells = [Cell(f"x{n} = '{'word ' * 50}'") for n in range(30)]
        chosen = choose(cells, 20, "all", str, budget=600)
        names = [int(text.split("\n")[1].split(" ")[0][1:]) for text in chosen.cells]
        farthest = max(abs(name - 20) for name in names)
        nearer = [n for n in range(30) if n != 20 and abs(n - 20) < farthest]
        assert names == sorted(names)
        assert set(nearer) <= set(names)
        assert f"({chosen.left_out} more did not fit)" in chosen.text()
        assert estimate_tokens(chosen.text()) <= 600
        assert len(chosen.cells) + chosen.left_out == 29

    def test_a_cell_too_large_ends_the_choice_so_that_there_are_no_gaps(self):
        cells = [Cell("near_not = 1"), Cell("x = " + "1 + " * 3_000 + "1"), Cell("near = 1")]
        chosen = choose(cells, 3, "above", str)
        assert [text.split("\n")[1] for text in chosen.cells] == ["near = 1"]
        assert chosen.left_out == 2

    def test_cells_and_lines_that_only_ask_are_no_context(self):
        cells = [
            Cell("%%deepseek --think\nWhy?"),
            Cell("%%ds\nWhy?"),
            Cell("%load_ext deepseek_jupyter\nimport math"),
            Cell("a = 1\nr = %ds And why?\n%deepseek usage\nb = 2"),
            Cell("%deepseek"),
        ]
        assert shown("above", 5, cells) == ["import math", "a = 1"]
        assert "b = 2" in choose(cells, 5, "above", str).text()

    def test_what_was_told_before_is_not_told_again(self):
        first = choose(CELLS, 3, "above", str)
        again = choose(CELLS, 4, "above", str).text(known=first.text())
        assert again.startswith("4 code cells of the notebook above this one (3 unchanged, shown")
        assert "x3 = 3" in again
        assert "x2 = 2" not in again


class TestText:
    def test_source_output_and_number(self):
        said = choose([Cell("a = 1\na", "1", 7)], 1, "above", str).text()
        assert (
            said == "1 code cell of the notebook above this one:\n\nIn [7]:\na = 1\na\nOut [7]:\n1"
        )

    def test_outputs_are_short_and_plain(self):
        cells = [Cell("run()", "\x1b[31m10%\r50%\r100%\x1b[0m\n" + "x" * 5_000)]
        said = choose(cells, 1, "above", str).text()
        assert "Out:\n100%\nxxx" in said
        assert "more characters)" in said
        assert len(said) < 700

    def test_everything_passes_the_gate_before_it_is_cut(self):
        cells = [Cell("mail = 'ada@example.com'", "x" * 392 + " ada.lovelace@example.com")]
        said = choose(cells, 1, "above", Redactor().redact).text()
        assert "ada" not in said


class TestDocument:
    def test_code_cells_in_order_and_the_place_that_asks(self):
        document = cells_of(
            [
                {"cell_type": "markdown", "source": "# Title", "id": "m"},
                {"cell_type": "code", "source": ["a = 1\n", "a"], "id": "a", "execution_count": 3},
                {"cell_type": "code", "source": "%%ds\nWhy?", "id": "b"},
                {"cell_type": "code", "source": "later()", "id": "c", "outputs": []},
            ],
            "b#2",
        )
        assert [cell.source for cell in document.cells] == ["a = 1\na", "%%ds\nWhy?", "later()"]
        assert document.here == 1
        assert document.cells[0].number == 3

    @pytest.mark.parametrize("cells", [None, "text", {"a": 1}])
    def test_nonsense_is_no_document(self, cells):
        assert cells_of(cells, "a") is None

    def test_malformed_cells_are_passed_over(self):
        cells = [3, None, {}, {"cell_type": "code"}, {"cell_type": "code", "source": [1, "a"]}]
        assert [cell.source for cell in cells_of(cells, "x").cells] == ["", "a"]

    def test_outputs_of_every_sort(self):
        outputs = [
            {"output_type": "stream", "text": ["a\n", "b\n"]},
            {
                "output_type": "display_data",
                "data": {"image/png": "aGk=", "text/plain": "<Figure>"},
            },
            {"output_type": "execute_result", "data": {"text/plain": "42"}},
            {"output_type": "error", "ename": "KeyError", "evalue": "'x'"},
            {"output_type": "display_data", "data": {"application/vnd.deepseek.turn+json": {}}},
        ]
        assert output_text(outputs) == "a\nb\n[an image]\n42\nKeyError: 'x'"

    def test_a_frames_output_is_only_named(self):
        pandas = pytest.importorskip("pandas", reason="pandas has no wheel for this Python")
        frame = pandas.DataFrame({"who": ["Quandt"]})
        data = {"text/html": frame._repr_html_(), "text/plain": repr(frame)}
        assert output_text([{"output_type": "execute_result", "data": data}]) == (
            "[a frame; attach it to show it]"
        )


def test_one_cell_is_an_attachment():
    cell = Cell("a = 1", "ada@example.com", 3, images=("data:image/png;base64,aGk=",))
    made = attach("Out[3]", cell, Policy(), Redactor())
    assert made.text == "Out[3]: cell\na = 1\nOutput:\n<email-1>"
    assert made.images == cell.images
    kept = attach("Out[3]", cell, parse_spec("x:stats")[1], Redactor())
    assert (kept.text, kept.images) == ("Out[3]: cell\na = 1", ())
