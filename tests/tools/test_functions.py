"""Functions as tools: what the model is told, what it may pass, what it is told when it errs."""

from __future__ import annotations

import datetime
import enum
import functools
import sys
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from deepseek_jupyter.errors import ToolArgumentsError, ToolError
from deepseek_jupyter.tools.functions import Tool, tool_of
from tests.support.validator import complaint


class Unit(enum.Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


class Place(BaseModel):
    city: str
    country: str = "DE"


class Options(typing.TypedDict, total=False):
    detailed: bool


@dataclass
class Span:
    begin: datetime.date
    days: int = 7


def weather(
    place: Place,
    span: Span | None = None,
    unit: Unit = Unit.CELSIUS,
    options: Options | None = None,
    limit: Annotated[int, Field(ge=1, le=10)] = 5,
) -> str:
    """Tell the weather.

    Long words about it.

    Args:
        place: Where, as
            exactly as known.
        span (Span, optional): When.
        limit: How many stations.

    Returns:
        A sentence.
    """
    return f"{place.city} {place.country} {span} {unit} {options} {limit}"


def numpy_style(a: int, b: float = 1.5):
    """Add.

    Parameters
    ----------
    a : int
        The first.
    b : float
        The second.
    """
    return a + b


def rst_style(a: int, b: list[int]):
    """Add.

    :param a: The first.
    :param b: The others.
    """
    return a + sum(b)


def bare(x, y=2):
    return x, y


def nothing():
    """Take nothing."""
    return "nothing"


async def later(n: int) -> int:
    """Wait."""
    return n


class Shop:
    """A shop."""

    def __init__(self, prices: dict[str, float] | None = None) -> None:
        self.prices = prices or {"tea": 2.5}

    def price(self, what: Literal["tea", "coffee"], *, count: int = 1) -> float:
        """The price of something.

        Args:
            what: What to buy.
        """
        return self.prices[what] * count

    def __call__(self, what: str) -> str:
        """Ask the shop."""
        return what


ALL = [weather, numpy_style, rst_style, bare, nothing, later, Shop().price, Shop()]


def wire(*functions: Any) -> dict[str, Any]:
    tools = [tool_of(f).to_wire() for f in functions]
    return {"messages": [{"role": "user", "content": "Go."}], "tools": tools}


@pytest.mark.parametrize("function", ALL, ids=lambda f: getattr(f, "__name__", "object"))
def test_deepseek_s_validator_accepts_the_schema(function):
    assert complaint(wire(function)) is None


def test_docstring_and_hints_become_the_description():
    tool = tool_of(weather)
    assert tool.name == "weather"
    assert tool.description == "Tell the weather.\nLong words about it.\nReturns: A sentence."
    properties = tool.parameters_schema["properties"]
    assert properties["place"]["description"] == "Where, as exactly as known."
    assert properties["span"]["description"] == "When."
    assert properties["limit"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 10,
        "default": 5,
        "description": "How many stations.",
    }
    assert tool.parameters_schema["required"] == ["place"]
    assert tool.parameters_schema["additionalProperties"] is False


@pytest.mark.parametrize("function", [numpy_style, rst_style])
def test_numpy_and_rest_docstrings_are_read(function):
    properties = tool_of(function).parameters_schema["properties"]
    assert properties["a"]["description"] == "The first."
    assert properties["b"]["description"].startswith("The ")


def call(function: Any, arguments: dict[str, Any]) -> Any:
    tool = tool_of(function)
    assert tool.check is not None
    return tool.call(**tool.check(arguments))


def test_arguments_arrive_as_the_hinted_types_and_defaults_are_kept():
    told = call(weather, {"place": {"city": "Ulm"}, "unit": "F", "span": {"begin": "2024-05-01"}})
    assert told == ("Ulm DE Span(begin=datetime.date(2024, 5, 1), days=7) Unit.FAHRENHEIT None 5")
    assert call(numpy_style, {"a": "3"}) == 4.5
    assert call(bare, {"x": [1]}) == ([1], 2)
    assert call(nothing, {}) == "nothing"


def test_methods_partials_and_callable_objects():
    shop = Shop()
    assert call(shop.price, {"what": "tea", "count": 2}) == 5.0
    assert "self" not in tool_of(shop.price).parameters_schema["properties"]
    bound = functools.partial(numpy_style, b=10)
    assert tool_of(bound).name == "numpy_style"
    assert call(bound, {"a": 1}) == 11
    assert tool_of(shop).name == "Shop"
    assert tool_of(shop).description == "Ask the shop."
    assert call(shop, {"what": "x"}) == "x"


async def test_an_async_function_gives_an_awaitable():
    assert await call(later, {"n": 3}) == 3


def test_a_generator_is_read_to_its_end():
    def numbers(n: int):
        """Count."""
        yield from range(n)

    assert call(numbers, {"n": 3}) == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "place: Field required"),
        ({"place": {"city": "Ulm"}, "limit": 11}, "limit: Input should be less than or equal"),
        ({"place": {"city": "Ulm"}, "town": 1}, "town: Extra inputs"),
        ({"place": "Ulm"}, "place"),
    ],
)
def test_wrong_arguments_are_refused_in_words_for_the_model(arguments, said):
    with pytest.raises(ToolArgumentsError, match=f"weather are wrong: .*{said}"):
        call(weather, arguments)


def test_a_user_s_function_needs_no_further_yes():
    assert tool_of(weather).consent == "never needed"


def test_a_tool_stays_as_it_is():
    tool = Tool("sql", "Run SQL.", {"type": "object"}, print)
    assert tool_of(tool) is tool


def star(*names: str): ...
def stars(**options: int): ...
def slash(a: int, /): ...
def frame(module: type(sys)): ...
def unknown(a: Missing): ...  # noqa: F821


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (star, r"star takes \*names"),
        (stars, r"stars takes \*\*options"),
        (slash, "slash takes a, which"),
        (frame, "frame cannot be described"),
        (unknown, "hints of unknown cannot be read"),
        (lambda a: a, "lambda"),
        (3, "3 is not a function"),
        (dict, "signature of dict cannot be read"),
    ],
)
def test_what_a_model_could_not_call_is_refused_with_the_reason(function, why):
    with pytest.raises(ToolError, match=why):
        tool_of(function)
