"""Everything that is not a frame, as an attachment: what it says, what it keeps, what it costs."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections import Counter, namedtuple
from functools import lru_cache, partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepseek_jupyter.context.attach import attach, fingerprint
from deepseek_jupyter.context.containers import Outline, OutlineLimits
from deepseek_jupyter.privacy.levels import Policy, parse_spec
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.protocol.tokens import estimate_tokens

SECRET = "Margarete Quandt-Weyl"


def attached(value, spec: str = "", name: str = "it", redactor: Redactor | None = None):
    return attach(name, value, parse_spec(f"x:{spec}" if spec else "x")[1], redactor or Redactor())


def text(value, spec: str = "", **how) -> str:
    return attached(value, spec, **how).text


@dataclasses.dataclass
class Run:
    name: str
    loss: float
    parts: list


class Model:
    """A model of nothing."""

    def __init__(self):
        self.weights = np.ones((3, 4))
        self.name = SECRET


class TestPlain:
    def test_a_dict_is_written_as_python_writes_it(self):
        value = {"lr": 0.1, "deep": {"a": [1, 2, (3,)], "b": None}, "of": {2, 1}}
        assert text(value) == (
            "it: dict, 3 keys\n{'lr': 0.1, 'deep': {'a': [1, 2, (3,)], 'b': None}, 'of': {1, 2}}"
        )

    def test_fields_of_any_sort_count_as_keys(self):
        Point = namedtuple("Point", "x y")
        assert "Point {'x': 1, 'y': 2}" in text(Point(1, 2))
        assert "Run {'name': 'a', 'loss': 0.5, 'parts': []}" in text(Run("a", 0.5, []))
        assert "'b': 2" in text(Counter("abb"))

    def test_objects_within_are_named_and_not_unfolded(self):
        pandas = pytest.importorskip("pandas", reason="pandas has no wheel for this Python")
        said = text({"df": pandas.DataFrame({"who": [SECRET]}), "m": Model(), "f": print})
        assert "DataFrame 1 x 1>" in said
        assert "Model>" in said
        assert "<print>" in said
        assert SECRET not in said

    def test_a_list_that_holds_itself_ends(self):
        value: list = [1]
        value.append(value)
        assert text(value) == "it: list, 2 items\n[1, <itself>]"

    def test_an_integer_too_long_to_write_is_named(self):
        assert "<int, too long to write>" in text(2**40_000)
        assert "[1, <int, too long to write>]" in text([1, 2**40_000])

    def test_a_key_that_is_cut_was_masked_before(self):
        """Cut first, half of an address would leave: no detector knows it by its half."""
        outline = Outline(Policy(), OutlineLimits(10, 40, 3), Redactor().redact)
        assert outline.draw({f"{'k ' * 10} ann.margarete@example.com": 1}).startswith(
            "{'k k k k k k k k k k  <email-1>'"
        )

    @pytest.mark.parametrize("value", [3, 2.5, None, True, 1 + 2j, b"abc", range(3)])
    def test_single_values(self, value):
        assert attached(value).kind == "number"

    def test_a_long_text_is_cut_and_the_rest_counted(self):
        made = attached("word " * 50_000)
        assert made.kind == "text"
        assert made.tokens <= 1_500
        kept = made.text.split("\n")[1]
        assert made.text.endswith(f"[… {250_000 - len(kept):,} more characters]")

    def test_a_sample_of_a_text_is_its_first_lines(self):
        assert text("a\nb\nc\nd", "sample(2)").endswith("a\nb\n[… 2 more lines]")

    @pytest.mark.parametrize(
        ("level", "shown"),
        [
            ("schema", "{'n': <list, 3 items of int>, 's': <str>}"),
            ("stats", "{'n': <list, 3 items of int, 1 to 3>, 's': <str, length 21>}"),
            ("sample(2)", "{'n': [1, 2, … 1 more item], 's': 'Margarete Quandt-Weyl'}"),
            ("full", "{'n': [1, 2, 3], 's': 'Margarete Quandt-Weyl'}"),
        ],
    )
    def test_levels(self, level, shown):
        assert text({"n": [1, 2, 3], "s": SECRET}, level).endswith(shown)

    def test_none_keeps_everything_but_the_name(self):
        assert text({"a": SECRET}, "none") == "it: kept back by the data policy."


class TestProtection:
    @pytest.mark.parametrize("level", ["none", "schema", "stats"])
    @pytest.mark.parametrize(
        "value",
        [
            {"patient": SECRET, "n": 1},
            {"deep": [{"patient": [SECRET, {"x": SECRET}]}]},
            Run("a", 0.5, [{"patient": SECRET}]),
        ],
        ids=["dict", "deep", "dataclass"],
    )
    def test_the_value_of_a_protected_key_leaves_by_no_way(self, value, level):
        redactor = Redactor()
        made = attached(value, f"patient={level}", redactor=redactor)
        assert SECRET not in made.text
        assert "Quandt" not in made.text
        traceback = f'KeyError: "{SECRET}" in line 3 of f(who={SECRET[:15]}…)'
        assert "Quandt" not in redactor.redact(traceback)
        assert "Margarete Qua" not in redactor.redact(traceback)

    @pytest.mark.parametrize(
        "value",
        [
            {"mail": "ada@example.com", "n": 1},
            ["ada@example.com"] * 3,
            "Write to ada@example.com.",
            {"ada@example.com": 1},
            "x" * 3_000 + " ada@example.com",
            Run("ada@example.com", 1.0, []),
        ],
        ids=["value", "list", "text", "key", "far", "dataclass"],
    )
    def test_what_a_detector_finds_is_masked_in_every_kind(self, value):
        made = attached(value, "full,budget=8000")
        assert "ada@example.com" not in made.text
        assert "<email-1>" in made.text
        assert made.masked["email"] >= 1

    def test_what_is_cut_is_never_half_of_something_masked(self):
        for length in range(80, 140, 3):
            said = text({"note": "x" * length + " ada.lovelace@example.com"}, "budget=50")
            assert "ada.love" not in said

    def test_a_masked_thing_at_the_end_of_a_huge_text_is_not_half_there(self):
        huge = "ada.lovelace@example.com " * 200_000
        said = text(huge)
        assert "ada.l" not in said
        assert "example" not in said

    def test_source_and_object_and_docstring_pass_the_gate(self):
        def mail():
            """Ask ada@example.com."""
            return "sk-0123456789abcdef0123456789abcdef"

        for spec in ("", "schema"):
            said = text(mail, spec)
            assert "ada@example.com" not in said
            assert "sk-0123" not in said

        class Box:
            def __repr__(self):
                return "Box(ada@example.com)"

        assert "ada@" not in text(Box())


class TestArrays:
    def test_type_shape_figures_and_a_corner(self):
        said = text(np.arange(12.0).reshape(3, 4))
        assert said.startswith("it: numpy.ndarray, shape (3, 4), float64\nmin 0, max 11, mean 5.5")
        assert "values:\n[[" in said

    def test_missing_and_infinite_values_are_counted(self):
        said = text(np.array([1.0, np.nan, np.inf, 3.0]))
        assert "missing: 1\ninfinite: 1\nmin 1, max 3" in said

    @pytest.mark.parametrize("level", ["schema", "stats"])
    def test_below_sample_no_value_of_a_text_array_leaves(self, level):
        redactor = Redactor()
        assert SECRET not in text(np.array([SECRET, "b"]), level, redactor=redactor)
        assert "min" not in text(np.array([1.5, 2]), "schema")
        assert SECRET not in redactor.redact(f"oops: {SECRET}")

    def test_many_dimensions_show_the_first_corner(self):
        assert "corner [0, 0, …], 4 x 5" in text(np.zeros((2, 3, 4, 5)))

    @pytest.mark.parametrize(
        "array",
        [
            np.array([]),
            np.array(3),
            np.float32(2),
            np.array([True, False]),
            np.array(["2024-01-01", "NaT"], "datetime64[D]"),
            np.array([1 + 2j]),
            np.array([{"a": 1}, None], dtype=object),
            np.zeros(3, dtype=[("a", "i4"), ("b", "f8")]),
            np.ma.masked_array([1, 2], mask=[True, False]),
            np.zeros((0, 5)),
        ],
        ids=str,
    )
    def test_every_sort_of_array_is_described(self, array):
        assert attached(array).kind == "array"
        assert fingerprint(array) == attached(array).hash


class TestSources:
    def test_a_function_is_its_source(self):
        said = text(text)
        assert "def text(value, spec" in said
        assert "return attached(" in said

    def test_a_wrapped_a_partial_and_a_method_show_what_is_within(self):
        assert "def attached(value" in text(lru_cache(attached))
        assert "def attached(value" in text(partial(attached, 3))
        assert "def __init__(self)" in text(Model.__init__)

    def test_a_class_is_its_source_and_below_sample_its_signature(self):
        assert "self.weights = np.ones((3, 4))" in text(Model)
        assert "weights" not in text(Model, "schema")
        assert "A model of nothing." in text(Model, "schema")

    def test_without_source_there_is_signature_and_documentation(self):
        assert text(len).startswith("it: function without Python source\nlen(obj, /)")

    def test_a_module_is_its_public_names(self):
        said = text(json)
        assert said.startswith("it: module json 2.0.9\n")
        assert "\ndumps(obj, *" in said
        assert "decoder" not in said.lower().split("jsondecoder")[0]
        made = attached(np, "budget=300")
        assert made.tokens <= 300
        assert "more names" in made.text


class TestObjects:
    def test_a_repr_that_says_something_is_shown(self):
        assert "Generator(PCG64)" in text(np.random.default_rng())

    def test_else_the_attributes_by_type(self):
        said = text(Model())
        assert "A model of nothing." in said
        assert "  weights: numpy.ndarray\n  name: str" in said
        assert SECRET not in said

    def test_below_sample_no_repr(self):
        class Box:
            def __repr__(self):
                return f"Box({SECRET})"

        assert SECRET in text(Box())
        assert SECRET not in text(Box(), "stats")

    def test_a_repr_that_fails_hinders_nothing(self):
        class Bad:
            def __repr__(self):
                raise RuntimeError("no")

        assert "Bad" in text(Bad())

    def test_an_object_can_say_what_stands_for_it(self):
        class Sensor:
            def _deepseek_context_(self):
                return {"text": "21 degrees, ada@example.com", "images": []}

        assert text(Sensor()).endswith("Sensor\n21 degrees, <email-1>")
        assert "21" not in text(Sensor(), "stats")


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=60,
)


@settings(max_examples=60)
@given(_VALUES, st.integers(50, 400))
def test_the_budget_is_kept_by_any_value(value, budget):
    made = attach("it", value, Policy(budget=budget), Redactor())
    assert estimate_tokens(made.text) <= budget * 1.05


@settings(max_examples=60)
@given(st.lists(st.text(min_size=6).filter(lambda t: len(t.strip()) > 5), min_size=1), _VALUES)
def test_no_value_of_a_protected_key_is_in_the_text(secrets, other):
    marked = [f"Zq{secret}qZ7" for secret in secrets]
    made = attached(
        {"who": marked, "other": other, "again": [other, {"who": marked[0]}]}, "who=none"
    )
    assert not [secret for secret in marked if secret in made.text]


_ACROSS = """
import json, sys, numpy as np
from deepseek_jupyter.context.attach import attach
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.levels import Policy
values = [{"b": {3, "x", None}, "a": object()}, {"e", "f", "g"}, np, json, np.arange(9), object()]
for value in values:
    made = attach("it", value, Policy(), Redactor())
    print(json.dumps([made.text, made.hash]))
"""


def test_the_same_value_gives_the_same_bytes_in_every_process():
    runs = [
        subprocess.run(
            [sys.executable, "-c", _ACROSS],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"a": [1, {"b": 2}]},
        lambda: "text",
        lambda: np.arange(5),
        lambda: Run("a", 1.0, [1]),
        lambda: json,
        lambda: text,
    ],
)
def test_the_fingerprint_is_the_attachments_hash_and_follows_the_content(make):
    value = make()
    assert fingerprint(value) == attached(value, "schema").hash == fingerprint(make())
    if isinstance(value, dict):
        value["a"][1]["b"] = 3
        assert fingerprint(value) != fingerprint(make())
