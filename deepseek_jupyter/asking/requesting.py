"""The `ChatRequest` of a turn: parameters, thinking, tools and schema, and what a provider adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.protocol.messages import Message
from deepseek_jupyter.protocol.request import ChatRequest

if TYPE_CHECKING:
    from deepseek_jupyter.session.session import Session
    from deepseek_jupyter.tools.asking import Asked
    from deepseek_jupyter.tools.functions import Tool
    from deepseek_jupyter.transport.providers import Provider

    from .question import Question

__all__ = ["asked_shape", "parameters_of", "request_of", "with_tools"]

_THINK = {"auto": None, "on": True, "off": False}


def parameters_of(session: Session, question: Question) -> dict[str, Any]:
    """The settings' parameters and the question's, by wire name."""
    values = {**session.config.parameters, **question.parameters}
    if question.format == "json" and question.schema is None:
        values.setdefault("response_format", {"type": "json_object"})
    return values


def request_of(
    session: Session,
    question: Question,
    turn: Turn,
    messages: list[Message],
    parameters: Mapping[str, Any],
) -> ChatRequest:
    """The request of a turn, as the settings and the question want it."""
    config = session.config
    think = _THINK[config.think] if question.think is None else question.think
    effort = question.effort or (config.effort or None if question.think is None else None)
    extra = dict(config.extra_body)
    if turn.provider == "local":
        extra = {**_local_fields(turn.model, parameters, think, effort), **extra}
    return ChatRequest(
        model=turn.model,
        messages=messages,
        parameters=parameters,
        think=think,
        effort=effort,
        stream=config.stream if question.stream is None else question.stream,
        extra=extra,
    )


def _local_fields(
    model: str, parameters: Mapping[str, Any], think: bool | None, effort: str | None
) -> dict[str, Any]:
    from deepseek_jupyter import local

    mode = (parameters.get("response_format") or {}).get("type")
    return local.thinking_body(
        bool(think) or effort not in (None, "none"),
        response_format=bool(mode),
        tools=bool(parameters.get("tools")),
        repeatable="seed" in parameters or parameters.get("temperature") == 0,
        model=model,
    )


def asked_shape(question: Question, provider: Provider, tools: Mapping[str, Tool]) -> Asked | None:
    """How the answer's schema is asked of this provider; None without one."""
    if question.schema is None:
        return None
    from deepseek_jupyter.tools.asking import ask_for
    from deepseek_jupyter.tools.schemas import shape_of

    return ask_for(shape_of(question.schema), provider.dialect.schema, tools=bool(tools))


def with_tools(
    parameters: Mapping[str, Any], tools: Mapping[str, Tool], asked: Asked | None
) -> dict[str, Any]:
    """The parameters with what tools and schema add to them; they cannot both be given twice."""
    added: dict[str, Any] = dict(asked.parameters) if asked else {}
    if tools:
        added["tools"] = [tool.to_wire() for tool in tools.values()]
    for name in added:
        if name in parameters:
            raise ParameterError(
                f"The parameter {name} and {'tools' if tools else 'a schema'} exclude each other.",
                "Leave one out.",
            )
    return {**parameters, **added}
