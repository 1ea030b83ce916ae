"""A job that a cell awaits, in a real kernel."""

from __future__ import annotations

from tests.support.scripted import Reply, answer, stall

SUITE = """\
cases = [dict(prompt=f"say {n}", expected=n) for n in range(8)]
suite = await ds.ajob(ds.suite, cases, "deepseek-flash?think=off", rows="all", budget="none")"""


def test_it_is_shown_in_its_own_cell(kernel, server):
    server.fallback = lambda request: answer(request.json["messages"][-1]["content"][4:])
    cells = [kernel.send(code) for code in (SUITE, "print('next')", "suite")]
    job, after, shown = (kernel.finish(cell) for cell in cells)
    assert job.ok
    assert ["8 of 8 answers" in bundle["text/plain"] for bundle in job.bundles] == [True]
    assert (after.stdout, after.bundles) == ("next\n", [])
    assert "100" in shown.bundles[0]["text/plain"]
    assert kernel.value("suite.summaries[0].counts['pass']") == 8


def test_an_interrupt_stops_it(kernel, server):
    stuck = []

    def reply(request):
        if request.json["messages"][-1]["content"] in ("ask 0", "ask 1"):
            return answer("1")
        stuck.append(request)
        return Reply(stall())

    server.fallback = reply
    code = SUITE.replace("say", "ask")
    cell = kernel.send(code)
    server.wait_for_requests(3)
    pressed = kernel.interrupt()
    ran = kernel.finish(cell)
    assert ran.reply["status"] == "error"
    assert ran.idle_at - pressed < 10
    assert all(request.closed.wait(60) for request in stuck)
    server.fallback = lambda request: answer("1")
    assert kernel.run("print('runs')").stdout == "runs\n"
    assert kernel.run(code).ok
    assert 5 <= kernel.value("suite.asked") <= 7
