"""One question and its answer, and the verdict on what came.

What a server says leaves only in three ways: `received` for what is streamed, `completion` for what
has arrived, `clean` for an error. A server may repeat the key, on purpose or not, anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from deepseek_jupyter import errors
from deepseek_jupyter.errors import APIError, DeepSeekError
from deepseek_jupyter.protocol.deltas import (
    Completion,
    Event,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from deepseek_jupyter.protocol.dialect import Dialect
from deepseek_jupyter.protocol.fim import FimRequest
from deepseek_jupyter.protocol.request import Built, ChatRequest, insisting_on_json, join_url
from deepseek_jupyter.protocol.stream import error_of, parse_json
from deepseek_jupyter.protocol.wire import WIRES

from .addresses import address_hint
from .failures import Refusal, api_error, looks_like_html
from .keys import KeyFilter, Secret, scrub
from .providers import Provider

E = TypeVar("E", bound=BaseException)

_TEXTS = {TextDelta, ReasoningDelta}
_SAID = ("what", "hint", "url", "request_id", "provider")  # of an error


class Exchange:
    """The input of `Client.stream`, and what has come of it so far.

    `built` is the body of `request` where the caller has it already. After the stream has ended,
    or failed, `completion` holds what arrived; `url` and `request_id` say where from; `attempts`
    counts the requests that were sent.
    """

    def __init__(
        self,
        request: ChatRequest | FimRequest,
        provider: Provider,
        key: Secret,
        built: Built | None = None,
    ) -> None:
        self.request = request
        self.provider = provider
        self.key = key
        self.dialect = provider.dialect
        self.url = provider.base_url
        self.request_id = ""
        self.attempts = 0
        self.decoder = WIRES[provider.wire].stream(self.dialect)
        self._built = built
        self._whole: Completion | None = None
        self.insisted = False
        self._filter = KeyFilter(key)
        self._filters: dict[object, KeyFilter] = {}

    def begin(self) -> Built:
        """Forget an earlier attempt; returns the body to post."""
        wire = WIRES[self.provider.wire]
        if self._built is None:
            self._built = wire.build(self.request, self.dialect)
        self.attempts += 1
        self.decoder, self._whole = wire.stream(self.dialect), None
        self.decoder.redact = partial(_redacted, self.key, self._filter)
        self._filters = {}
        base = self.provider.beta_url if self._built.beta else self.provider.wire_url
        self.url = join_url(base, wire.path)
        return self._built

    def change_dialect(self, dialect: Dialect) -> None:
        """Speak to the server in this dialect from the next attempt on."""
        self.dialect, self._built = dialect, None

    # What the server said, without the key

    @property
    def completion(self) -> Completion:
        if self._whole is not None:
            return self._whole
        arrived = self.decoder.completion
        logprobs = arrived.logprobs  # cleaned as they arrive: there may be many
        cleaned: Completion = self._filter.whole(replace(arrived, logprobs=None))
        return replace(cleaned, logprobs=logprobs)

    def received(self, events: Sequence[Event]) -> list[Event]:
        """`events` as they may be passed on."""
        return list(self._cleaned(events))

    def rest(self) -> list[Event]:
        """The ends of texts that waited, being beginnings of the key."""
        ends = {channel: filter.close() for channel, filter in self._filters.items()}
        return [_delta(channel, text) for channel, text in ends.items() if text]

    def decoded(self, text: str) -> object:
        """The JSON in `text`. Raises the error that fits where it is none."""
        return self._filter.whole(self._parsed(text))

    def clean(self, error: E) -> E:
        """`error`, and what it came of, without the key and without their frames.

        The frames hold what the server said and what was sent.
        """
        linked: list[BaseException | None] = [error]
        seen: set[int] = set()
        while linked:
            one = linked.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            linked += [one.__cause__, one.__context__]
            one.__traceback__ = None
            one.args = tuple(self.redact(a) if isinstance(a, str) else a for a in one.args)
            if isinstance(one, json.JSONDecodeError):
                one.doc = ""
        for name in _SAID:
            if isinstance(text := getattr(error, name, None), str):
                setattr(error, name, self.redact(text))
        return error

    def unreadable(self, bug: Exception) -> DeepSeekError:
        """The error for a reply on which our own code failed, with the place in words."""
        at = bug.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        where = f", {Path(at.tb_frame.f_code.co_filename).name} line {at.tb_lineno}" if at else ""
        what = f"{self.url} answered with something that cannot be read"
        self.clean(bug)
        return self.clean(errors.InvalidResponseError(f"{what} ({type(bug).__name__}{where})."))

    def redact(self, text: str) -> str:
        """Words about a failure without the key."""
        return scrub(text, self.key)

    # The verdict

    @property
    def has_output(self) -> bool:
        """Whether the user has seen anything of the answer."""
        completion = self.completion
        said = completion.answer or completion.reasoning or completion.tool_calls
        return bool(said or completion.searches)

    def judge(self) -> None:
        """Raise if what came, now that the stream has ended, is no whole answer; else keep it."""
        completion, decoder = self.completion, self.decoder
        if decoder.oversized:
            raise errors.InvalidResponseError(f"{self.url} sent more than fits into an answer.")
        if completion.fault:
            raise self.error(200, {}, completion.fault.whole or completion.fault.message)
        if decoder.runaway:
            self._whole = completion  # blanks for ever: the caller meets an empty answer
            return
        if self._whole is None and not decoder.events:
            if decoder.sse.junk or decoder.unparsable:
                raise errors.InvalidResponseError(
                    f"{self.url} answered with something other than events."
                )
            raise self.said(
                errors.OverloadedError, "The server ended the reply without sending anything."
            )
        if not completion.ended:
            what = "The answer broke off: the stream ended without its end mark."
            raise errors.TruncatedError(what) if self.has_output else errors.UnreachableError(what)
        if completion.finish_reason == "insufficient_system_resource" and not self.has_output:
            raise self.said(errors.OverloadedError, "The server ran out of capacity.")
        self._whole = completion  # cleaned once for all who look at it

    def take(self, completion: Completion, *, insisted: bool) -> None:
        """Keep what came of it in another process."""
        self._whole, self.insisted = completion, insisted

    def insist_on_json(self) -> bool:
        """Whether to ask again because JSON mode returned only blanks; true at most once.

        Text around the JSON value is blanked out by DeepSeek's server, so an answer in prose
        arrives as blanks (api-docs.deepseek.com/guides/json_mode: "may return empty content").
        """
        if isinstance(self.request, FimRequest):
            return False
        mode = self.request.parameters.get("response_format") or {}
        completion = self.completion
        if mode.get("type") != "json_object" or not completion.empty or self.insisted:
            return False
        blanks = bool(completion.answer)  # to the limit, as a model in JSON mode may
        if completion.finish_reason not in (None, "stop", *(["length"] if blanks else [])):
            return False
        self.insisted = True
        self.request, self._built = insisting_on_json(self.request), None
        return True

    # Replies in one piece

    def take_json(self, status: int, headers: Any, text: str) -> None:
        """Keep the answer in `text`. Raises the error that fits where there is none."""
        parsed = self._parsed(text)
        refused = isinstance(parsed, dict) and not parsed.get("choices") and error_of(parsed)
        if isinstance(parsed, dict) and not refused:
            whole = WIRES[self.provider.wire].parse(parsed, self.dialect)
            self._whole = self._filter.whole(whole)
        if self._whole is None:
            error = self.error(status, headers, text)
            if refused or type(error) is not errors.ServerError:
                raise error
            raise errors.InvalidResponseError(
                f"{self.url} answered with JSON that holds no choices: {error.what}"
            )

    def _parsed(self, text: str) -> object:
        try:
            return parse_json(text)
        except ValueError:
            pass
        if looks_like_html(text):
            raise self.said(errors.EndpointError, "The server answered with a web page, not JSON.")
        raise errors.InvalidResponseError(f"{self.url} answered with something other than JSON.")

    def error(self, status: int, headers: Any, body: str) -> APIError:
        """The error for a refusal, with this exchange's particulars and no key in it."""
        refusal = Refusal(status, headers, body, self.url, self.provider.name, self.redact)
        error = api_error(refusal)
        error.request_id = error.request_id or self.request_id
        return error

    def said(self, kind: type[APIError], what: str) -> DeepSeekError:
        """An error in our own words."""
        hint = address_hint(self.url) if kind is errors.EndpointError else ""
        return kind(
            what, hint, provider=self.provider.name, url=self.url, request_id=self.request_id
        )

    def _channel(self, channel: object) -> KeyFilter:
        if channel not in self._filters:
            self._filters[channel] = copy(self._filter)
        return self._filters[channel]

    def _cleaned(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, TextDelta | ReasoningDelta):
                text = self._channel(type(event)).feed(event.text)
                if text:
                    yield event if text is event.text else type(event)(text)
            elif isinstance(event, ToolCallDelta):
                index = event.index if isinstance(event.index, int) else None
                arguments = self._channel(index).feed(event.arguments)
                yield replace(self._filter.whole(event), arguments=arguments)
            else:
                yield self._filter.whole(event)


def _redacted(key: Secret, filter: KeyFilter, value: Any) -> Any:
    """The words of a failure, or a list of tokens."""
    return scrub(value, key) if isinstance(value, str) else filter.whole(value)


def _delta(channel: Any, text: str) -> Event:
    if channel in _TEXTS:
        return channel(text)  # type: ignore[no-any-return]
    return ToolCallDelta(channel, None, None, text)
