"""``{{ expression }}`` and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepseek_jupyter.context.prompt import fill
from deepseek_jupyter.errors import TemplateError
from tests.support.growth import assert_linear

NAMES = {"n": 3, "name": "Ada", "d": {"a": {"b": 1}}, "text": "{{ n }}", "f": lambda x: x * 2}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{ n }}", "3"),
        ("{{n}}{{n}}", "33"),
        ("a {{ name.upper() }} b", "a ADA b"),
        ("{{ d['a']['b'] }}", "1"),
        ('{{ {"a": {"b": 1}} }}', "{'a': {'b': 1}}"),
        ("{{ {'x': {n}} }}", "{'x': {3}}"),
        ("{{ '}}' }}", "}}"),
        ("{{ f'{n:>3}' }}", "  3"),
        ("{{ [f(i) for i in range(n)] }}", "[0, 2, 4]"),
        ("{{\n  n\n}}", "3"),
        ("{{ text }}", "{{ n }}"),
        ("{{ None }}", "None"),
        ("{{ len(name) }}", "3"),
        ("\\{{ n }}", "{{ n }}"),
        ("\\{{ {{ n }}", "{{ 3"),
    ],
)
def test_an_expression_is_replaced_by_the_text_of_its_value(text, filled):
    assert fill(text, NAMES) == filled


UNTOUCHED = [
    "{single} {n} { {n} }",
    '{"json": {"a": 1}}',
    "$HOME $n ${n} $$x^2$$ %s %(n)s",
    "\\frac{a}{b} \\n",
    "}} and } and {",
    "{% n %} {# n #} <%= n %>",
    "",
    "What is wrong with `{{ n }}` in Jinja, and with ``f'{{n}}'``?",
    "Mend this:\n```yaml\nrun: echo ${{ n }}\n```\nand this:\n~~~\n{{ .Values.n }}\n",
]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_everything_else_is_untouched(text):
    assert fill(text, NAMES) == text


@given(st.text().filter(lambda text: "{{" not in text))
def test_any_text_without_double_braces_is_untouched(text):
    assert fill(text, {}) == text


@given(st.text())
def test_a_value_is_never_filled_again(value):
    assert fill("{{ value }}", {"value": value}) == value


def test_code_is_left_as_it_is_and_the_text_around_it_is_filled():
    text = "{{ n }} `{{ n }}` {{ n }}\n```\n{{ n }}\n```\n{{ n }}"
    assert fill(text, NAMES) == text.replace("{{ n }}", "3").replace("`3`", "`{{ n }}`").replace(
        "\n3\n", "\n{{ n }}\n"
    )


def test_an_unknown_name_is_told_with_what_was_meant():
    with pytest.raises(TemplateError) as told:
        fill("{{ nmae }}", NAMES)
    assert "'nmae'" in told.value.what
    assert "Did you mean name?" in told.value.hint
    with pytest.raises(TemplateError) as told:
        fill("{{ something_else }}", NAMES)
    assert "Run the cell that defines it" in told.value.hint


@pytest.mark.parametrize("text", ["{{ n", "{{ n + }}", "{{ }}", "{{ 1 2 }}", "{{ x = 1 }}", "{{"])
def test_what_is_no_expression_is_told(text):
    with pytest.raises(TemplateError, match="complete expression") as told:
        fill(text, NAMES)
    assert "\\{{" in told.value.hint


def test_what_never_closes_costs_no_more_than_its_length():
    """Each pair of braces may be the end: trying them all took the square of the text."""

    def refused(count: int) -> None:
        with pytest.raises(TemplateError):
            fill("{{ [" + "1, {2: {3: 4}}, " * count, {})

    assert_linear(refused, 5_000)


def test_an_expression_that_raises_says_what():
    with pytest.raises(TemplateError, match="ZeroDivisionError: division by zero") as told:
        fill("{{ 1 / 0 }}", NAMES)
    assert isinstance(told.value.__cause__, ZeroDivisionError)


def test_the_namespace_is_left_as_it_was():
    names = {"n": 1}
    fill("{{ (m := n) }}", names)
    assert names == {"n": 1}
