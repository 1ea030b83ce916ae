"""Libraries that only some tests use, imported by the first of them.

`Later("dask.dataframe")` at the top of a file stands for the module. Every process of a test run
imports every file of tests, though it runs a part of them.
"""

from __future__ import annotations

import importlib
from typing import Any


class Later:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # pytest looks at every name of a file for marks of its own
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self._name), attribute)
