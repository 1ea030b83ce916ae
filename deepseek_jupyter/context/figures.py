"""Figures of matplotlib (and seaborn), plotly and altair: a picture, and what it shows in words.

The words are for models that see no images, and for everyone who reads what was sent: titles, axes,
series. Plotly and altair draw pictures only where kaleido or vl-convert is installed.
"""

from __future__ import annotations

import importlib.util
import io
import sys
from typing import Any

from . import figure_words
from .attachment import Attachment
from .gate import Gate
from .images import data_url
from .making import digest, made, type_name
from .policy import SAMPLE, Policy

__all__ = ["attach", "fingerprint", "fits"]

_SIDE = 1_600  # pixels of the longer side


def fits(value: Any) -> bool:
    """Whether it is a figure, axes of one, a seaborn grid, a plotly figure or an altair chart."""
    return _library(value) != ""


def attach(name: str, value: Any, policy: Policy, gate: Gate) -> Attachment:
    """Words, as far as the level allows; from ``sample`` on the picture too."""
    library, figure = _library(value), _whole(value)
    words = _WORDS[library](figure, policy.whole)
    drawn = remark = ""
    if policy.whole >= SAMPLE:
        drawn, remark = _PICTURES[library](figure)
    body = "\n".join(filter(None, (words, remark)))
    images = (drawn,) if drawn else ()
    hash, head = _hash(library, figure, drawn), f"{library} figure"
    return made(name, "figure", head, body, policy, gate, hash=hash, images=images)


def fingerprint(value: Any) -> str:
    """Of all that it shows."""
    return _hash(_library(value), _whole(value))


def _hash(library: str, figure: Any, drawn: str = "") -> str:
    """The same under every policy: a stricter one makes no other figure.

    Of a plotly figure or an altair chart by its data, for drawing them takes seconds.
    """
    if library == "matplotlib":
        return digest(drawn or _matplotlib_picture(figure)[0])
    return digest(figure.to_json() if library == "plotly" else figure_words.specification(figure))


def _library(value: Any) -> str:
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    axes = getattr(sys.modules.get("matplotlib.axes"), "Axes", None)
    top = type(value).__module__.partition(".")[0]
    if figure is not None and isinstance(value, (figure, axes) if axes else figure):
        return "matplotlib"
    if figure is not None and top == "seaborn" and isinstance(_figure(value), figure):
        return "matplotlib"
    if top == "plotly" and hasattr(value, "to_plotly_json") and hasattr(value, "layout"):
        return "plotly"
    if top == "altair" and hasattr(value, "to_dict") and type_name(value).endswith("Chart"):
        return "altair"
    return ""


def _figure(value: Any) -> Any:
    return getattr(value, "figure", None)


def _whole(value: Any) -> Any:
    """The figure that axes or a grid belong to."""
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    if figure is None or isinstance(value, figure):
        return value
    found = _figure(value)
    while getattr(found, "figure", found) is not found and not isinstance(found, figure):
        found = found.figure
    return found if isinstance(found, figure) else value


def _matplotlib_picture(figure: Any) -> tuple[str, str]:
    longest = max(*figure.get_size_inches(), 0.1)
    buffer = io.BytesIO()
    dpi = min(float(figure.dpi), _SIDE / longest)
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", metadata={"Software": None})
    return data_url(buffer.getvalue(), "png"), ""


def _plotly_picture(figure: Any) -> tuple[str, str]:
    if importlib.util.find_spec("kaleido") is None:
        return "", "(No picture was drawn: plotly needs kaleido for it.)"
    try:
        return data_url(figure.to_image(format="png"), "png"), ""
    except Exception as error:  # kaleido needs a browser, and has many ways to find none
        return "", f"(No picture was drawn: kaleido failed with {type(error).__name__}.)"


def _altair_picture(chart: Any) -> tuple[str, str]:
    if importlib.util.find_spec("vl_convert") is None:
        return "", "(No picture was drawn: altair needs vl-convert-python for it.)"
    buffer = io.BytesIO()
    try:
        chart.save(buffer, format="png")
    except Exception as error:  # a chart whose data is not at hand, among others
        return "", f"(No picture was drawn: vl-convert failed with {type(error).__name__}.)"
    return data_url(buffer.getvalue(), "png"), ""


_WORDS = {
    "matplotlib": figure_words.matplotlib,
    "plotly": figure_words.plotly,
    "altair": figure_words.altair,
}
_PICTURES = {
    "matplotlib": _matplotlib_picture,
    "plotly": _plotly_picture,
    "altair": _altair_picture,
}
