"""Arrays that carry more than their buffer: masks, fields, units."""

from __future__ import annotations

import numpy as np
import pytest

from deepseek_jupyter.context.attach import attach, fingerprint
from deepseek_jupyter.privacy.levels import parse_spec
from deepseek_jupyter.privacy.redaction import Redactor


def text(value, spec="a", redactor=None):
    name, policy = parse_spec(spec)
    return attach(name, value, policy, redactor or Redactor()).text


class Quantity(np.ndarray):
    """As astropy's."""

    unit = "km / s"


def test_what_a_mask_hides_is_missing():
    shown = text(np.ma.masked_array([1.0, 2.0, -9999.0], mask=[0, 0, 1]))
    assert shown.endswith("missing: 1\nmin 1, max 2, mean 1.5, std 0.5\nvalues:\n[1.0 2.0 --]")


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [3, -9999]],
        [[1.5, np.nan], [2.5, -9999.0]],
        [[True, True], [False, True]],
        [["a", "b"], ["c", "-9999"]],
        np.array([["2024-01-01", "2024-01-02"], ["2024-01-03", "9999-01-01"]], "datetime64[D]"),
    ],
)
@pytest.mark.parametrize("level", ["stats", "sample", "full"])
def test_masks_hold_for_every_type(values, level):
    hidden = np.ma.masked_array(values, mask=[[0, 0], [0, 1]])
    shown = text(hidden, f"a:{level}")
    assert "9999" not in shown
    assert "missing: " in shown
    other = np.ma.masked_array(values, mask=[[0, 0], [0, 0]])
    assert fingerprint(hidden) != fingerprint(other) == fingerprint(other.copy())


def test_a_masked_scalar_has_no_value():
    assert text(np.ma.masked).endswith("value: None")


def test_a_unit_is_told():
    speed = np.array([1.5, 2.5]).view(Quantity)
    assert "float64, unit km / s\n" in text(speed)
    assert fingerprint(speed) != fingerprint(np.asarray(speed))


@pytest.mark.parametrize("kind", [np.ndarray, np.recarray])
def test_fields_are_columns(kind):
    records = np.array(
        [("Alice Quux", 48210.5, 1), ("Bob Zyzzy", 51000.5, 2)],
        dtype=[("who", "U20"), ("pay", "f8"), ("n", "i8")],
    ).view(kind)
    redactor = Redactor()
    shown = text(records, "a:who=none,pay=stats", redactor)
    assert "- <field-1>: withheld" in shown
    assert "- pay: float64; min 48210.5, max 51000.5, mean 49605.5" in shown
    assert "- n: int64; min 1, max 2" in shown
    assert "Alice" not in shown + redactor.redact("KeyError: 'Alice Quux'")
    assert "who" not in shown
    assert "Quux" in text(records)
