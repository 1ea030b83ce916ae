"""Code of the model in a real kernel, asked for by a thread that is not the kernel's."""

from __future__ import annotations

_ASK = """\
import threading
from deepseek_jupyter.tools import python
from deepseek_jupyter.errors import ToolError
found = []
code = "x = 6; print(threading.current_thread().name); x * 7"
def ask():
    try:
        found.append(python.run(get_ipython(), code).text)
    except ToolError as error:
        found.append(error.what)
thread = threading.Thread(target=ask)
"""


def test_it_runs_on_the_main_thread_when_the_kernel_is_free(kernel):
    kernel.run(_ASK + "thread.start()")
    assert _found(kernel) == ["Printed:\nMainThread\nResult:\n42"]
    assert kernel.value("x") == 6


def test_it_is_refused_while_a_cell_runs_and_never_runs_later(kernel):
    kernel.run(_ASK + "python.WAIT = 0.2\nthread.start(); thread.join()")
    assert _found(kernel) == ["The kernel is busy with a cell."]
    assert kernel.value("'x' in globals()") is False


def _found(kernel):
    """What the thread was told. Between two cells the kernel is free."""
    import time

    for _ in range(200):
        if found := kernel.value("found"):
            return found
        time.sleep(0.02)
    return []
