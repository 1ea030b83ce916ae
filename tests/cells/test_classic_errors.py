"""The cells that are sent with an error contain its cause: twenty notebooks that really fail."""

from __future__ import annotations

import pytest

from deepseek_jupyter.fixing.fix import gather, last_failure

from .notebook_errors import ERRORS


def chosen_for(run, broken) -> tuple[str, set[int]]:
    """The kind of the error, and the indexes of the cells that would be sent with it."""
    for cell in broken.cells:
        run(cell)
    failed, failure = last_failure()
    material = gather(failed, failure, budget=6_000, notebook=None)
    return failure.kind, {count - 1 for count in material.cells}


@pytest.mark.parametrize("name", ERRORS)
def test_the_cause_is_among_the_cells_that_are_sent(run, name):
    broken = ERRORS[name]
    kind, chosen = chosen_for(run, broken)
    assert kind == broken.error
    assert broken.cause in chosen
    assert len(broken.cells) - 1 in chosen, "the failing cell itself"
    assert chosen.isdisjoint(broken.unrelated)
