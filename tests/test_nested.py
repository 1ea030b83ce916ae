"""`enable_nested`: on where it helps, refused with the reason where it would do harm.

Each case runs in a process of its own: what it does to asyncio lasts until the process ends.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .support.kernels import Kernel

ENABLE = """
import asyncio, sys
import deepseek_jupyter as ds
from deepseek_jupyter.errors import UnsafeSettingError
from deepseek_jupyter.nested import nested_state

def enable():
    try:
        ds.enable_nested()
    except UnsafeSettingError as error:
        print("refused:", error)
    print(nested_state())
"""


def child(code: str, environment: dict[str, str]) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", ENABLE + code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_importing_enables_nothing(child_environment):
    code = "print(nested_state(), 'nest_asyncio2' in sys.modules)"
    assert child(code, child_environment) == "off False\n"


def test_it_lets_run_work_inside_a_running_loop(child_environment):
    code = """
async def main():
    enable()
    return asyncio.run(asyncio.sleep(0.01, "inner"))
print(asyncio.run(main()))
"""
    assert child(code, child_environment) == "on (nest-asyncio2)\ninner\n"


def test_enabling_twice_is_enabling_once(child_environment):
    assert child("enable(); enable()", child_environment) == "on (nest-asyncio2)\n" * 2


def test_it_is_refused_where_the_original_was_applied(child_environment, tmp_path):
    """It leaves this mark. With a second patch over it queued cells would vanish all the same."""
    code = "asyncio._nest_patched = True\nenable()"
    told = child(code, child_environment)
    assert told.startswith("refused: nest_asyncio has already patched asyncio")
    assert "Restart the kernel" in told
    assert told.endswith("patched by nest_asyncio (the original): queued cells can be lost\n")


LOOPS = {
    "running": """
async def main():
    enable()
uvloop.run(main())
""",
    "installed": """
import warnings
warnings.simplefilter("ignore")
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
asyncio.set_event_loop(asyncio.new_event_loop())
enable()
""",
}


@pytest.mark.parametrize("how", LOOPS)
def test_it_is_refused_on_uvloop(child_environment, how):
    pytest.importorskip("uvloop", reason="uvloop has no wheel here")
    told = child("import uvloop" + LOOPS[how], child_environment)
    assert "refused" in told
    assert "uvloop" in told
    assert told.endswith("off\n")


@pytest.mark.kernel
class TestInAKernel:
    @pytest.fixture
    def kernel(self, child_environment, tmp_path: Path):
        with Kernel(child_environment, tmp_path / "kernel") as running:
            assert running.run("%load_ext deepseek_jupyter").ok
            yield running

    def test_run_works_in_cells_and_three_queued_ones_follow(self, kernel):
        assert kernel.run("%deepseek config nested=on").ok
        first, *queued = kernel.run_all(
            [
                "import asyncio\nprint(asyncio.run(asyncio.sleep(0.5, 'run')))",
                *(f"print({n})" for n in range(3)),
            ]
        )
        assert first.stdout == "run\n"
        assert [ran.stdout for ran in queued] == ["0\n", "1\n", "2\n"]
        rows = kernel.run("%deepseek doctor").bundles[0]["text/plain"]
        assert "on (nest-asyncio2)" in rows

    def test_it_cannot_be_switched_off_and_says_so(self, kernel):
        ran = kernel.run("%deepseek config nested=off")
        assert ran.reply["ename"] == "UsageError"
        assert "restarting" in "\n".join([*ran.error, ran.stderr])

    def test_the_doctor_names_the_original(self, kernel):
        kernel.run("import asyncio\nasyncio._nest_patched = True")
        rows = kernel.run("%deepseek doctor").bundles[0]["text/plain"]
        assert "FIX" in rows
        assert "original" in rows
        refused = kernel.run("%deepseek config nested=on")
        assert refused.error[0].startswith("UnsafeSettingError")
        assert len(refused.error) == 2


@pytest.mark.kernel
def test_our_cells_keep_the_queue_where_someone_else_has_patched_asyncio(
    child_environment, tmp_path, server
):
    from .support.asking import KEY
    from .support.kernels import kernel_environment
    from .support.scripted import Reply, deltas

    environment = kernel_environment(child_environment, server.base_url(), KEY)
    server.queue(Reply(deltas(20, rate=100)))
    with Kernel(environment, tmp_path / "kernel") as kernel:
        assert kernel.run("import nest_asyncio2\nnest_asyncio2.apply()").ok
        kernel.run("%load_ext deepseek_jupyter")
        asked, *queued = kernel.run_all(["%%ds\nx", "print(1)", "print(2)", "print(3)"])
    assert asked.ok
    assert [ran.stdout for ran in queued] == ["1\n", "2\n", "3\n"]
