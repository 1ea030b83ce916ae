"""The kernel of tests/kernel, and a page that is open on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.conftest import (  # noqa: F401
    base_environment,
    fresh_kernel,
    kernel,
    kernel_home,
    running_kernel,
    server,
    shared_server,
)
from tests.session.conftest import session  # noqa: F401
from tests.support.kernels import Kernel
from tests.support.page import Page

HERE = str(Path(__file__).parent)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(HERE) and "kernel" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kernel)


@pytest.fixture
def page(kernel: Kernel) -> Page:  # noqa: F811
    return Page(kernel)
