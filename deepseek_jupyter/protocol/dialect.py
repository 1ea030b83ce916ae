"""How one provider's chat completions differ from the others', as data.

A `Dialect` holds no state and no address: only what request building and stream reading need to
know. Each named quirk carries its reason in the provider table (`transport.providers`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deepseek_jupyter.errors import ParameterError

from .model_facts import facts_of
from .parameters import STANDARD, Parameter

ThinkingStyle = Literal[
    "deepseek",  # thinking: {type}, reasoning_effort
    "reasoning",  # reasoning: {enabled} or {effort}
    "enable_thinking",  # enable_thinking: bool, reasoning_effort
    "template",  # chat_template_kwargs: {...: bool}
    "effort",  # reasoning_effort with "none" for off
    "by_id",  # the model id chooses
    "extra",  # the caller adds fields of its own (the embedded model)
]

Replay = Literal[
    "reasoning_content",  # on every assistant turn
    "reasoning_details",  # OpenRouter's items, unmodified
    "signed",  # the text, and the signatures or items that it came with, on other wires than chat
    "none",
]

SchemaStyle = Literal[
    "strict function",  # a function with strict: true that the model must call
    "strict json_schema",  # response_format json_schema, in strict mode's subset
    "json_schema",  # response_format json_schema, any schema
    "json mode",  # response_format json_object; the schema is in the prompt
]

PrefixStyle = Literal[
    "",  # the model does not go on from an assistant message
    "prefix",  # with prefix: true on it, at the beta base URL
    "trailing",  # by itself, where it is the last one
    "continue",  # continue_final_message: true, add_generation_prompt: false
]

# DeepSeek's own mapping since 2026-08-13, applied here so that every host gets a known word.
_EFFORTS = {
    **dict.fromkeys(("minimal", "low"), "low"),
    **dict.fromkeys(("medium", "high", "xhigh"), "high"),
    **dict.fromkeys(("max", "ultra"), "max"),
}

# CometAPI's V3 ids carry the mode in their name; later ids take DeepSeek's own fields.
_MODE_IN_ID = re.compile(r"v3\.[0-2]", re.IGNORECASE)
_MODES = re.compile(r"-(no)?think(?:ing)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The differences, with DeepSeek's own API as the default."""

    provider: str = "deepseek"
    like: str = "deepseek"  # the profile that it is, or is like: facts of models go by its name
    rows: Mapping[str, Parameter] = field(default_factory=lambda: STANDARD)  # that are documented
    thinking: ThinkingStyle = "deepseek"
    efforts: Mapping[str, str] = field(  # friendly effort -> the provider's word; others it has not
        default_factory=lambda: {"low": "low", "high": "high", "max": "max"}
    )
    template_keys: tuple[str, ...] = ()  # set in ``chat_template_kwargs`` by the ``template`` style
    replay: Replay = "none"  # what of earlier thinking goes back
    stream_usage: bool = True  # ask for usage with ``stream_options``
    think_implied: bool = False  # replies begin inside ``<think>``
    schema: SchemaStyle = "json mode"  # how an answer is held to a schema
    schema_flag: bool = False  # ``structured_outputs: true`` goes with a JSON schema
    beta: bool = False  # prefix completion and strict tools need the beta base URL
    prefix: PrefixStyle = ""  # how it is made to go on from an assistant message at the end
    json_needs_word: bool = False  # JSON mode is refused unless a message says "json"
    thinks_by_default: bool = False  # the model thinks where nothing is sent
    forced_tool_choice_with_thinking: bool = True  # a request may force a call on a thinking model
    tool_choice_none: bool = True  # with it the model sees no tools; llama.cpp shows them
    refused: tuple[str, ...] = ()  # what the host refuses nevertheless; left out, with a notice
    blank_content: str = ""  # what an assistant message without text is sent as
    # Parameters that the mode accepts without effect, each with a sentence that says so.
    ignored_when_thinking: Mapping[str, str] = field(default_factory=dict)
    ignored_when_not_thinking: Mapping[str, str] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)


def model_id(dialect: Dialect, model: str, think: bool | None, effort: str | None) -> str:
    """The id to send: where the id chooses the mode, that of the mode which is asked for.

    Raises `ParameterError` where no such id is known, or `model` names the other mode.
    """
    if dialect.thinking != "by_id" or not _MODE_IN_ID.search(model):
        return model
    if effort not in (None, "none"):
        raise ParameterError(
            f"{model} has no effort setting.", "Leave --effort out, or use a V4 or later id."
        )
    wanted = False if effort == "none" else think
    named = _MODES.search(model)
    if wanted is None or (named and wanted is not bool(named[1])):
        return model
    facts = facts_of(dialect.like, model)
    other = facts.thinking_id if wanted else facts.plain_id
    if other and not named:
        return other
    mode = "thinking" if wanted else "not thinking"
    hint = f"Use -m {other}." if other else f"%deepseek models {dialect.provider} lists its ids."
    raise ParameterError(
        f"At {dialect.provider} the id chooses the mode, and {model} is not the {mode} one.", hint
    )


def thinking_fields(
    dialect: Dialect, model: str, think: bool | None, effort: str | None
) -> dict[str, Any]:
    """The body fields that say `think` and `effort` in the provider's words.

    None means: not set by the user, nothing is sent. Raises `ParameterError` for combinations
    that make no sense or that the provider does not offer.
    """
    if effort == "none":
        if think:
            raise ParameterError(
                "--think and --effort none contradict each other.", "Leave one out."
            )
        think, effort = False, None
    if effort is not None:
        if effort not in _EFFORTS:
            raise ParameterError(f"effort {effort!r} is unknown.", "Use low, high, max or none.")
        effort = _EFFORTS[effort]
        if think is False:
            raise ParameterError(
                f"--no-think and --effort {effort} contradict each other.", "Leave one out."
            )
    style = dialect.thinking
    if (think is None and effort is None) or (style == "by_id" and _MODE_IN_ID.search(model)):
        return {}  # see `model_id`
    word = _word(dialect, effort) if effort else ""
    if style == "reasoning":
        return {"reasoning": {"effort": word} if word else {"enabled": think}}
    if style == "template":
        return {"chat_template_kwargs": dict.fromkeys(dialect.template_keys, think is not False)}
    if style == "extra":
        return {}
    fields: dict[str, Any] = {}
    if style == "effort":
        word = word or (_word(dialect, "high") if think else "none")
    elif style == "enable_thinking":
        fields["enable_thinking"] = think is not False
    elif think is not None:
        fields["thinking"] = {"type": "enabled" if think else "disabled"}
    return {**fields, "reasoning_effort": word} if word else fields


def _word(dialect: Dialect, effort: str) -> str:
    word = dialect.efforts.get(effort)
    if word is None:
        offered = "It has no levels: use --think or --no-think."
        if dialect.efforts:
            offered = f"It offers {', '.join(dialect.efforts)}."
        raise ParameterError(f"{dialect.provider} does not offer effort {effort}.", offered)
    return word
