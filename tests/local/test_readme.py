"""The README's cells, as printed, in order, in a fresh kernel without a key."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.kernels import Kernel

README = Path(__file__).parents[2] / "README.md"
CELLS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
FAILS = 'sales["prices"].sum()\n'  # on purpose: the next one explains it


@pytest.mark.local_model
@pytest.mark.timeout(1800)
def test_every_cell_runs_as_printed(home, tmp_path):
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith("_API_KEY")
        and not name.startswith(("DEEPSEEK_BASE", "DEEPSEEK_MODEL"))
    }
    environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    with Kernel(environment, tmp_path / "kernel") as kernel:
        ran = [kernel.run(CELLS[0])]
        # The small model, on one core beside other tests, may otherwise go on for minutes.
        kernel.run("%config DeepSeek.parameters = {'max_tokens': 160, 'temperature': 0}")
        for at, cell in enumerate(CELLS[1:]):
            ran.append(kernel.run(cell, cell_id=f"cell-{at}", timeout=480))
        kinds = kernel.value("[type(city).__name__ for city in cities.data]")
    assert [cell for cell, one in zip(CELLS, ran, strict=True) if not one.ok] == [FAILS]
    (first,) = ran[1].turns
    assert "immutable" in first["answer"]  # tuples are: right
    assert first["provider"] == "local"
    assert set(kinds) == {"City"}
