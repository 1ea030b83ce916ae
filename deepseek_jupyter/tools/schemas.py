"""`Shape`: what an answer is to be, made of a Python type or a JSON schema.

Pydantic reads the type and validates the answer, so a field's constraints, aliases and validators
count; for a schema given as a dict it is `jsonschema`. Both are imported when a shape is made.
"""

from __future__ import annotations

import enum
import json
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deepseek_jupyter.errors import SchemaError, SchemaMismatchError

__all__ = ["Shape", "adapter_of", "modern", "schema_of", "shape_of"]

_MOST_PROBLEMS = 8  # told to the model; the rest only counted
_KINDS = (
    "Use a pydantic model, a dataclass, a TypedDict, a NamedTuple, an enum, a plain type such as "
    "list[int], or a JSON schema as a dict."
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer is to be. `schema` is a JSON schema, `name` what to call it on the wire.

    `validate` turns a JSON value into the typed one. Raises `SchemaMismatchError` with what is
    wrong, in words that help the model to repair it.
    """

    name: str
    schema: Mapping[str, Any]
    validate: Callable[[Any], Any]

    @property
    def description(self) -> str:
        """The docstring of the type, "" without one."""
        return str(self.schema.get("description") or "")


def shape_of(wanted: object) -> Shape:
    """The shape that `wanted` says; ``[T]`` is short for ``list[T]``.

    Raises `SchemaError` for what is no type and no schema.
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
        raise SchemaError(f"{_shown(wanted)} is no schema: {_first(error)}", _KINDS) from error


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
        raise SchemaError(f"{_shown(wanted)} says nothing about the answer.", _KINDS)
    return schema


def _generator() -> Any:
    from pydantic.json_schema import GenerateJsonSchema

    class Named(GenerateJsonSchema):
        """A NamedTuple is an object: its names tell the model more than their order."""

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
            problems = [
                (".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_url=False)
            ]
            raise _mismatch(problems) from error

    return validate


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
        raise SchemaError(f"The JSON schema is no JSON: {error}") from error
    if not _says_something(plain):
        raise SchemaError("The dict is no JSON schema: it has no type.", _KINDS)
    validator = Draft202012Validator(plain)

    def validate(value: Any) -> Any:
        from referencing.exceptions import Unresolvable

        try:
            found = sorted(validator.iter_errors(value), key=lambda e: list(map(str, e.path)))
        except Unresolvable as error:
            raise SchemaError(f"The JSON schema refers to what is not in it: {error}") from error
        if found:
            raise _mismatch([(".".join(map(str, e.path)), e.message) for e in found])
        return value

    return Shape(_identifier(str(plain.get("title") or "Answer")), plain, validate)


def _says_something(schema: Mapping[str, Any]) -> bool:
    words = ("type", "properties", "items", "enum", "const", "$ref", "anyOf", "oneOf", "allOf")
    return any(word in schema for word in words)


def _mismatch(problems: list[tuple[str, str]]) -> SchemaMismatchError:
    told = [f"{where}: {what}" if where else what for where, what in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        told.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    return SchemaMismatchError("The answer does not fit the schema: " + "; ".join(told) + ".")


def _refuse_values(wanted: object) -> None:
    """Things that pydantic would take, or refuse in words about its inside."""
    if wanted in (Any, object):
        raise SchemaError(f"{_shown(wanted)} says nothing about the answer.", _KINDS)
    known = isinstance(wanted, type) or typing.get_origin(wanted) is not None or wanted is None
    if not known and not isinstance(wanted, types.UnionType | typing.TypeVar | typing.NewType):
        alias = type(wanted).__name__ in ("TypeAliasType", "_AnnotatedAlias")
        if not alias:
            raise SchemaError(f"{_shown(wanted)} is a value, not a type.", _KINDS)


def modern(wanted: Any) -> Any:
    """Before Python 3.12 pydantic takes only the TypedDict of typing_extensions."""
    if sys.version_info >= (3, 12):
        return wanted
    if typing.is_typeddict(wanted) and type(wanted).__module__ == "typing":
        import typing_extensions

        hints = typing.get_type_hints(wanted, include_extras=True)
        fields = {}
        for name, hint in hints.items():
            if typing.get_origin(hint) in (typing.Required, typing.NotRequired):
                (hint,) = typing.get_args(hint)
            required = name in wanted.__required_keys__
            kind = typing_extensions.Required if required else typing_extensions.NotRequired
            fields[name] = kind[modern(hint)]
        make: Any = typing_extensions.TypedDict
        made = make(wanted.__name__, fields)
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


def _name(wanted: object) -> str:
    origin = typing.get_origin(wanted)
    if isinstance(wanted, type) and origin is None:
        return _identifier(wanted.__name__) if _is_own(wanted) else "Answer"
    arguments = typing.get_args(wanted)
    if origin in (list, tuple, set) and arguments and isinstance(arguments[0], type):
        inner = _name(arguments[0])
        return "Answer" if inner == "Answer" else f"{inner}List"
    return "Answer"


def _is_own(kind: type) -> bool:
    return kind.__module__ not in ("builtins", "datetime", "decimal") or issubclass(kind, enum.Enum)


def _identifier(name: str) -> str:
    """As the API wants names: letters, digits, ``_`` and ``-``, 64 at most."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name)
    return kept[:64] or "Answer"


def _shown(wanted: object) -> str:
    text = wanted.__name__ if isinstance(wanted, type) else repr(wanted)
    return text if len(text) <= 60 else text[:57] + "…"


def _first(error: BaseException) -> str:
    return str(error).partition("\n")[0].rstrip(".") + "."
