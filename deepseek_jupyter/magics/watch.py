"""The hook that notes which cells ran, and the error that came last. It looks at nothing else."""

from __future__ import annotations

import time
from typing import Any

from IPython.core.error import UsageError

from deepseek_jupyter.cells.executed import Executed, log
from deepseek_jupyter.errors import DeepSeekError

__all__ = ["unwatch", "watch"]


def watch(shell: Any) -> None:
    """Note every cell from now on; once, however often called."""
    if _ended not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", _ended)


def unwatch(shell: Any) -> None:
    """Note nothing more, and forget what was noted."""
    if _ended in shell.events.callbacks["post_run_cell"]:
        shell.events.unregister("post_run_cell", _ended)
    log.clear()


def _ended(result: Any) -> None:
    info = result.info
    if info.silent or not info.store_history or result.execution_count is None:
        return
    error = result.error_before_exec or result.error_in_exec
    run = Executed(
        count=result.execution_count,
        source=info.raw_cell,
        python=getattr(info, "transformed_cell", None) or "",
        id=getattr(info, "cell_id", None),
        failed=error is not None,
        at=time.time(),
    )
    log.add(run, error if _is_the_codes(error) else None)


def _is_the_codes(error: BaseException | None) -> bool:
    """Whether it says something about the user's code: a stop and our own refusals do not."""
    return isinstance(error, Exception) and not isinstance(error, DeepSeekError | UsageError)
