"""What a server or a network can do wrong, and the one error each becomes.

`ask` looks for the key in everything an error shows; `logs_without_key` in every log record.
"""

from __future__ import annotations

import socket
import time
from email.utils import formatdate
from typing import ClassVar

import pytest

from deepseek_jupyter import errors
from deepseek_jupyter.protocol.messages import ToolCall, assistant, tool, user
from deepseek_jupyter.transport.client import Client, Timeouts
from deepseek_jupyter.transport.engine import engine
from deepseek_jupyter.transport.providers import PROVIDERS
from deepseek_jupyter.transport.retry import RetryPolicy
from tests.support import wording
from tests.support.asking import (
    HASTY,
    KEY,
    ONCE,
    PATIENT,
    ask,
    assert_keyless,
    exchange_with,
    provider_at,
)
from tests.support.scripted import (
    Reply,
    Server,
    answer,
    chunk,
    close,
    error,
    event,
    head,
    keepalives,
    pause,
    plain,
    raw,
    reset,
    send,
    sse,
    stall,
    whole,
)

SHORT = Timeouts(connect=60.0, first=0.4, idle=0.4, write=60.0)
SHORT_BETWEEN = Timeouts(connect=60.0, first=60.0, idle=0.4, write=60.0)
HALF = event(chunk({"content": "Half an ans"}))


def asked(server, client=None, provider="deepseek", **request):
    return ask(exchange_with(provider_at(server, provider), **request), client)


class TestRefusals:
    """A status and a body become one class, with status, URL and request id in it."""

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (error(400, "Failed to deserialize the JSON body"), errors.BadRequestError),
            (error(400, "Content Exists Risk"), errors.ContentRiskError),
            (error(400, {"detail": "Content Exists Risk"}), errors.ContentRiskError),
            (
                error(400, "This model's maximum context length is 1048565 tokens."),
                errors.ContextLengthError,
            ),
            (error(400, "Model Not Exist"), errors.ModelNotFoundError),
            (error(401, "Authentication Fails, Your api key is invalid"), None),
            (
                plain("Authentication Fails (no key)", status=401, content_type=None),
                errors.AuthenticationError,
            ),
            (error(402, "Insufficient Balance"), errors.InsufficientBalanceError),
            (error(403, "Not allowed"), errors.PermissionDeniedError),
            (
                error(403, {"code": 30001, "message": "Balance is insufficient", "data": None}),
                errors.InsufficientBalanceError,
            ),
            (error(404), errors.EndpointError),
            (error(405), errors.EndpointError),
            (error(415, "Unsupported", content_type="text/plain"), errors.BadRequestError),
            (error(422, {"detail": [{"loc": ["body"], "msg": "bad"}]}), errors.BadRequestError),
            (error(429, "Too many"), errors.RateLimitError),
            (error(429, "<html>429 Too Many Requests</html>"), errors.RateLimitError),
            (error(408), errors.ServerError),
            (error(500, "Internal"), errors.ServerError),
            (error(502, wording.HTML), errors.ServerError),
            (error(503), errors.OverloadedError),
            (error(524, wording.HTML), errors.ServerError),
            (error(400, {"code": 20012, "message": "Model does not exist", "data": None}), None),
            (error(400, {"object": "error", "message": "flat", "code": 400}), None),
            (plain("not json at all", status=400, content_type=None), errors.BadRequestError),
        ],
        ids=lambda value: getattr(value, "__name__", None) or getattr(value, "status", None),
    )
    def test_each_is_its_own_class(self, server, reply, kind):
        server.queue(reply)
        outcome = asked(server)
        expected = kind or {400: errors.BadRequestError, 401: errors.AuthenticationError}.get(
            reply.status
        )
        assert isinstance(outcome.error, expected)
        assert outcome.error.status == reply.status
        assert outcome.error.provider == "deepseek"
        assert outcome.error.url == server.base_url() + "/chat/completions"
        assert outcome.error.request_id == "0123456789abcdef0123456789abcdef"
        for part in (str(reply.status), outcome.error.url, outcome.error.request_id):
            assert part in str(outcome.error)
        assert outcome.error.hint

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 422])
    def test_a_refusal_is_not_tried_again(self, server, client, status):
        server.queue(error(status, "No."))
        asked(server, client)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 524])
    def test_a_passing_failure_is_tried_again_and_said(self, server, client, status):
        server.queue(error(status, "Later."), error(status), answer("Here."))
        outcome = asked(server, client)
        assert outcome.error is None
        assert outcome.text == "Here."
        assert [(r.number, r.of) for r in outcome.retries] == [(2, 4), (3, 4)]

    def test_the_tries_end(self, server, client):
        server.queue(*[error(503)] * 4)
        assert isinstance(asked(server, client).error, errors.OverloadedError)
        assert len(server.requests) == 4

    def test_comet_calls_a_bad_request_500_and_it_is_not_tried_again(self, server, client):
        told = wording.error_body("bad (request id: 20261121abc)", "comet_api_error")
        told["error"]["code"] = "invalid_request"
        server.queue(error(500, told, headers={"x-ds-trace-id": ""}))
        outcome = asked(server, client, "cometapi")
        assert type(outcome.error) is errors.BadRequestError
        assert outcome.error.request_id == "20261121abc"
        assert len(server.requests) == 1

    def test_a_server_that_repeats_the_key_does_not_spread_it(self, server):
        server.queue(error(401, f"Your api key: {KEY} is invalid"))
        assert "••••" in str(asked(server).error)

    def test_a_stream_that_repeats_the_key_does_not_spread_it(self, server):
        server.queue(sse(wording.error_body(f"key {KEY} is invalid", code="401"), done=False))
        outcome = asked(server)
        assert isinstance(outcome.error, errors.AuthenticationError)
        assert KEY not in repr(outcome.completion)


class TestAddresses:
    """Mistakes in the base URL; keys stay where they belong."""

    def test_a_redirect_is_not_followed_and_the_key_stays(self, server):
        with Server(validate=False, fallback=whole("stolen")) as elsewhere:
            target = elsewhere.url + "/v1/chat/completions"
            server.queue(plain("", status=301, headers={"location": target}))
            outcome = asked(server)
            assert isinstance(outcome.error, errors.EndpointError)
            assert elsewhere.url.removeprefix("http://") in outcome.error.what
            assert elsewhere.requests == []

    def test_html_at_200(self, server):
        server.queue(plain(wording.HTML, content_type="text/html"))
        assert isinstance(asked(server).error, errors.EndpointError)

    def test_html_that_calls_itself_a_stream(self, server):
        server.queue(plain(wording.HTML, content_type="text/event-stream"))
        assert isinstance(asked(server).error, errors.EndpointError)

    def test_text_at_200(self, server):
        server.queue(plain("It works!", content_type="text/plain"))
        assert isinstance(asked(server).error, errors.InvalidResponseError)

    def test_text_that_calls_itself_a_stream(self, server):
        server.queue(plain("upstream connect error", content_type="text/event-stream"))
        assert isinstance(asked(server).error, errors.InvalidResponseError)

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        outcome = ask(exchange_with(PROVIDERS["deepseek"].derive(base_url=url)))
        assert isinstance(outcome.error, errors.UnreachableError)
        assert "127.0.0.1" in outcome.error.what

    def test_https_to_a_server_that_speaks_http(self, server):
        url = server.base_url().replace("http:", "https:")
        outcome = ask(exchange_with(PROVIDERS["deepseek"].derive(base_url=url)))
        assert isinstance(outcome.error, errors.UnreachableError)

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1/v1", "nowhere", "", "http://[::1"])
    def test_an_address_that_is_none_is_told_once_and_not_tried_again(self, client, url):
        outcome = ask(exchange_with(PROVIDERS["deepseek"].derive(base_url=url)), client)
        assert isinstance(outcome.error, errors.ConfigurationError)
        assert outcome.notices == []

    def test_a_key_that_no_header_can_carry_is_refused_unseen(self, server):
        from deepseek_jupyter.transport.exchange import Exchange
        from deepseek_jupyter.transport.keys import Secret

        exchange = exchange_with(provider_at(server))
        broken = Exchange(exchange.request, exchange.provider, Secret(f"{KEY}\nexport X=1"))
        outcome = ask(broken)
        assert isinstance(outcome.error, errors.ConfigurationError)
        assert server.requests == []


class TestWaiting:
    """Queues, keep-alives and silence."""

    def test_the_waits_are_those_that_deepseek_needs(self):
        """A request may be queued for ten minutes; there is no limit on the whole."""
        assert Timeouts().connect == 10
        assert Timeouts().first >= 600
        assert 120 <= Timeouts().idle <= 300

    def test_keep_alives_for_long_show_waiting_and_end_well(self, server):
        server.queue(answer("At last.", before=keepalives(30, 0.02)))
        outcome = ask(exchange_with(provider_at(server)), Client(PATIENT, ONCE))
        assert outcome.error is None
        assert outcome.text == "At last."
        assert outcome.waits >= 20

    def test_keep_alives_between_deltas_hold_the_idle_timer_back(self, server):
        quiet = [send(HALF), *keepalives(10, 0.1), send(event(chunk({"content": "wer"})))]
        end = send(event(chunk(finish="stop")), wording.DONE)
        server.queue(Reply(quiet, end))
        outcome = asked(server, Client(SHORT_BETWEEN, ONCE))
        assert outcome.error is None
        assert outcome.text == "Half an answer"

    def test_blank_lines_before_json_are_a_queue_too(self, server):
        blanks = [send("\n"), pause(0.02)] * 10
        server.queue(
            Reply(blanks, send(whole("Done.").steps[0].data), content_type="application/json")
        )
        outcome = asked(server, stream=False)
        assert outcome.text == "Done."

    @pytest.mark.parametrize("body", ["", "\n\n\n\n", "   "])
    @pytest.mark.parametrize("type_", ["application/json", "text/event-stream"])
    def test_nothing_but_blanks_is_an_overload_and_tried_again(self, server, client, body, type_):
        server.queue(plain(body, content_type=type_), answer("Now."))
        outcome = asked(server, client)
        assert outcome.error is None
        assert len(server.requests) == 2
        server.queue(*[plain(body, content_type=type_)] * 4)
        assert isinstance(asked(server, client).error, errors.OverloadedError)

    def test_only_keep_alives_and_an_end_is_an_overload(self, server):
        server.queue(Reply(keepalives(3)))
        assert isinstance(asked(server).error, errors.OverloadedError)

    @pytest.mark.parametrize(
        "reply",
        [Reply(stall()), Reply(head(), stall()), Reply(keepalives(2), stall())],
        ids=["no headers", "headers", "comments"],
    )
    def test_silence_before_any_output(self, server, reply):
        server.queue(reply)
        outcome = asked(server, Client(SHORT, HASTY))
        assert isinstance(outcome.error, errors.TimedOutError)
        assert server.requests[0].closed.wait(60)
        assert outcome.seconds < 10

    @pytest.mark.parametrize(
        ("timeouts", "kind"),
        [
            (Timeouts(first=0.4), errors.TimedOutError),
            (Timeouts(write=0.4), errors.UnreachableError),
        ],
        ids=["no answer", "no writing"],
    )
    def test_headers_that_nobody_reads_show_no_key(self, timeouts, kind):
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            wide = PROVIDERS["deepseek"].derive(base_url=url, headers={"x-wide": "x" * 20_000_000})
            outcome = ask(exchange_with(wide), Client(timeouts, ONCE))
        assert type(outcome.error) is kind

    def test_silence_after_output_keeps_the_part(self, server):
        server.queue(Reply(send(HALF), stall()))
        outcome = asked(server, Client(SHORT_BETWEEN, HASTY))
        assert isinstance(outcome.error, errors.TruncatedError)
        assert outcome.completion.answer == "Half an ans"
        assert not outcome.completion.ended
        assert server.requests[0].closed.wait(60)
        assert len(server.requests) == 1

    def test_a_balance_request_that_is_reset_is_an_error_of_the_tree(self, server):
        server.queue(Reply(reset()))
        client = Client(PATIENT, ONCE)
        exchange = exchange_with(provider_at(server))
        balance = client.get(exchange.provider, "user/balance", exchange.key)
        with pytest.raises(errors.UnreachableError) as caught:
            engine().run(balance)
        assert_keyless(caught.value)
        engine().run(client.close())


class TestRetryAfter:
    """429 says how long to wait, or does not."""

    def test_seconds_are_honoured(self, server, client):
        server.queue(error(429, "Slow.", headers={"retry-after": "0.3"}), answer("Now."))
        outcome = asked(server, client)
        first, second = server.requests
        assert outcome.error is None
        assert second.at - first.at >= 0.3

    def test_an_http_date_is_honoured(self, server, client):
        date = formatdate(time.time() + 1.6, usegmt=True)  # whole seconds: 0.6 s at least
        server.queue(error(429, "Slow.", headers={"retry-after": date}), answer("Now."))
        outcome = asked(server, client)
        first, second = server.requests
        assert outcome.error is None
        assert second.at - first.at >= 0.5

    @pytest.mark.parametrize("value", ["soon", "Wed, 21 Oct 2026 07:28:00", "-5", "nan"])
    def test_an_odd_one_is_no_reason_to_fail(self, server, client, value):
        server.queue(error(429, "Slow.", headers={"retry-after": value}), answer("Now."))
        assert asked(server, client).text == "Now."

    def test_one_beyond_patience_ends_the_tries(self, server, client):
        server.queue(error(429, "Slow.", headers={"retry-after": "3600"}))
        outcome = asked(server, client)
        assert isinstance(outcome.error, errors.RateLimitError)
        assert outcome.error.retry_after == 3600
        assert len(server.requests) == 1

    def test_a_limit_named_in_the_text_narrows_the_gate(self, server):
        said = "Your current concurrency is 40, which exceeds your concurrency limit of 2."
        client = Client(PATIENT, RetryPolicy(attempts=2, base=0.0, cap=0.0), concurrency=8)
        server.queue(error(429, said), answer("One."))
        assert asked(server, client).error is None
        assert client._limiters["deepseek"].limit == 2
        engine().run(client.close())


class TestBrokenStreams:
    """Resets, cuts and junk: before output tried again, after it kept and marked."""

    @pytest.mark.parametrize(
        "fault",
        [
            Reply(reset()),
            Reply(close(), framing="close"),
            Reply(head(), reset()),
            Reply(keepalives(1), reset()),
            Reply(send(event(chunk({"role": "assistant", "content": ""}))), reset()),
            Reply(send(event(chunk({"role": "assistant", "content": ""}))), close()),
            Reply(send(event(chunk({"role": "assistant", "content": ""}))), framing="close"),
        ],
        ids=["reset", "closed", "headers", "comment", "role reset", "role closed", "role, clean"],
    )
    def test_before_output_it_is_tried_again(self, server, client, fault):
        server.queue(fault, answer("Whole."))
        outcome = asked(server, client)
        assert outcome.error is None
        assert outcome.text == "Whole."
        assert len(outcome.retries) == 1

    @pytest.mark.parametrize(
        "end",
        [[reset()], [close()], [raw(b"zz\r\n")], []],
        ids=["reset", "closed", "bad chunk header", "clean end"],
    )
    @pytest.mark.parametrize("field", ["content", "reasoning_content"])
    def test_after_output_the_part_is_kept_and_nothing_tried_again(
        self, server, client, end, field
    ):
        server.queue(Reply(send(event(chunk({field: "Half"}))), pause(0.05), end))
        outcome = asked(server, client)
        assert isinstance(outcome.error, errors.TruncatedError)
        assert "Half" in (outcome.completion.answer, outcome.completion.reasoning)
        assert not outcome.completion.ended
        assert len(server.requests) == 1

    def test_a_proxy_s_text_after_half_an_answer_is_no_end(self, server):
        server.queue(Reply(send(HALF, b"upstream connect error or disconnect/reset\n")))
        outcome = asked(server)
        assert isinstance(outcome.error, errors.TruncatedError)
        assert outcome.completion.answer == "Half an ans"

    def test_a_missing_done_alone_is_a_whole_answer(self, server):
        server.queue(answer("Whole.", done=False))
        outcome = asked(server)
        assert outcome.error is None
        assert outcome.completion.ended
        assert outcome.completion.finish_reason == "stop"

    def test_a_missing_finish_reason_alone_is_a_whole_answer(self, server):
        server.queue(answer("Whole.", finish=None))
        outcome = asked(server)
        assert outcome.error is None
        assert outcome.completion.ended
        assert outcome.completion.finish_reason is None

    def test_both_missing_is_a_marked_part(self, server):
        server.queue(answer("Half.", finish=None, done=False))
        outcome = asked(server)
        assert isinstance(outcome.error, errors.TruncatedError)
        assert outcome.completion.answer == "Half."

    @pytest.mark.parametrize("framing", ["chunked", "length", "close"])
    def test_one_byte_at_a_time(self, server, framing):
        server.queue(answer("Grüße, 世界 🌍", reasoning="想", piece=1, framing=framing))
        outcome = asked(server)
        assert outcome.error is None
        assert outcome.text == "Grüße, 世界 🌍"
        assert outcome.reasoning == "想"

    @pytest.mark.parametrize("stream", [True, False])
    def test_gzip(self, server, stream):
        server.queue(answer("Packed.", gzip=True) if stream else whole("Packed.", framing="close"))
        assert asked(server, stream=stream).text == "Packed."

    @pytest.mark.parametrize("piece", [0, 1])
    def test_a_byte_order_mark_before_the_stream(self, server, piece):
        server.queue(answer("Hello.", before=[send(b"\xef\xbb\xbf")], piece=piece))
        assert asked(server).text == "Hello."

    def test_gzip_one_byte_at_a_time(self, server):
        server.queue(answer("Packed.", gzip=True, piece=1))
        assert asked(server).text == "Packed."

    def test_broken_gzip(self, server):
        server.queue(plain("no gzip", headers={"content-encoding": "gzip"}))
        assert isinstance(asked(server).error, errors.TransportError)

    def test_the_next_question_goes_over_the_same_connection(self, server, client):
        """A new one costs the user a TLS handshake before the first word."""
        server.queue(answer("One."), answer("Two."), whole("Three."))
        asked(server, client)
        asked(server, client)
        asked(server, client, stream=False)
        assert len({request.peer for request in server.requests}) == 1

    def test_a_server_that_holds_the_line_after_done_keeps_nobody_waiting(self, server):
        server.queue(answer("Done.", after=[send(wording.DONE), stall()]))
        outcome = asked(server)
        assert outcome.text == "Done."
        assert outcome.seconds < 10
        assert server.requests[0].closed.wait(60)

    def test_an_error_event_after_output_keeps_the_part(self, server, client):
        told = wording.error_body("upstream failed", code="502")
        server.queue(Reply(send(HALF, event(told), wording.DONE)))
        outcome = asked(server, client)
        assert isinstance(outcome.error, errors.ServerError)
        assert outcome.completion.answer == "Half an ans"
        assert len(server.requests) == 1

    def test_an_error_event_before_output_is_tried_again(self, server, client):
        server.queue(sse(wording.error_body("overloaded", code="503")), answer("Now."))
        outcome = asked(server, client)
        assert outcome.error is None
        assert outcome.text == "Now."

    def test_an_error_event_says_no_http_status_that_was_not_there(self, server):
        server.queue(sse(wording.error_body("something", code="oops")))
        outcome = asked(server)
        assert isinstance(outcome.error, errors.APIError)
        assert outcome.error.status is None

    def test_a_refusal_inside_a_stream_is_not_tried_again(self, server, client):
        server.queue(sse(wording.error_body("Content Exists Risk")))
        assert isinstance(asked(server, client).error, errors.ContentRiskError)
        assert len(server.requests) == 1


class TestMislabelled:
    """Replies that are not what they call themselves, or not what was asked for."""

    def test_json_for_a_stream_request(self, server):
        server.queue(whole("Whole.", "Hm."))
        outcome = asked(server)
        assert outcome.error is None
        assert (outcome.text, outcome.reasoning) == ("Whole.", "Hm.")

    def test_a_stream_for_a_json_request(self, server):
        server.queue(answer("Streamed."))
        assert asked(server, stream=False).text == "Streamed."

    @pytest.mark.parametrize("type_", ["application/json", "text/plain", None])
    @pytest.mark.parametrize("piece", [0, 1])
    def test_a_stream_that_calls_itself_something_else(self, server, type_, piece):
        server.queue(answer("Streamed.", content_type=type_, piece=piece))
        outcome = asked(server)
        assert outcome.error is None
        assert outcome.text == "Streamed."

    def test_json_that_calls_itself_a_stream(self, server):
        server.queue(whole("Whole.", content_type="text/event-stream"))
        assert asked(server).text == "Whole."

    def test_an_error_at_200_that_calls_itself_a_stream(self, server):
        told = wording.error_body("Insufficient Balance", code="402")
        server.queue(plain(told, content_type="text/event-stream"))
        assert isinstance(asked(server).error, errors.APIError)

    def test_a_reply_wrapped_by_a_relay(self, server):
        server.queue(plain({"data": wording.whole_body("Inside."), "success": True}))
        assert asked(server, stream=False).text == "Inside."

    @pytest.mark.parametrize("body", [{"error": {"message": "No.", "code": 400}}, {"error": "No."}])
    def test_an_error_object_at_200(self, server, body):
        server.queue(plain(body))
        outcome = asked(server)
        assert isinstance(outcome.error, errors.APIError)
        assert "No." in outcome.error.what

    def test_siliconflow_s_refusal_at_200(self, server):
        server.queue(plain({"code": 20012, "message": "Model does not exist.", "data": None}))
        outcome = asked(server, provider="siliconflow")
        assert isinstance(outcome.error, errors.APIError | errors.InvalidResponseError)

    @pytest.mark.parametrize("body", [[], "text", 3, None, {}, {"choices": []}])
    def test_json_without_an_answer(self, server, body):
        server.queue(plain(body if body != "text" else '"text"'))
        assert isinstance(asked(server, stream=False).error, errors.InvalidResponseError)

    def test_cut_json(self, server):
        server.queue(plain('{"choices":[{"message":{"content":"Ha', framing="close"))
        assert isinstance(asked(server, stream=False).error, errors.ResponseError)

    @pytest.mark.parametrize(
        "odd",
        [
            '{"choices":[null]}',
            '{"choices":"no"}',
            '{"choices":[{"delta":"no"}]}',
            '{"choices":[{"delta":{"tool_calls":[null]}}]}',
            '{"usage":"x"}',
            "[1]",
            "null",
            "{not json",
            "",
        ],
    )
    def test_an_odd_event_is_passed_over(self, server, odd):
        server.queue(sse(odd, *wording.answer_chunks("Still here.")))
        outcome = asked(server)
        assert outcome.error is None
        assert outcome.text == "Still here."


class TestFinishReasons:
    def test_no_capacity_before_output_is_tried_again(self, server, client):
        full = sse(chunk({"content": ""}, finish="insufficient_system_resource"))
        server.queue(full, answer("Now."))
        outcome = asked(server, client)
        assert outcome.error is None
        assert len(server.requests) == 2

    def test_no_capacity_after_output_is_kept_as_it_ended(self, server, client):
        server.queue(answer("Half", finish="insufficient_system_resource"))
        outcome = asked(server, client)
        assert outcome.error is None
        assert outcome.completion.finish_reason == "insufficient_system_resource"
        assert outcome.completion.answer == "Half"
        assert len(server.requests) == 1

    @pytest.mark.parametrize("reason", ["length", "content_filter", "aborted", "something_new"])
    def test_every_reason_is_kept_verbatim(self, server, reason):
        server.queue(answer("Text", finish=reason))
        assert asked(server).completion.finish_reason == reason


class TestRepair:
    """One 400 depends on the server's age; it is answered by one other form, once."""

    HISTORY = (
        user("Weather?"),
        assistant("", reasoning="Ask.", tool_calls=[ToolCall("c1", "weather", "{}")]),
        tool("Rain.", "c1"),
    )
    REFUSAL = "The `reasoning_content` in the thinking mode must be passed back to the API."

    def test_a_host_that_wants_reasoning_back_gets_it(self, server, client):
        server.queue(error(400, self.REFUSAL), answer("Rain."))
        exchange = exchange_with(provider_at(server, "vllm"), *self.HISTORY)
        outcome = ask(exchange, client)
        assert outcome.error is None
        first, second = (request.json["messages"][1] for request in server.requests)
        assert "reasoning_content" not in first
        assert second["reasoning_content"] == "Ask."
        assert len(outcome.notices) == 1

    def test_a_host_that_refuses_reasoning_gets_none(self, server, client):
        server.queue(error(400, "reasoning_content is not allowed in input"), answer("Rain."))
        server.validate = False  # without it the current API would refuse
        ask(exchange_with(provider_at(server), *self.HISTORY), client)
        assert "reasoning_content" not in server.requests[1].json["messages"][1]

    def test_exactly_once(self, server, client):
        server.queue(error(400, self.REFUSAL), error(400, self.REFUSAL))
        outcome = ask(exchange_with(provider_at(server, "vllm"), *self.HISTORY), client)
        assert isinstance(outcome.error, errors.BadRequestError)
        assert len(server.requests) == 2

    def test_a_host_that_wants_no_empty_content_gets_a_blank(self, server, client):
        server.queue(error(400, "all messages must have non-empty content"), answer("Rain."))
        ask(exchange_with(provider_at(server), *self.HISTORY), client)
        assert [r.json["messages"][1]["content"] for r in server.requests] == ["", " "]


class TestBlanks:
    """JSON mode may answer in blanks, for ever."""

    JSON: ClassVar = {"parameters": {"response_format": {"type": "json_object"}}}

    @pytest.mark.parametrize("thinking", [None, "Hm."])
    def test_blanks_for_ever_are_cut_off_and_asked_once_more(self, server, client, thinking):
        begin = [] if thinking is None else [send(event(chunk({"reasoning_content": thinking})))]
        blanks = [send(event(chunk({"content": " \n" * 8}))), pause(0.0005)] * 400
        server.queue(Reply(begin, blanks, stall()), answer('{"a": 1}'))
        outcome = asked(server, client, **self.JSON)
        assert outcome.error is None
        assert outcome.seconds < 30
        assert outcome.completion.answer == '{"a": 1}'
        assert server.requests[0].closed.wait(60)

    def test_blanks_within_an_answer_are_its_own(self, server):
        text = "a" + " " * 1500 + "b" + " " * 1500 + "c"
        server.queue(answer(text))
        assert asked(server).text == text


def test_a_proxy_in_the_environment_is_not_asked_for_loopback(server, monkeypatch):
    """The embedded model and self-hosted servers are on this machine; their key stays on it."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.queue(answer("Direct."))
    assert asked(server).text == "Direct."
