"""Cells before, beside and after a streamed one run as if nothing special had happened."""

from __future__ import annotations

from tests.support.scripted import Reply, answer, deltas

PATCHED = "[hasattr(asyncio, '_nest_patched'), asyncio.run.__module__, asyncio.Task.__module__]"


def test_three_queued_cells_run_after_a_streamed_one(kernel, server):
    server.queue(Reply(deltas(40, rate=100)))
    asked, *queued = kernel.run_all(["%%ds\nTell me.", "print(1)", "print(2)", "print(3)"])
    assert asked.ok
    assert [ran.stdout for ran in queued] == ["1\n", "2\n", "3\n"]


def test_nothing_is_patched_after_import_and_after_a_streamed_cell(fresh_kernel, server):
    fresh_kernel.run("import asyncio\n_run, _loop = asyncio.run, type(asyncio.get_event_loop())")
    before = fresh_kernel.value(PATCHED)
    assert not before[0]
    server.queue(answer("Hello."))
    for code in ("%load_ext deepseek_jupyter", "%%ds\nSay hello."):
        assert fresh_kernel.run(code).ok
        assert fresh_kernel.value(PATCHED) == before
        assert fresh_kernel.value("asyncio.run is _run") is True


def test_a_users_own_outputs_stay_around_the_answer(kernel, server):
    server.queue(answer("In between.", reasoning="Hm."))
    ran = kernel.run("print('before')\nreply = ds.ask('Say it.')\nprint('after')")
    shown = [value if kind == "text" else value["text/plain"] for kind, value in ran.outputs]
    assert shown == ["before\n", "In between.", "after\n"]
    assert len({m.display_id for m in ran.of("display_data", "update_display_data")}) == 1


def test_an_answer_ending_its_cell_is_shown_once(kernel, server):
    server.queue(answer("Once."), answer("Once."), answer("Once."))
    for code in ("%%ds\nx", "%ds x", "ds.ask('x')"):
        assert len(kernel.run(code).turns) == 1, code


def test_a_reply_shown_later_is_shown_again(kernel, server):
    server.queue(answer("Again."))
    kernel.run("reply = ds.ask('x')")
    assert [turn["answer"] for turn in kernel.run("reply").turns] == ["Again."]


def test_show_false_shows_nothing(kernel, server):
    server.queue(answer("Quiet."), answer("Quiet."))
    assert kernel.run("reply = ds.ask('x', show=False)").outputs == []
    assert kernel.run("%%ds --quiet\nx").outputs == []


def test_two_answers_in_one_cell_stand_in_two_outputs(kernel, server):
    server.queue(answer("One."), answer("Two."))
    ran = kernel.run("a = ds.ask('1')\nprint('and')\nb = ds.ask('2')")
    shown = [value if kind == "text" else value["text/plain"] for kind, value in ran.outputs]
    assert shown == ["One.", "and\n", "Two."]


def test_async_and_parallel_in_a_cell(kernel, server):
    server.queue(*[answer(f"Answer {n}.") for n in range(3)])
    code = (
        "import asyncio\n"
        "replies = await asyncio.gather(*[ds.aask(str(n), show=False) for n in range(3)])\n"
        "print(sorted(r.text for r in replies))"
    )
    assert kernel.run(code).stdout == "['Answer 0.', 'Answer 1.', 'Answer 2.']\n"


def test_await_aask_shows_its_answer(kernel, server):
    server.queue(answer("Shown.", reasoning="Hm."))
    ran = kernel.run("reply = await ds.aask('x')")
    assert [(t["answer"], t["reasoning"]) for t in ran.turns] == [("Shown.", "Hm.")]


def test_a_stream_in_a_cell(kernel, server):
    server.queue(answer("Some words here."), answer("And others."))
    code = "for d in ds.stream('x'):\n    print(getattr(d, 'text', ''), end='')"
    assert kernel.run(code).stdout == "Some words here."
    code = "async for d in ds.stream('x'):\n    print(getattr(d, 'text', ''), end='')"
    assert kernel.run(code).stdout == "And others."


def test_a_thread_may_ask(kernel, server):
    server.queue(answer("From a thread."))
    code = (
        "import threading\nfound = []\n"
        "t = threading.Thread(target=lambda: found.append(ds.ask('x', show=False).text))\n"
        "t.start(); t.join(); print(found)"
    )
    assert kernel.run(code).stdout == "['From a thread.']\n"
