"""From a `ChatRequest` to the JSON body of ``POST /chat/completions``.

Only what the user set is sent. Everything that the server would refuse is refused here, with the
reason; what the server would silently ignore is sent, and a notice says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deepseek_jupyter.errors import ParameterError

from .deltas import Detail, joined
from .dialect import Dialect, Replay, model_id, thinking_fields
from .messages import SIGNED, Message, legal, user
from .model_facts import facts_of
from .parameters import DRAWING, check_parameters

SMALL_THINKING_BUDGET = 4096  # below this, thinking often leaves no tokens for the answer
_JSON_WORD = "Answer with JSON only."
_INSIST_ON_JSON = "Reply with one JSON value and nothing else, beginning with { or [."
_R1_IDS = re.compile(r"(?:^|[/_-])r1(?:$|[._-])", re.IGNORECASE)

_UNKNOWN = re.compile(
    r"unrecogni[sz]ed|unknown|unexpected|unsupported|(not|n't) (support|permitted|allowed)|"
    r"extra (inputs|fields)|不支持|未知",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question, independent of any provider.

    `parameters` are the user's, by wire name; `think` and `effort` (low, high, max, none) are
    translated per provider, None meaning "as the provider does by itself". `extra` is merged
    into the body last, unchecked.
    """

    model: str
    messages: Sequence[Message]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    think: bool | None = None
    effort: str | None = None
    stream: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Built:
    """A request ready to be sent.

    `body` has it in the words of chat completions, in which it is counted, judged and drawn;
    `posted` is that body in the words of another wire, None for chat itself. `beta` asks for the
    beta base URL; `notices` are for the user; `thinks` says whether the model will think, as far
    as the body shows.
    """

    body: dict[str, Any]
    beta: bool = False
    notices: tuple[str, ...] = ()
    thinks: bool = False
    posted: dict[str, Any] | None = None

    @property
    def payload(self) -> bytes:
        """The bytes that are posted. Raises `ParameterError` for what JSON cannot say."""
        return encoded(self.body if self.posted is None else self.posted)


def encoded(body: Mapping[str, Any]) -> bytes:
    """The bytes of a body, as they are posted. Raises `ParameterError` for what JSON cannot say."""
    try:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ParameterError(
            f"The request cannot be written as JSON: {error}.",
            "Look for NaN and infinity in --param and in %config DeepSeek.extra_body.",
        ) from error
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a character, from a file name or from text cut in UTF-16
        return joined(text).encode()


def build(request: ChatRequest, dialect: Dialect) -> Built:
    """The body of `request` in the words of `dialect`.

    Raises `ParameterError` for anything the provider would refuse.
    """
    if not request.model:
        raise ParameterError("No model is set.", "Name one with -m, or %config DeepSeek.model.")
    notices: list[str] = []
    values = check_parameters(request.parameters, dialect.rows, dialect.provider)
    left_out = [name for name in dialect.refused if values.pop(name, None) is not None]
    if left_out:
        notices.append(
            f"{dialect.provider} refuses {', '.join(left_out)} for {request.model}; left out."
        )
    model = model_id(dialect, request.model, request.think, request.effort)
    values = _with_thinking(values, request, dialect)
    _check_offered(values, model, dialect)
    _settle_tool_choice(values, request, dialect, notices)
    messages = _with_json_word(legal(request.messages), values, dialect)
    if not messages:
        raise ParameterError("There is no message to send.")
    body: dict[str, Any] = {
        "model": model,
        "messages": wire_messages(messages, model, dialect),
    }
    if messages[-1].prefix and dialect.prefix == "continue":
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    body.update(values)
    if request.stream:
        body["stream"] = True
        if dialect.stream_usage:
            body["stream_options"] = {"include_usage": True}
    body.update(request.extra)
    if not body.get("stream") and "stream_options" not in request.extra:
        body.pop("stream_options", None)  # a server refuses it alone
    body = {name: value for name, value in body.items() if value is not None}
    notices += _mode_notices(body, dialect)
    beta = dialect.beta and _needs_beta(body)
    return Built(body, beta, tuple(notices), thinks(body, dialect))


def join_url(base: str, path: str) -> str:
    """`base` and `path` with one slash between them.

    A base that already ends in the path (a URL copied from a curl line) is left as it is; its query
    (``?api-version=…``) stays at the end.
    """
    base, mark, query = base.strip().partition("?")
    base, path = base.rstrip("/"), path.strip("/")
    return (base if base.endswith("/" + path) else f"{base}/{path}") + mark + query


def repair(message: str, dialect: Dialect, sent: Iterable[str] = ()) -> Dialect | None:
    """The dialect to try once more with, after a 400 that says `message`; None when it can't help.
    `sent` are the parameters that were set.

    Some refusals depend on the host and its version: whether ``reasoning_content`` must or must not
    come back, whether an assistant message may be empty, whether usage may be asked for, whether
    JSON mode needs the word, and which parameters of drawing tokens are taken at all.
    """
    if "reasoning_content" in message:
        flipped: Replay = "none" if dialect.replay == "reasoning_content" else "reasoning_content"
        return replace(dialect, replay=flipped)
    if "non-empty content" in message and not dialect.blank_content:
        return replace(dialect, blank_content=" ")
    if "stream_options" in message and dialect.stream_usage:
        return replace(dialect, stream_usage=False)
    if "response_format" in message and "'json'" in message and not dialect.json_needs_word:
        return replace(dialect, json_needs_word=True)
    if _UNKNOWN.search(message):
        named = set(re.findall(r"\w+", message)) & DRAWING & set(sent)
        return replace(dialect, refused=(*dialect.refused, *sorted(named))) if named else None
    return None


def insisting_on_json(request: ChatRequest) -> ChatRequest:
    """`request` once more, with a last word about the form."""
    return replace(request, messages=(*request.messages, user(_INSIST_ON_JSON)))


def thinking_of(body: Mapping[str, Any]) -> tuple[bool | None, str | None]:
    """Whether to think, and how much, as the body says it; None where it does not."""
    reasoning = body.get("reasoning") or {}
    effort = body.get("reasoning_effort") or reasoning.get("effort")
    modes = [(body.get("thinking") or {}).get("type"), body.get("enable_thinking")]
    modes.append(reasoning.get("enabled"))
    if effort == "none" or "disabled" in modes or False in modes:
        return False, None
    return any(modes) or None, effort


def thinks(values: Mapping[str, Any], dialect: Dialect) -> bool:
    """Whether the model will think, as far as the fields say."""
    if mode := (values.get("thinking") or {}).get("type"):
        return bool(mode != "disabled")
    on, effort = thinking_of(values)
    template = values.get("chat_template_kwargs")
    if on is None and template:
        return any(template.values())
    by_id = facts_of(dialect.like, str(values.get("model") or "")).thinks
    default = dialect.thinks_by_default if by_id is None else by_id
    return bool(effort) or default if on is None else on


def _check_offered(values: dict[str, Any], model: str, dialect: Dialect) -> None:
    """Refuse what the model is known not to have; add the switch that a schema needs here."""
    facts = facts_of(dialect.like, model)
    form = (values.get("response_format") or {}).get("type")
    if values.get("tools") and facts.tools is False:
        raise ParameterError(f"{model} takes no tools.", "Use another model, or leave --tools out.")
    if form in ("json_object", "json_schema") and facts.json is False:
        raise ParameterError(f"{model} has no JSON mode.", "Use another model for it.")
    if form == "json_schema" and dialect.schema_flag:
        values.setdefault("structured_outputs", True)


def _with_thinking(
    values: dict[str, Any], request: ChatRequest, dialect: Dialect
) -> dict[str, Any]:
    fields = thinking_fields(dialect, request.model, request.think, request.effort)
    clash = next((name for name in fields if name in values), None)
    if clash == "chat_template_kwargs":
        return {**values, clash: {**values[clash], **fields[clash]}}
    if clash:
        raise ParameterError(
            f"--param {clash} and --think/--effort both set {clash}.", "Leave one out."
        )
    return {**values, **fields}


def _settle_tool_choice(
    values: dict[str, Any], request: ChatRequest, dialect: Dialect, notices: list[str]
) -> None:
    """DeepSeek's thinking mode refuses a forced tool choice with 400: give one of the two up."""
    choice = values.get("tool_choice")
    forced = choice == "required" or isinstance(choice, Mapping)
    if not forced or dialect.forced_tool_choice_with_thinking or not thinks(values, dialect):
        return
    if request.think or request.effort:
        values["tool_choice"] = "auto"
        notices.append("Thinking mode allows no forced tool choice: tool_choice auto was sent.")
    else:
        values["thinking"] = {"type": "disabled"}
        values.pop("reasoning_effort", None)
        notices.append(Detail("Thinking was switched off: it allows no forced tool choice."))


def _with_json_word(
    messages: list[Message], values: Mapping[str, Any], dialect: Dialect
) -> list[Message]:
    """JSON mode is refused when no message says "json"; say it at the end of the last one."""
    wanted = (values.get("response_format") or {}).get("type") == "json_object"
    said_already = any("json" in message.content.lower() for message in messages)
    if not (messages and wanted and dialect.json_needs_word) or said_already:
        return messages
    last = max((i for i, m in enumerate(messages) if m.role in ("user", "system")), default=None)
    if last is None:
        return [user(_JSON_WORD), *messages]
    said = replace(messages[last], content=f"{messages[last].content}\n\n{_JSON_WORD}")
    return [*messages[:last], said, *messages[last + 1 :]]


def replays_thinking(model: str, dialect: Dialect) -> bool:
    """Whether the text of earlier thinking goes back with the messages."""
    return dialect.replay in ("reasoning_content", "signed") and not _R1_IDS.search(model)


def wire_messages(
    messages: Iterable[Message], model: str, dialect: Dialect
) -> list[dict[str, Any]]:
    """Messages as the body has them; whether thinking goes back with them is the dialect's."""
    return [_wire_message(message, model, dialect) for message in messages]


def _wire_message(message: Message, model: str, dialect: Dialect) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "tool":
        wire["tool_call_id"] = message.tool_call_id
    if message.images:
        pictures = [{"type": "image_url", "image_url": {"url": url}} for url in message.images]
        wire["content"] = [{"type": "text", "text": message.content}, *pictures]
    if message.role != "assistant":
        return wire
    if not message.content:
        wire["content"] = dialect.blank_content
    if message.tool_calls:
        wire["tool_calls"] = [call.to_wire() for call in message.tool_calls]
    if message.prefix and dialect.prefix == "prefix":
        wire["prefix"] = True
    thought = message.reasoning is not None or message.tool_calls
    if thought and replays_thinking(model, dialect):
        # Verbatim where the model thought; "" satisfies the check for calls made without.
        wire["reasoning_content"] = message.reasoning or ""
    if dialect.replay in ("reasoning_details", "signed") and message.reasoning_details:
        signed = dialect.replay == "signed"  # what one wire has brought is not sent on another
        kept = [d for d in message.reasoning_details if (d.get("type") in SIGNED) is signed]
        if kept:
            wire["reasoning_details"] = kept
    return wire


def _needs_beta(body: Mapping[str, Any]) -> bool:
    """Prefix completion, and strict tools, are served only under the beta base URL."""
    strict = any((tool.get("function") or {}).get("strict") for tool in body.get("tools") or ())
    return strict or bool(body["messages"][-1].get("prefix"))


def _mode_notices(values: Mapping[str, Any], dialect: Dialect) -> list[str]:
    thinking = thinks(values, dialect)
    by_mode = dialect.ignored_when_thinking if thinking else dialect.ignored_when_not_thinking
    notices = [
        sentence
        for table in (by_mode, dialect.ignored)
        for name, sentence in table.items()
        if name in values
    ]
    if {"temperature", "top_p"} <= values.keys() and not {"temperature", "top_p"} & by_mode.keys():
        notices.append("temperature and top_p are both set; providers advise to set one of them.")
    if thinking and 0 < (values.get("max_tokens") or 0) < SMALL_THINKING_BUDGET:
        notices.append(
            f"max_tokens {values['max_tokens']} includes the thinking and may leave nothing for "
            "the answer; use --no-think or a higher limit."
        )
    return notices
