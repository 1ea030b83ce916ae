"""Stop: the kernel is idle at once, what had arrived stays, the server is let go, Run All ends."""

from __future__ import annotations

from tests.support.scripted import Reply, answer, chunk, deltas, event, send, stall

HALF = send(event(chunk({"content": "Half an "})), event(chunk({"content": "answer"})))
AT_ONCE = 5.0  # seconds that a busy machine may need; the figure is a row of make bench
THOUGHT = send(event(chunk({"content": None, "reasoning_content": "Let me think"})))


def stopped(kernel, server, code: str, reply: Reply, holding: str):
    """Run `code`, stop it when its output holds a text; the cell, and seconds to idle."""
    server.queue(reply)
    cell = kernel.send(code)
    if holding:
        kernel.wait_for(cell, "update_display_data", holding)
    else:
        server.wait_for_requests(1)
    pressed = kernel.interrupt()
    ran = kernel.finish(cell)
    return ran, ran.idle_at - pressed


def test_stopped_while_streaming(kernel, server):
    ran, seconds = stopped(kernel, server, "%%ds\nGo on.", Reply(HALF, stall()), "Half an answer")
    assert seconds < AT_ONCE
    assert server.requests[0].closed.wait(60)
    assert ran.reply["status"] == "error"
    assert len(ran.error) == 1
    assert "kept" in ran.error[0]
    (turn,) = ran.turns
    assert turn["answer"] == "Half an answer"
    assert turn["status"] == turn["finish_reason"] == "interrupted"
    assert "stopped" in turn["footer"]
    assert ran.bundles[0]["text/plain"] == "Half an answer"
    assert kernel.value("[ds.last.text, ds.last.finish_reason]") == [
        "Half an answer",
        "interrupted",
    ]


def test_stopped_while_thinking(kernel, server):
    ran, _ = stopped(kernel, server, "%%ds\nGo on.", Reply(THOUGHT, stall()), "Let me think")
    assert ran.turns[0]["reasoning"] == "Let me think"
    assert kernel.value("ds.last.reasoning") == "Let me think"


def test_stopped_while_waiting_for_headers(kernel, server):
    ran, seconds = stopped(kernel, server, "%%ds\nGo on.", Reply(stall()), "")
    assert seconds < AT_ONCE
    assert server.requests[0].closed.wait(60)
    assert len(ran.error) == 1
    assert ran.bundles[0]["text/plain"] == "(stopped)"


def test_queued_cells_are_dropped_and_the_next_one_runs(kernel, server):
    server.queue(Reply(deltas(10_000, rate=200)))
    cells = [kernel.send(code) for code in ("%%ds\nx", "print('never')", "print('never')")]
    kernel.wait_for(cells[0], "update_display_data", "12")
    kernel.interrupt()
    asked, *queued = [kernel.finish(cell) for cell in cells]
    assert asked.reply["status"] == "error"
    assert [ran.reply["status"] for ran in queued] == ["aborted", "aborted"]
    server.queue(answer("Fine."))
    assert kernel.run("%%ds --no-history\nAnd now?").turns[0]["answer"] == "Fine."
    assert kernel.run("print('runs')").stdout == "runs\n"


def test_stopped_in_an_async_cell(kernel, server):
    code = "reply = await ds.aask('Go on.')"
    ran, seconds = stopped(kernel, server, code, Reply(HALF, stall()), "Half an answer")
    assert seconds < AT_ONCE
    assert ran.reply["status"] == "error"
    assert server.requests[0].closed.wait(60)
    assert ran.turns[0]["answer"] == "Half an answer"
    assert "stopped" in ran.turns[0]["footer"]
    assert kernel.value("[ds.last.text, ds.last.finish_reason]") == [
        "Half an answer",
        "interrupted",
    ]


def test_stopped_in_the_middle_of_a_users_own_cell(kernel, server):
    code = "print('before')\ntry:\n    ds.ask('x')\nexcept KeyboardInterrupt as e:\n    r = e.reply"
    ran, _ = stopped(kernel, server, code, Reply(HALF, stall()), "Half an answer")
    assert ran.ok
    assert [kind for kind, _ in ran.outputs] == ["text", "data"]
    assert kernel.value("[r.text, r is ds.last]") == ["Half an answer", True]


def test_out_gets_the_part_that_arrived(kernel, server):
    stopped(kernel, server, "%%ds --out part\nx", Reply(HALF, stall()), "Half an answer")
    assert kernel.value("part.text") == "Half an answer"


def test_what_was_stopped_can_be_continued(kernel, server):
    stopped(kernel, server, "%%ds\nGo on.", Reply(HALF, stall()), "Half an answer")
    server.queue(answer(", and the rest."))
    assert kernel.run("%%ds --continue").turns[0]["answer"] == ", and the rest."
    last = server.requests[1].json["messages"][-1]
    assert (last["role"], last["content"], last["prefix"]) == ("assistant", "Half an answer", True)
