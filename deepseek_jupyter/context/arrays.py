"""Arrays as an attachment: numpy's, and those that torch, JAX, xarray and others can show as one.

numpy is taken from the process, where it is as soon as there is an array.
"""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import replace
from typing import Any

from deepseek_jupyter.privacy.levels import FULL, NONE, SAMPLE, STATS, Level, Policy
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.withheld import Released

from .attachment import Attachment, digest, fitting, made, type_name

_MOST = 20_000_000  # elements that figures are made of; of a larger array, evenly spaced ones
_MOST_KEPT = 200_000
_CORNERS = (20, 12, 8, 6, 4, 3)


def fits(value: Any) -> bool:
    """Whether it is an array or an array's scalar: of a shape, a dtype, and numpy at hand."""
    if "numpy" not in sys.modules or isinstance(value, type):
        return False
    if type(value).__module__.partition(".")[0] == "numpy":
        return hasattr(value, "dtype") and hasattr(value, "shape")
    return hasattr(value, "dtype") and hasattr(value, "__array__") and _sizes(value) is not None


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """Type and shape; from ``stats`` on figures; from ``sample`` on the values of a corner."""
    numpy = sys.modules["numpy"]
    array = _seen(numpy, value)
    level = policy.whole
    parts, cut = list[str](), ""
    fields = array.dtype.names if array is not None else None
    hard, soft = dict[str, str](), dict[str, str]()
    if fields:
        parts, array, level = _fields(numpy, array, policy, hard, soft)
    elif array is not None and level >= STATS:
        parts += _figures(numpy, array)
    released = Released(texts=re.findall(r"[-+.,\w]*\d", " ".join(parts)))
    redactor.release(released)
    if array is not None and level < SAMPLE and not fields:
        (soft if level == STATS else hard).update(_texts(array))
    withheld = redactor.withhold(hard), redactor.withhold(soft, soft=True)
    if array is not None and level >= SAMPLE and array.size:
        text, size = fitting(
            lambda size: redactor.redact(_drawn(numpy, array, size)), _CORNERS, policy.budget - 80
        )
        parts.append(text)
        if (count := _corner(array, size).size) < array.size:
            cut = f"{count:,} of {array.size:,} values"
    kind = f"{len(fields)} fields" if fields else str(value.dtype)
    head = f"{type_name(value)}, {_shape(value)}, {kind}{_unit(value)}"
    if array is None and not fields:
        parts.append("Its values are not in this process's memory.")
    body = "\n".join(parts)
    attachment = made(name, "array", head, body, policy, redactor, hash=fingerprint(value), cut=cut)
    return replace(
        attachment,
        withheld=tuple(filter(None, withheld)),
        released=released,
        labels=tuple(fields or ()),
    )


def fingerprint(value: Any) -> str:
    """Of dtype, shape and values; of a very large array, of evenly spaced ones."""
    numpy = sys.modules["numpy"]
    array = _seen(numpy, value)
    if array is None:
        return digest(type_name(value), str(_sizes(value)), str(value.dtype))
    some = _thinned(array)
    masked = some.dtype.hasobject or numpy.ma.isMaskedArray(some)
    raw = repr(some.tolist()) if masked else numpy.ascontiguousarray(some).tobytes()
    return digest(str(array.dtype), str(array.shape), raw, _unit(value))


def _sizes(value: Any) -> tuple[int, ...] | None:
    try:
        return tuple(int(size) for size in value.shape)
    except (TypeError, ValueError, AttributeError):  # a symbolic or an unknown size
        return None


def _shape(value: Any) -> str:
    sizes = _sizes(value)
    if not sizes:
        return "a single value"
    return f"shape ({', '.join(f'{size:,}' for size in sizes)}{',' * (len(sizes) == 1)})"


def _seen(numpy: Any, value: Any) -> Any:
    """`value` as a numpy array without a copy where possible; None where it lies elsewhere."""
    device = str(getattr(value, "device", "cpu")).lower()
    if "cpu" not in device or hasattr(value, "dask"):
        return None
    try:
        detached = value.detach() if hasattr(value, "detach") else value
        if numpy.ma.isMaskedArray(detached):
            return detached
        plain = numpy.asarray(getattr(detached, "magnitude", detached))
        mask = getattr(detached, "mask", None)
        hidden = isinstance(detached, numpy.ndarray) and getattr(mask, "shape", None) == plain.shape
        return numpy.ma.array(plain, mask=mask) if hidden else plain
    except Exception:  # any library's own refusal: sparse, lazy, on another machine
        return None


def _unit(value: Any) -> str:
    """The unit of a quantity (astropy's, pint's, unyt's)."""
    unit = getattr(value, "unit", None) or getattr(value, "units", None)
    return f", unit {unit}" if unit is not None and not inspect.isroutine(unit) else ""


def _fields(
    numpy: Any, array: Any, policy: Policy, hard: dict[str, str], soft: dict[str, str]
) -> tuple[list[str], Any, Level]:
    """A line for each field of records; the fields whose values leave; the level of these.

    A field counts as a column. What does not leave is added to `hard` and `soft`.
    """
    lines, shown = [], {}
    for number, name in enumerate(array.dtype.names, 1):
        part = array[name]
        level = min(policy.level(name), *map(policy.ruled, _names_in(part.dtype)), FULL)
        if level == NONE:
            hard[name] = "column"
        if level < SAMPLE:
            texts = {str(item): "value" for item in part.reshape(-1)[:_MOST_KEPT].tolist()}
            (soft if level == STATS else hard).update(texts)
        else:
            shown[name] = level
        figures = _figures(numpy, part) if level >= STATS else []
        said = "; ".join([str(part.dtype), *figures])
        lines.append(f"- {name}: {said}" if level > NONE else f"- <field-{number}>: withheld")
    return lines, array[list(shown)] if shown else None, min(shown.values(), default=NONE)


def _names_in(dtype: Any) -> list[str]:
    """The names of the fields within a field."""
    names = dtype.names or ()
    return [*names, *(inner for name in names for inner in _names_in(dtype[name]))]


def _texts(array: Any) -> dict[str, str]:
    """The texts in it, as far as they can be remembered."""
    if array.dtype.kind not in "OUST":
        return {}
    return {item: "value" for item in array.reshape(-1)[:_MOST_KEPT].tolist() if type(item) is str}


def _thinned(array: Any) -> Any:
    if array.size <= _MOST:
        return array
    step = -(-array.size // _MOST)
    return array.reshape(-1)[::step] if array.flags.c_contiguous else array.flat[::step]


def _figures(numpy: Any, array: Any) -> list[str]:
    """Range, mean and deviation of numbers; true values; missing ones."""
    if not array.size:
        return ["empty"]
    of = "" if array.size <= _MOST else " (of evenly spaced elements)"
    some = _thinned(array)
    hidden = 0 if some.dtype.names else int(numpy.ma.count_masked(some))
    if numpy.ma.isMaskedArray(some):
        some = some.compressed()
    kind = some.dtype.kind
    if kind == "b":
        return [f"true: {int(some.sum()):,} of {some.size:,}{of}", *_missing(hidden)]
    if kind in "mM":
        present = some[~numpy.isnat(some)]
        lines = [f"min {present.min()}, max {present.max()}{of}"] if present.size else []
        return [*lines, *_missing(some.size - present.size + hidden)]
    if kind not in "iufc":
        return _missing(hidden)
    finite = some[numpy.isfinite(some)] if kind in "fc" else some
    lines = _missing(hidden + (int(numpy.isnan(some).sum()) if kind in "fc" else 0))
    if kind in "fc" and (infinite := int(numpy.isinf(some).sum())):
        lines.append(f"infinite: {infinite:,}")
    if finite.size and kind != "c":
        wide = finite.astype("float64") if kind == "f" else finite
        figures = {"min": wide.min(), "max": wide.max(), "mean": wide.mean(), "std": wide.std()}
        lines.append(", ".join(f"{name} {value:.6g}" for name, value in figures.items()) + of)
    return lines


def _missing(count: int) -> list[str]:
    return [f"missing: {count:,}"] if count else []


def _corner(array: Any, size: int) -> Any:
    """The first `size` values along each of the last two axes, those before at 0."""
    if array.ndim < 2:
        return array[: size * 4] if array.ndim else array
    return array[(*(0,) * (array.ndim - 2), slice(size), slice(size))]


def _drawn(numpy: Any, array: Any, size: int) -> str:
    if array.ndim == 0:
        return f"value: {array.tolist()!r}"
    lead, corner = (0,) * max(0, array.ndim - 2), _corner(array, size)
    place = "".join(f"{at}, " for at in lead)
    sides = " x ".join(str(length) for length in corner.shape)
    whole = corner.size == array.size
    title = "values:" if whole else f"corner [{place}…], {sides}:" if lead else f"first {sides}:"
    with numpy.printoptions(precision=6, suppress=True, threshold=10**9, linewidth=100):
        return f"{title}\n{corner}"
