"""Answers of a shape: `Shape`, made of a Python type or a JSON schema, and ways of asking for it.

Pydantic reads the type and validates the answer, so a field's constraints, aliases and validators
count; for a schema given as a dict it is `jsonschema`. Both are imported when a shape is made.

The ways, by the dialect's `schema`:

    strict function      a function that the model must call, its parameters the strict schema
    strict json_schema   response_format with the strict schema
    json_schema          response_format with the schema as it is; llama.cpp makes a grammar of it
    json mode            response_format json_object; schema and example are in the prompt

Only the first two show the model the schema; for the others the prompt does. A schema that has no
strict form is asked for in JSON mode. With tools in the same question the schema is in the
prompt while they run; it is enforced in the repair round.
"""

from __future__ import annotations

import enum
import json
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from deepseek_jupyter.errors import SchemaError, SchemaMismatchError, shortened
from deepseek_jupyter.protocol.dialect import SchemaStyle
from deepseek_jupyter.protocol.messages import ToolCall

from .strict import WRAPPER, References, strict

_MOST_PROBLEMS = 8  # named to the model; the rest only counted
_KINDS = (
    "Use a pydantic model, a dataclass, a TypedDict, a NamedTuple, an enum, a plain type such as "
    "list[int], or a JSON schema as a dict."
)
_FENCED = re.compile(r"```[\w+-]*\n(.*?)\n?```", re.DOTALL)
_LOOKED_AT = 200  # brackets at which a value may begin
_SAYING = ("type", "properties", "items", "enum", "const", "$ref", "anyOf", "oneOf", "allOf")
_DEEPEST = 12  # a recursive type ends well before
_BY_FORMAT = {
    "date": "2024-05-31",
    "date-time": "2024-05-31T12:00:00Z",
    "time": "12:00:00",
    "duration": "PT1H",
    "email": "name@example.org",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_BY_KIND: Mapping[str, Any] = {"string": "text", "boolean": True, "null": None}


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer is to be. `schema` is a JSON schema, `name` what to call it on the wire.

    `validate` turns a JSON value into the typed one. Raises `SchemaMismatchError` with what is
    wrong, in words that help the model to repair it.
    """

    name: str
    schema: Mapping[str, Any]
    validate: Callable[[Any], Any]


def shape_of(wanted: object) -> Shape:
    """The shape that `wanted` says; ``[T]`` is short for ``list[T]``.

    Raises `SchemaError` for anything but a type or a schema.
    """
    if isinstance(wanted, Shape):
        return wanted
    if isinstance(wanted, Mapping):
        return _of_schema(wanted)
    if isinstance(wanted, list) and len(wanted) == 1:
        wanted = list[wanted[0]]  # type: ignore[valid-type]
    _refuse_values(wanted)
    adapter = adapter_of(wanted)
    return Shape(_name(wanted), schema_of(adapter, wanted), _validator(adapter))


def adapter_of(wanted: object) -> Any:
    """Pydantic's `TypeAdapter` of a type. Raises `SchemaError` where it can make none."""
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        return TypeAdapter(modern(wanted))
    except (PydanticUserError, TypeError, NameError) as error:
        raise SchemaError(f"{_shown(wanted)} is not a schema: {_first(error)}", _KINDS) from error


def schema_of(adapter: Any, wanted: object, *, empty: bool = False) -> dict[str, Any]:
    """The JSON schema of what `adapter` accepts; `empty` lets one pass that asks for nothing.

    Raises `SchemaError` where there is none.
    """
    from pydantic.errors import PydanticUserError

    try:
        schema: dict[str, Any] = adapter.json_schema(schema_generator=_generator())
    except (PydanticUserError, ValueError, TypeError) as error:
        raise SchemaError(f"{_shown(wanted)} has no JSON form: {_first(error)}", _KINDS) from error
    if not empty and not schema.keys() - {"title", "description"}:
        raise SchemaError(f"{_shown(wanted)} does not describe an answer.", _KINDS)
    return schema


def _generator() -> Any:
    from pydantic.json_schema import GenerateJsonSchema

    class Named(GenerateJsonSchema):
        """A NamedTuple is an object: for the model its names say more than their order."""

        def named_tuple_schema(self, schema: Any) -> Any:
            placed = super().named_tuple_schema(schema)
            names = [field["name"] for field in schema["fields"]]
            return {
                "type": "object",
                "properties": dict(zip(names, placed["prefixItems"], strict=True)),
                "required": names[: placed["minItems"]],
                "additionalProperties": False,
            }

        def arguments_schema(self, schema: Any) -> Any:  # in older pydantic
            metadata = {**schema.get("metadata", {}), "pydantic_js_prefer_positional_arguments": 0}
            positional: Any = {**schema, "metadata": metadata}
            return super().arguments_schema(positional)

    return Named


def _validator(adapter: Any) -> Callable[[Any], Any]:
    def validate(value: Any) -> Any:
        from pydantic import ValidationError

        try:
            # As JSON: there a date may be text even where the model is strict.
            return adapter.validate_json(json.dumps(value))
        except ValidationError as error:
            raise _mismatch(problems_of(error)) from error

    return validate


def problems_of(error: Any) -> list[tuple[str, str]]:
    """Place and words of each problem in a pydantic `ValidationError`."""
    return [(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_url=False)]


def _of_schema(schema: Mapping[str, Any]) -> Shape:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError as Invalid

    try:
        plain = json.loads(json.dumps(schema))
        Draft202012Validator.check_schema(plain)
    except Invalid as error:
        where = ".".join(map(str, error.absolute_path))
        raise SchemaError(
            f"The JSON schema is wrong at {where or 'its top'}: {error.message}"
        ) from error
    except (TypeError, ValueError) as error:
        raise SchemaError(f"The JSON schema is not JSON: {error}") from error
    if not any(word in plain for word in _SAYING):
        raise SchemaError("The dict is not a JSON schema: it has no type.", _KINDS)
    validator = Draft202012Validator(plain)

    def validate(value: Any) -> Any:
        from referencing.exceptions import Unresolvable

        try:
            found = sorted(validator.iter_errors(value), key=lambda e: list(map(str, e.path)))
        except Unresolvable as error:
            raise SchemaError(
                f"The JSON schema refers to a definition that is not in it: {error}"
            ) from error
        if found:
            raise _mismatch([(".".join(map(str, e.path)), e.message) for e in found])
        return value

    return Shape(_identifier(str(plain.get("title") or "Answer")), plain, validate)


def _mismatch(problems: list[tuple[str, str]]) -> SchemaMismatchError:
    words = [f"{where}: {what}" if where else what for where, what in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        words.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    return SchemaMismatchError("The answer does not fit the schema: " + "; ".join(words) + ".")


def _refuse_values(wanted: object) -> None:
    """Things that pydantic would take, or refuse in words about its inside."""
    if wanted in (Any, object):
        raise SchemaError(f"{_shown(wanted)} does not describe an answer.", _KINDS)
    kinds = (type, types.UnionType, typing.TypeVar, typing.NewType)
    known = isinstance(wanted, kinds) or typing.get_origin(wanted) is not None or wanted is None
    if not known and type(wanted).__name__ not in ("TypeAliasType", "_AnnotatedAlias"):
        raise SchemaError(f"{_shown(wanted)} is a value, not a type.", _KINDS)


def modern(wanted: Any) -> Any:
    """Before Python 3.12 pydantic takes only the TypedDict of typing_extensions."""
    if sys.version_info >= (3, 12):
        return wanted
    if typing.is_typeddict(wanted) and type(wanted).__module__ == "typing":
        hints = typing.get_type_hints(wanted, include_extras=True)
        fields = {}
        for name, hint in hints.items():
            if typing.get_origin(hint) in (typing.Required, typing.NotRequired):
                (hint,) = typing.get_args(hint)
            fields[name] = (modern(hint), name in wanted.__required_keys__)
        made = typed_dict(wanted.__name__, fields)
        made.__doc__, made.__module__ = wanted.__doc__, wanted.__module__
        if config := getattr(wanted, "__pydantic_config__", None):
            made.__pydantic_config__ = config
        return made
    arguments = typing.get_args(wanted)
    if not arguments or typing.get_origin(wanted) is typing.Literal:
        return wanted
    newer = tuple(modern(a) for a in arguments)
    if newer == arguments:
        return wanted
    if isinstance(wanted, types.UnionType):
        return typing.Union[newer]  # noqa: UP007
    if hasattr(wanted, "__metadata__"):
        return typing.Annotated[(newer[0], *wanted.__metadata__)]
    return wanted.copy_with(newer) if hasattr(wanted, "copy_with") else wanted.__origin__[newer]


def typed_dict(name: str, fields: Mapping[str, tuple[Any, bool]]) -> Any:
    """A TypedDict that every pydantic takes; each field is its hint and whether it is required."""
    from typing import NotRequired, Required

    from typing_extensions import TypedDict

    kind: Mapping[bool, Any] = {True: Required, False: NotRequired}
    make: Any = TypedDict
    return make(name, {field: kind[required][hint] for field, (hint, required) in fields.items()})


def _name(wanted: object) -> str:
    origin = typing.get_origin(wanted)
    if isinstance(wanted, type) and origin is None:
        plain = wanted.__module__ in ("builtins", "datetime", "decimal")
        own = not plain or issubclass(wanted, enum.Enum)
        return _identifier(wanted.__name__) if own else "Answer"
    arguments = typing.get_args(wanted)
    if origin in (list, tuple, set) and arguments and isinstance(arguments[0], type):
        inner = _name(arguments[0])
        return "Answer" if inner == "Answer" else f"{inner}List"
    return "Answer"


def _identifier(name: str) -> str:
    """As the API wants names: letters, digits, ``_`` and ``-``, 64 at most."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name)
    return kept[:64] or "Answer"


def _shown(wanted: object) -> str:
    return shortened(wanted.__name__ if isinstance(wanted, type) else repr(wanted), 60)


def _first(error: BaseException) -> str:
    return str(error).partition("\n")[0].rstrip(".") + "."


@dataclass(frozen=True, slots=True)
class Asked:
    """A shape as one provider is asked for it.

    `parameters` go into the request, `words` to the end of the user message. `function` is the
    name of the function whose arguments are the answer, "" where the answer is text. `notice` is
    for the user.
    """

    shape: Shape
    parameters: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""
    function: str = ""
    notice: str = ""
    _restore: Callable[[Any], Any] = lambda value: value

    def read(self, text: str, calls: tuple[ToolCall, ...] = ()) -> tuple[Any, Any]:
        """The answer as plain JSON and as the typed value.

        Raises `SchemaMismatchError` in words that help the model to repair it.
        """
        own = [call for call in calls if self.function and call.name == self.function]
        value = json_in(own[-1].arguments if own else text)
        problems = []
        for candidate in self._candidates(value):
            try:
                return candidate, self.shape.validate(candidate)
            except SchemaMismatchError as error:
                problems.append(error)
        if isinstance(value, str) and not own:
            raise SchemaMismatchError("The answer is not JSON that fits the schema.")
        raise problems[0]

    def _candidates(self, value: Any) -> list[Any]:
        """The value as it is meant: restored from the strict form, unwrapped, or as it is."""
        found = [self._restore(value)]
        if isinstance(value, dict) and value.keys() == {WRAPPER}:
            found.append(value[WRAPPER])
        found.append(value)
        return [one for place, one in enumerate(found) if one not in found[:place]]


def ask_for(shape: Shape, style: SchemaStyle, *, tools: bool = False) -> Asked:
    """`shape` in the way `style`; `tools` says that the question has functions of its own."""
    if tools:
        return Asked(shape, words=_in_words(shape))
    if style == "json mode":
        return _json_mode(shape)
    if style == "json_schema":
        schema = _as_object(shape.schema)
        return Asked(shape, _response_format(shape.name, schema), _in_words(shape))
    try:
        made = strict(shape.schema)
    except SchemaError as error:
        return _json_mode(shape, f"{error.what} The answer is asked for in JSON mode.")
    if style == "strict json_schema":
        parameters = _response_format(shape.name, made.schema, strict=True)
        return Asked(shape, parameters, _restore=made.restore)
    function = {
        "name": shape.name,
        "description": shape.schema.get("description") or "Give the answer to the user's question.",
        "strict": True,
        "parameters": made.schema,
    }
    parameters = {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": shape.name}},
    }
    return Asked(shape, parameters, function=shape.name, _restore=made.restore)


def repair_request(error: SchemaMismatchError) -> str:
    """What to write to the model after an answer that does not fit."""
    return f"{error.what} Give the whole answer again, corrected."


def pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _json_mode(shape: Shape, notice: str = "") -> Asked:
    parameters = {"response_format": {"type": "json_object"}}
    schema = _as_object(shape.schema)
    given = json.dumps(example(schema), ensure_ascii=False)
    return Asked(shape, parameters, f"{_in_words(shape)}\nIn form like: {given}", notice=notice)


def _in_words(shape: Shape) -> str:
    schema = json.dumps(_as_object(shape.schema), ensure_ascii=False)
    return f"Answer with JSON alone that fits this JSON schema:\n{schema}"


def _response_format(
    name: str, schema: Mapping[str, Any], *, strict: bool = False
) -> dict[str, Any]:
    named: dict[str, Any] = {"name": name, "schema": dict(schema)}
    if strict:
        named["strict"] = True
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _as_object(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema`, in an object's where it is of none: JSON mode gives objects alone."""
    plain = {word: value for word, value in schema.items() if word != "$defs"}
    top: Any = plain
    while isinstance(top, Mapping) and str(top.get("$ref", "")).startswith("#/$defs/"):
        top = schema["$defs"][top["$ref"].removeprefix("#/$defs/")]
    if isinstance(top, Mapping) and (top.get("type") == "object" or "properties" in top):
        return dict(schema)
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {WRAPPER: plain},
        "required": [WRAPPER],
    }
    return {**wrapped, "$defs": schema["$defs"]} if "$defs" in schema else wrapped


def json_in(text: str) -> Any:
    """The first JSON value in a text: all of it, its fenced block, what begins with a bracket; a
    text without any is itself one, as of an enum.
    """
    for found in (text, *_FENCED.findall(text)[:1]):
        with suppress(ValueError, RecursionError):
            return json.loads(found)
    decoder = json.JSONDecoder()
    for begun in islice(re.finditer(r"[{\[]", text), _LOOKED_AT):
        with suppress(ValueError, RecursionError):
            return decoder.raw_decode(text, begun.start())[0]
    return text.strip()


def example(schema: Mapping[str, Any]) -> Any:
    """A value in the form of `schema`; patterns and the like may not hold for it."""
    return _value(schema, References(schema), 0)


def _value(schema: Any, references: References, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    schema = references.resolve(schema)
    if not isinstance(schema, Mapping):
        return None
    if "allOf" in schema:
        return _value(_joined(schema, references), references, depth + 1)
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        return _value(_alternative(alternatives, depth), references, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    return _of_kind(kind, schema, references, depth)


def _joined(schema: Mapping[str, Any], references: References) -> dict[str, Any]:
    """`schema` and the parts of its allOf as one; where they contradict, the last counts."""
    joined = {word: value for word, value in schema.items() if word != "allOf"}
    for part in map(references.resolve, schema["allOf"]):
        if isinstance(part, Mapping):
            properties = {**joined.get("properties", {}), **part.get("properties", {})}
            required = [*joined.get("required", ()), *part.get("required", ())]
            both = {"properties": properties, "required": required}
            joined |= {**part, **{word: value for word, value in both.items() if value}}
    return joined


def _alternative(alternatives: list[Any], depth: int) -> Any:
    """The one to show: null only where a recursive type must end."""
    null = {"type": "null"}
    if depth >= _DEEPEST // 3 and null in alternatives:
        return null
    return next((one for one in alternatives if one != null), null)


def _of_kind(kind: object, schema: Mapping[str, Any], references: References, depth: int) -> Any:
    if kind == "object" or "properties" in schema:
        return _object(schema, references, depth)
    if kind == "array" or "prefixItems" in schema:
        if "prefixItems" in schema:
            return [_value(part, references, depth + 1) for part in schema["prefixItems"]]
        least = schema.get("minItems", 0)
        if depth > _DEEPEST // 3 and not least:
            return []
        return [_value(schema.get("items"), references, depth + 1)] * max(1, least)
    if kind in ("integer", "number"):
        return _number(schema)
    if kind == "string":
        text = _BY_FORMAT.get(str(schema.get("format")), str(_BY_KIND["string"]))
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
    return _BY_KIND.get(str(kind))


def _object(schema: Mapping[str, Any], references: References, depth: int) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    if not properties and isinstance(schema.get("additionalProperties"), Mapping):
        if depth > _DEEPEST // 3:
            return {}
        key = _value(schema.get("propertyNames", {"const": "key"}), references, depth + 1)
        return {str(key): _value(schema["additionalProperties"], references, depth + 1)}
    required = set(schema.get("required") or ()) if depth > _DEEPEST // 3 else properties.keys()
    return {
        name: _value(part, references, depth + 1)
        for name, part in properties.items()
        if name in required
    }


def _number(schema: Mapping[str, Any]) -> Any:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    step = schema.get("multipleOf") or 1
    if low is not None:
        number = low if "minimum" in schema else low + step
        number = -(-number // step) * step if step != 1 else number
    else:
        number = high if "maximum" in schema else (high - step if high is not None else 1)
    return int(number) if schema.get("type") == "integer" else number
