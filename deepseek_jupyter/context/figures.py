"""Figures of matplotlib (and seaborn), plotly and altair: a picture, and what it shows in words.

The words are for models that see no images, and for everyone who reads what was sent: from
``schema`` on titles and axes, from ``stats`` on ranges, from ``sample`` on the names of series and
categories, and the heights of bars. Plotly and altair draw pictures only where kaleido or
vl-convert is installed.
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from deepseek_jupyter.errors import counted
from deepseek_jupyter.privacy.levels import SAMPLE, STATS, Level, Policy
from deepseek_jupyter.privacy.redaction import Redactor

from .attachment import Attachment, digest, made, type_name
from .images import data_url

_SIDE = 1_600  # pixels of the longer side
_MOST = 30  # series of one pair of axes, bars of one series
_LEFT = re.compile(r"… ([\d,]+) more")


def fits(value: Any) -> bool:
    """Whether it is a figure, axes of one, a seaborn grid, a plotly figure or an altair chart."""
    return _library(value) != ""


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """Words, as far as the level allows; from ``sample`` on the picture too."""
    library, figure = _library(value), _whole(value)
    words = _WORDS[library](figure, policy.whole)
    drawn = remark = ""
    if policy.whole >= SAMPLE:
        drawn, remark = _PICTURES[library](figure)
    body = "\n".join(filter(None, (words, remark)))
    images = (drawn,) if drawn else ()
    hash, head = _hash(library, figure, drawn), f"{library} figure"
    left = sum(int(count.replace(",", "")) for count in _LEFT.findall(words))
    cut = f"all but {counted(left, 'part')} of its description" if left else ""
    return made(name, "figure", head, body, policy, redactor, hash=hash, images=images, cut=cut)


def fingerprint(value: Any) -> str:
    return _hash(_library(value), _whole(value))


def _hash(library: str, figure: Any, drawn: str = "") -> str:
    """No policy changes it. Of plotly and altair it is by the data: drawing takes seconds."""
    if library == "matplotlib":
        return digest(drawn or _matplotlib_picture(figure)[0])
    return digest(
        figure.to_json()
        if library == "plotly"
        else json.dumps(_specified(figure), sort_keys=True, default=str)
    )


def _library(value: Any) -> str:
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    axes = getattr(sys.modules.get("matplotlib.axes"), "Axes", None)
    top = type(value).__module__.partition(".")[0]
    if figure is not None and isinstance(value, (figure, axes) if axes else figure):
        return "matplotlib"
    if figure is not None and top == "seaborn" and isinstance(_whole(value), figure):
        return "matplotlib"
    if top == "plotly" and hasattr(value, "to_plotly_json") and hasattr(value, "layout"):
        return "plotly"
    if top == "altair" and hasattr(value, "to_dict") and type_name(value).endswith("Chart"):
        return "altair"
    return ""


def _whole(value: Any) -> Any:
    """The figure that axes or a grid belong to."""
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    if figure is None or isinstance(value, figure):
        return value
    found: Any = getattr(value, "figure", None)
    while getattr(found, "figure", found) is not found and not isinstance(found, figure):
        found = found.figure
    return found if isinstance(found, figure) else value


def _matplotlib_picture(figure: Any) -> tuple[str, str]:
    longest = max(*figure.get_size_inches(), 0.1)
    buffer = io.BytesIO()
    dpi = min(float(figure.dpi), _SIDE / longest)
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", metadata={"Software": None})
    return data_url(buffer.getvalue(), "png"), ""


def _altair_picture(chart: Any) -> tuple[str, str]:
    def draw() -> bytes:
        buffer = io.BytesIO()
        chart.save(buffer, format="png")
        return buffer.getvalue()

    return _by_helper("altair", "vl-convert", "vl-convert-python", draw)


def _by_helper(
    library: str, helper: str, package: str, draw: Callable[[], bytes]
) -> tuple[str, str]:
    """The picture, or why there is none."""
    if importlib.util.find_spec(helper.replace("-", "_")) is None:
        return "", f"(No picture was drawn: {library} needs {package} for it.)"
    try:
        return data_url(draw(), "png"), ""
    except Exception as error:  # kaleido finds no browser; a chart's data is not at hand; ...
        return "", f"(No picture was drawn: {helper} failed with {type(error).__name__}.)"


def matplotlib(figure: Any, level: Level) -> str:
    """A line for each pair of axes, and one for each of its series."""
    lines = []
    title = figure.get_suptitle() if hasattr(figure, "get_suptitle") else ""
    if title:
        lines.append(f"title: {title!r}")
    for number, axes in enumerate(figure.axes, 1):
        words = [_named("title", axes.get_title()), *(_axis(way, axes, level) for way in "xy")]
        lines.append(f"axes {number}: {', '.join(filter(None, words))}")
        lines += _some(list(_artists(axes, level)))
    return "\n".join(lines)


def _axis(which: str, axes: Any, level: Level) -> str:
    label = getattr(axes, f"get_{which}label")()
    words = f"{which} {label!r}" if label else which
    if level >= SAMPLE and (ticks := _categories(getattr(axes, f"get_{which}ticklabels")())):
        return f"{words}: {', '.join(_some(ticks, ''))}"
    if level < STATS:
        return words
    low, high = getattr(axes, f"get_{which}lim")()
    scale = getattr(axes, f"get_{which}scale")()
    return f"{words} from {low:.6g} to {high:.6g}{'' if scale == 'linear' else f' ({scale})'}"


def _categories(labels: Iterable[Any]) -> list[str]:
    """Tick labels that are words; of numbers the range says enough."""
    texts = [label.get_text().strip() for label in labels]
    worded = any(any(map(str.isalpha, text)) and "mathdefault" not in text for text in texts)
    return texts if worded else []


def _artists(axes: Any, level: Level) -> Iterator[str]:
    for line in axes.get_lines():
        points = line.get_xydata()
        yield _series("line", line.get_label(), len(points), points, level)
    for collection in axes.collections:
        points = collection.get_offsets()
        if len(points) > 1:
            yield _series("points", collection.get_label(), len(points), points, level)
        else:
            yield f"  {type(collection).__name__}"
    for container in axes.containers:
        bars = [patch for patch in container if hasattr(patch, "get_height")]
        if bars:
            yield _bars(container, bars, level)
    for image in axes.images:
        shape = getattr(image.get_array(), "shape", ())
        yield f"  image of {' x '.join(map(str, shape))}"


def _series(what: str, label: Any, count: int, points: Any, level: Level) -> str:
    words = f"  {what}{_label(label, level)}: {counted(count, 'point')}"
    if level < STATS or not count:
        return words
    spans = [(axis, _span(points[:, at])) for at, axis in enumerate("xy")]
    return words + "".join(f", {axis} {span}" for axis, span in spans if span)


def _label(label: Any, level: Level) -> str:
    named = level >= SAMPLE and label and not str(label).startswith("_")
    return f" {label!r}" if named else ""


def _span(values: Any) -> str:
    finite = [float(value) for value in values if value == value and abs(value) != float("inf")]
    return f"{min(finite):.6g} to {max(finite):.6g}" if finite else ""


def _bars(container: Any, bars: list[Any], level: Level) -> str:
    words = f"  bars{_label(container.get_label(), level)}: {len(bars):,}"
    upright = getattr(container, "orientation", "vertical") != "horizontal"
    sizes = [bar.get_height() if upright else bar.get_width() for bar in bars]
    if level >= SAMPLE:
        return ", ".join([words, *_some([f"{size:.6g}" for size in sizes], "")])
    return f"{words}, {_span(sizes)}" if level >= STATS else words


def plotly(figure: Any, level: Level) -> str:
    layout = figure.layout.to_plotly_json()
    lines = [_named("title", _title(layout))]
    for name, part in sorted(layout.items()):
        if name[:5] in ("xaxis", "yaxis") and isinstance(part, Mapping) and _title(part):
            lines.append(f"{name}: {_title(part)!r}")
    traces = []
    for trace in figure.data:
        name = f" {trace.name!r}" if level >= SAMPLE and trace.name else ""
        sizes = [(axis, trace[axis]) for axis in "xyz" if axis in trace and trace[axis] is not None]
        words = [f"{axis}: {_values(values, level)}" for axis, values in sizes]
        traces.append(f"  {trace.type}{name}" + (f": {', '.join(words)}" if words else ""))
    return "\n".join(filter(None, [*lines, *_some(traces)]))


def _values(values: Any, level: Level) -> str:
    items = list(values)
    words = counted(len(items), "value")
    typed = hasattr(values, "dtype") and values.dtype.kind in "iuf"
    numbers = typed or (bool(items) and all(isinstance(item, int | float) for item in items))
    return f"{words}, {_span(items)}" if level >= STATS and numbers else words


def _title(part: Mapping[str, Any]) -> str:
    title = part.get("title")
    return str(title.get("text") or "") if isinstance(title, Mapping) else str(title or "")


def altair(chart: Any, level: Level) -> str:
    """The specification without its data, its values and its look."""
    spec = _specified(chart)
    for name in ("$schema", "config", "datasets"):
        spec.pop(name, None)
    return json.dumps(_bare(spec, level), ensure_ascii=False, sort_keys=True)


def _specified(chart: Any) -> dict[str, Any]:
    import altair as library

    with library.data_transformers.disable_max_rows():  # 5,000; most of it stays here anyway
        spec: dict[str, Any] = chart.to_dict(validate=False)
    return spec


def _bare(part: Any, level: Level) -> Any:
    """`part` of a specification; data, and below ``sample`` every value that may come from it."""
    if isinstance(part, Mapping):
        dropped = {"data", "params", "usermeta"}
        if level < SAMPLE:
            dropped |= {"domain", "sort", "transform", "datum", "value", "values", "text", "scale"}
        return {name: _bare(inner, level) for name, inner in part.items() if name not in dropped}
    return [_bare(inner, level) for inner in part] if isinstance(part, list) else part


def _named(word: str, text: str) -> str:
    return f"{word} {text!r}" if text else ""


def _some(items: Sequence[str], indent: str = "  ") -> list[str]:
    left = [f"{indent}… {len(items) - _MOST:,} more"] if len(items) > _MOST else []
    return [*items[:_MOST], *left]


_WORDS = {"matplotlib": matplotlib, "plotly": plotly, "altair": altair}
_PICTURES = {
    "matplotlib": _matplotlib_picture,
    "plotly": lambda f: _by_helper("plotly", "kaleido", "kaleido", lambda: f.to_image("png")),
    "altair": _altair_picture,
}
