"""Every exception this package raises on purpose, one class per cause.

The four families below `DeepSeekError`: `ConfigurationError` (this side, before anything was sent),
`TransportError` (the network), `APIError` (the server refused), and `ResponseError` (an answer
came, but cannot be used); each class says its cause, and what to do.

The functions before the tree help to word messages.

Interruption by the user is not in the tree: `Interrupted` is a `KeyboardInterrupt`, so that
code which catches errors does not swallow a stop.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from .words import said


def shortened(text: str, longest: int = 60) -> str:
    """`text`, ending in "…" where it has more than `longest` characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def one_line(text: str, longest: int) -> str:
    """`text` as one line of at most `longest` characters."""
    return shortened(" ".join(text.split()), longest)


def counted(count: int, noun: str) -> str:
    """1 line, 2 lines."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that names the known word nearest to `word`; "" where none is near."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {close[0]}?" if close else ""


class DeepSeekError(Exception):
    """Base of the tree. `what` says what happened, `hint` what to do about it.

    `reply` holds what had arrived when the error struck (a `deepseek_jupyter.Reply`), or None.
    In a notebook it shows as two lines without a traceback; the cell still counts as failed,
    so Run All stops. `raise ... from` keeps the technical cause for those who want it.
    """

    hint_default = ""
    where = ""
    unsent = False  # known never to have left
    headline = ""  # says it to a person who has not read what the server says; "" for `what`

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint or self.hint_default
        self.reply: Any = None

    def __str__(self) -> str:
        first = f"{self.what} ({self.where})" if self.where else self.what
        return f"{first}\n{self.hint}" if self.hint else first

    def _render_traceback_(self) -> list[str]:
        where = f" ({self.where})" if self.where else ""
        lines = [f"{type(self).__name__}: {said(self.what)}{where}"]
        return [*lines, f"  → {said(self.hint)}"] if self.hint else lines

    @property
    def record(self) -> dict[str, str]:
        """Type, message, hint and details, as a turn's record and a page have them."""
        what, _, more = self.what.partition("\n")
        message = self.headline or what
        details = "\n".join(filter(None, (what if what != message else "", more, self.where)))
        said = {"type": type(self).__name__, "message": message, "hint": self.hint}
        return {**said, "details": details} if details else said


class ConfigurationError(DeepSeekError):
    """Something on this side is missing or wrong; nothing was sent."""


class MissingKeyError(ConfigurationError):
    """No API key was found for the provider."""


class ParameterError(ConfigurationError):
    """A parameter is unknown to the provider, of the wrong type, or out of range."""


class TemplateError(ConfigurationError):
    """An expression between ``{{`` and ``}}`` could not be evaluated."""


class ReplayError(ConfigurationError):
    """No kept answer to this question, and asking was not allowed."""

    hint_default = "Ask it once with --replay auto; other words or another history count as new."


class ConversationError(ConfigurationError):
    """A turn or branch does not exist, or the name of a new branch cannot be used."""

    hint_default = "%deepseek tree shows the turns and branches."


class CellError(ConfigurationError):
    """There is no such cell, or nothing in it to work on."""


class ChangedCellError(CellError):
    """The cell is no longer what it was when a change to it was offered; nothing was written."""

    hint_default = "Ask again: a new answer starts from the cell as it is now."


class UnsafeSettingError(ConfigurationError):
    """A setting was refused because it would do harm in this process."""


class LocalModelError(ConfigurationError):
    """The embedded model is not installed, damaged, or cannot run on this machine."""


class PolicyError(ConfigurationError):
    """A ``deepseek-policy.toml`` forbids the question, or cannot be read or understood."""

    hint_default = "%deepseek doctor lists the policy files and their rules."


class SchemaError(ConfigurationError):
    """What was given as a schema is not one, or asks for what no provider can guarantee."""

    hint_default = "Change the type or the schema, or ask without --schema."


class ToolError(ConfigurationError):
    """A function cannot be described to the model, or is not known by that name."""


class SandboxError(ConfigurationError):
    """The process for SQL cannot be started, or a frame cannot be copied into it."""

    hint_default = "Attach a selection of the rows or columns, or ask without --tools sql."


class TransportError(DeepSeekError):
    """The network failed. Whatever had arrived is in `reply`."""


class UnreachableError(TransportError):
    """No connection could be made."""

    hint_default = "Check the address, the network and any proxy; then run the cell again."


class TimedOutError(TransportError):
    """Connected, but the server stayed silent for too long."""

    hint_default = "Run the cell again; a busy server answers later."


class TruncatedError(TransportError):
    """The answer broke off before its end. The part that arrived is kept and marked."""

    headline = "The answer broke off before its end."
    hint_default = "The part that arrived is kept (ds.last); --continue goes on from there."


class APIError(DeepSeekError):
    """The server answered with an error.

    `status` is the HTTP status (None for an error inside a stream that had begun with 200),
    `request_id` what the provider's support asks for (``x-ds-trace-id`` at DeepSeek),
    `url` the final URL of the request, `provider` the profile's name, `retry_after` the seconds
    that the server asked to wait.
    """

    def __init__(
        self,
        what: str,
        hint: str = "",
        *,
        status: int | None = None,
        provider: str = "",
        url: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, hint)
        self.status = status
        self.retry_after = retry_after
        self.provider = provider
        self.url = url
        self.request_id = request_id

    @property
    def where(self) -> str:  # type: ignore[override]
        """Provider, status, address and request id, as far as they are known."""
        status = f"HTTP {self.status}" if self.status else ""
        request = f"request {self.request_id}" if self.request_id else ""
        return ", ".join(filter(None, (self.provider, status, self.url, request)))


class BadRequestError(APIError):
    """400 or 422: the server does not accept a value in the request."""

    hint_default = "Change the value it names and run the cell again."


class ContextLengthError(BadRequestError):
    """The messages and max_tokens together exceed the model's context window."""

    headline = "Question and conversation are too long for the model."
    hint_default = (
        "Shorten the prompt, start a new conversation with %deepseek reset, or lower --max-tokens."
    )


class ContentRiskError(BadRequestError):
    """The provider's safety filter refused the input ("Content Exists Risk")."""

    headline = "The provider's safety filter refused the question."
    hint_default = "Reword the prompt; sending the same text again will be refused again."


class ModelNotFoundError(BadRequestError):
    """The server does not know the model id."""

    hint_default = "%deepseek models lists the ids this provider offers."


class AuthenticationError(APIError):
    """401: the key is missing or wrong."""

    headline = "The API key was not accepted."
    hint_default = "Set a valid key with %deepseek login, or in the provider's key variable."


class InsufficientBalanceError(APIError):
    """402: the account's balance is used up."""

    headline = "The account's balance is used up."
    hint_default = "Top up the account; %deepseek balance shows what is left."


class PermissionDeniedError(APIError):
    """403: this key may not use this model or feature."""

    headline = "This key may not use that."
    hint_default = "Check the account's permissions and the model id at the provider."


class EndpointError(APIError):
    """404, 405, a redirect or an HTML page: this URL is not the API."""

    hint_default = "Check the base URL: %deepseek provider shows it."


class RateLimitError(APIError):
    """429: too many requests at once for this account."""

    headline = "Too many requests at once."
    hint_default = "Wait a little, or run fewer cells at the same time."


class ServerError(APIError):
    """5xx: something failed on the server's side."""

    headline = "The server failed."
    hint_default = "Nothing is wrong with your request; try again in a moment."


class OverloadedError(ServerError):
    """The server is overloaded and gave up on the request."""

    headline = "The server is overloaded."
    hint_default = "Try again in a moment, or choose another provider."


class ResponseError(DeepSeekError):
    """An answer arrived, but it cannot be used."""


class EmptyAnswerError(ResponseError):
    """The model returned no answer text."""

    hint_default = "Raise --max-tokens, lower --effort, or use --no-think."


class InvalidResponseError(ResponseError):
    """The body is not the JSON the API promises."""

    hint_default = "Check that the base URL leads to an OpenAI-compatible API: %deepseek provider."


class SchemaMismatchError(InvalidResponseError):
    """The answer does not fit the schema. Its text is in `reply.text`."""

    hint_default = "The text is kept (ds.last.text); run the cell again, or loosen the schema."


class ToolArgumentsError(ResponseError):
    """The model called a function with arguments that do not fit; the message is for the model."""


class QueryError(ResponseError):
    """DuckDB cannot run the model's query; the message is DuckDB's, for the model."""


class QueryRefusedError(QueryError):
    """The model's statement is not a single query, and was not run."""

    hint_default = "Run one SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE or SHOW at a time."


class QueryTimeoutError(QueryError):
    """The model's query was stopped at its time limit."""

    hint_default = "Filter or aggregate first, and avoid cross joins and unbounded recursion."


class QueryMemoryError(QueryError):
    """The model's query was stopped at its memory limit."""

    hint_default = "Filter or aggregate first."


class QuerySizeError(QueryError):
    """The result of the model's query is too large to be handed back."""

    hint_default = "Select fewer columns or rows, or aggregate."


class JobStoppedError(DeepSeekError):
    """A job ended before its last request. What was answered is kept; `job` has it."""

    hint_default = "What was answered is kept: the same call goes on from there."

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.job: Any = None


class Interrupted(KeyboardInterrupt):
    """The user stopped the answer. `reply` holds what had arrived.

    A `KeyboardInterrupt`, so Run All stops as for any interrupted cell, shown as one line.
    """

    def __init__(
        self, what: str = "Stopped. What had arrived is kept (ds.last).", reply: Any = None
    ) -> None:
        super().__init__(what)
        self.reply = reply

    def _render_traceback_(self) -> list[str]:
        return [said(str(self))]
