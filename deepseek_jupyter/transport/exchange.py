"""One question and its answer, and the verdict on what came."""

from __future__ import annotations

import json

from deepseek_jupyter.errors import (
    APIError,
    DeepSeekError,
    EndpointError,
    InvalidResponseError,
    OverloadedError,
    TruncatedError,
    UnreachableError,
)
from deepseek_jupyter.protocol.deltas import Completion
from deepseek_jupyter.protocol.fim import FimRequest
from deepseek_jupyter.protocol.request import ChatRequest, insisting_on_json
from deepseek_jupyter.protocol.stream import CompletionStream

from .failures import Failure, api_error, looks_like_html
from .keys import Secret, scrub
from .providers import Provider

__all__ = ["Exchange"]


class Exchange:
    """The input of `Client.stream`, and what has come of it so far.

    After the stream has ended, or failed, `completion` holds what arrived; `url` and `request_id`
    say where from; `attempts` counts the requests that were sent.
    """

    def __init__(self, request: ChatRequest | FimRequest, provider: Provider, key: Secret) -> None:
        self.request = request
        self.provider = provider
        self.key = key
        self.dialect = provider.dialect
        self.url = provider.base_url
        self.request_id = ""
        self.attempts = 0
        self._insisted = False
        self.decoder = CompletionStream()
        self.whole: Completion | None = None

    @property
    def completion(self) -> Completion:
        """What has arrived."""
        return self.whole or self.decoder.completion

    @property
    def has_output(self) -> bool:
        """Whether the user has seen anything of the answer."""
        completion = self.completion
        return bool(completion.answer or completion.reasoning or completion.tool_calls)

    def judge(self) -> None:
        """Raise if what came, now that the stream has ended, is no whole answer."""
        completion = self.completion
        if completion.fault:
            code = completion.fault.code
            body = json.dumps({"error": {"message": completion.fault.message, "code": code}})
            meant = 400 if "invalid_request" in code else 500
            status = int(code) if code.isdecimal() and len(code) == 3 else meant
            error = self.error(Failure(status, {}, body))
            error.status = None  # HTTP said 200
            raise error
        if self.decoder.runaway:
            return  # blanks for ever: the caller meets an empty answer
        if self.whole is None and not self.decoder.events:
            if self.decoder.junk or self.decoder.unparsable:
                raise InvalidResponseError(f"{self.url} answered with something else than events.")
            raise self.said(OverloadedError, "The server ended the reply without a word.")
        if not completion.ended:
            what = "The answer broke off: the stream ended without its end mark."
            raise TruncatedError(what) if self.has_output else UnreachableError(what)
        if completion.finish_reason == "insufficient_system_resource" and not self.has_output:
            raise self.said(OverloadedError, "The server ran out of capacity.")

    def insist_on_json(self) -> bool:
        """Whether to ask again because JSON mode returned only blanks; true at most once.

        Text around the JSON value is blanked out by DeepSeek's server, so an answer in prose
        arrives as blanks (api-docs.deepseek.com/guides/json_mode: "may return empty content").
        """
        if isinstance(self.request, FimRequest):
            return False
        mode = self.request.parameters.get("response_format") or {}
        completion = self.completion
        if mode.get("type") != "json_object" or not completion.empty or self._insisted:
            return False
        if completion.finish_reason not in (None, "stop"):
            return False
        self._insisted = True
        self.request = insisting_on_json(self.request)
        return True

    def parse_json(self, text: str) -> object:
        """`text` as JSON; raises the error that fits when it is none."""
        try:
            return json.loads(text)
        except ValueError:
            pass
        if looks_like_html(text):
            raise self.said(EndpointError, "The server answered with a web page, not JSON.")
        raise InvalidResponseError(f"{self.url} answered with something else than JSON.")

    def redact(self, text: str) -> str:
        """A server's own words without the key: some repeat what they were sent."""
        return scrub(text, self.key)

    def error(self, failure: Failure) -> APIError:
        """The error for a refusal, with this exchange's particulars and no key in it."""
        error = api_error(failure.at(self.redact(failure.body), self.url, self.provider.name))
        error.request_id = error.request_id or self.request_id
        return error

    def said(self, kind: type[APIError], what: str) -> DeepSeekError:
        """An error in our own words."""
        return kind(what, provider=self.provider.name, url=self.url, request_id=self.request_id)
