"""IPython's shell in the process of the tests."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

__all__ = ["one_shell"]


@contextmanager
def one_shell(**how: Any) -> Iterator[InteractiveShell]:
    """A new shell that is `get_ipython()` meanwhile, and is forgotten afterwards."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(**how)
    try:
        yield shell
    finally:
        InteractiveShell.clear_instance()
        # It would live to the end of the process, and be reset there: with a hundred others, that
        # takes longer than the tests.
        atexit.unregister(shell.atexit_operations)
