"""What a suite shows: a table, a plot of intervals, a sentence for each pair, what got worse.

The plot is inline SVG in the colours of the page, and the figures in it are also in the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from deepseek_jupyter.display.render import money, seconds
from deepseek_jupyter.display.report import Report, columns, inert
from deepseek_jupyter.errors import shortened
from deepseek_jupyter.words import said

from .attempt import Attempt, Summary
from .paired import LEVEL, Pair

_HEADS = ("variant", "score", "95 %", "pass", "fail", "error", "no answer", "cost per 100")
_MORE_HEADS = ("first token", "total", "tokens out")
_LONGEST = 600  # characters of an answer
_WIDTH, _ROW, _NAME, _CHARACTER = 640, 26, 32, 6.5  # of the plot; pixels but for `_NAME`
_BOX = "flex:1 1 16em;min-width:0;white-space:pre-wrap;overflow-wrap:anywhere"


def points(share: float) -> str:
    """A difference of scores: 6, or 0.4 where it is small."""
    found = 100 * share
    return f"{found:.0f}" if abs(found) >= 9.95 else f"{found:.1f}".removesuffix(".0")


def table(summaries: Sequence[Summary], remark: str = "") -> Report:
    """A row for each variant; times are the median and the 95th percentile."""
    rows = [
        (
            one.variant,
            "–" if one.score is None else f"{one.score:.1%}",
            "–" if one.score is None else "{:.0%} to {:.0%}".format(*one.interval),
            *(f"{count:,}" for count in one.counts.values()),
            " + ".join(money(100 * c / one.attempts, name) for name, c in one.costs.items()) or "–",
            *(" / ".join(map(seconds, t)) if t else "–" for t in (one.first, one.total)),
            f"{one.tokens_out:,.0f}",
        )
        for one in summaries
    ]
    return Report("", rows, (*_HEADS, *_MORE_HEADS), remark, quoted=1)


def verdict(pair: Pair, costs: Mapping[str, Mapping[str, Decimal]]) -> str:
    """What a pair shows, in a sentence, or why it shows nothing."""
    a, b, n, differ = pair.first, pair.second, f"{pair.cases:,}", pair.better + pair.worse
    x, low, high = map(points, (pair.difference, *pair.interval))
    p = "p < 0.001" if pair.adjusted < 0.001 else f"p = {pair.adjusted:.3f}"
    if pair.decided and (times := _dearer(costs, a, b)):
        return f"{a} beats {b} by {x} points ({low} to {high}), {p}, {n} cases; costs {times}x."
    if pair.decided:
        return f"{a} beats {b} by {x} points ({low} to {high}), {p}, {n} cases."
    head = f"{a} and {b}: no decision."
    if not pair.cases:
        return f"{head} No case has a score of both."
    if not differ:
        return f"{head} They score alike in all cases ({n})."
    if pair.floor >= LEVEL:
        return f"{head} They differ in {differ} of {n} cases; so few cannot show p below 0.05."
    show = f"With {n} cases only differences above {points(pair.visible)} points would show."
    seen = f"The scores differ by {x} points ({low} to {high}), {p}."
    if not pair.difference:
        return f"{head} {show} {seen}"
    needed = f"{pair.cases * (pair.visible / pair.difference) ** 2:,.0f}"
    return " ".join(
        [head, show, seen, f"About {needed} cases would be needed to show such a difference."]
    )


def _dearer(costs: Mapping[str, Mapping[str, Decimal]], first: str, second: str) -> str:
    """How many times the first costs the second, where that can be said and differs from 1."""
    a, b = costs.get(first, {}), costs.get(second, {})
    if len(a) != 1 or a.keys() != b.keys() or not min(*a.values(), *b.values()):
        return ""
    times = f"{next(iter(a.values())) / next(iter(b.values())):.2g}"
    return "" if times in ("1", "1.0") else times


def sensitive(pair: Pair) -> str:
    """What a pair would be if what has no score were wrong."""
    ahead = f"{pair.first} would be {points(pair.difference)} points ahead of {pair.second}."
    return f"With errors and missing answers counted as wrong {ahead}"


def plot(summaries: Sequence[Summary]) -> str:
    """The scores and their intervals, the best first."""
    known = [one for one in summaries if one.score is not None]
    known.sort(key=lambda one: -(one.score or 0))
    names = [shortened(one.variant, _NAME) for one in known]
    left = 16 + _CHARACTER * max(map(columns, names), default=0)
    height, room = _ROW * len(known) + 22, _WIDTH - left - 24
    at = [left + room * share for share in (0, 0.25, 0.5, 0.75, 1)]
    parts = [
        f'<path d="M{x:.0f} 0V{height - 18}" opacity=".2"/><text x="{x:.0f}" y="{height - 4}" '
        f'text-anchor="middle" stroke="none">{25 * tick} %</text>'
        for tick, x in enumerate(at)
    ]
    for row, (name, one) in enumerate(zip(names, known, strict=True)):
        y, (low, high) = _ROW * row + 13, one.interval
        ends = [left + room * share for share in (low, high, one.score or 0)]
        parts.append(
            f'<text x="{left - 10:.0f}" y="{y + 4}" text-anchor="end" stroke="none">'
            f"{inert(name)}</text>"
            f'<path d="M{ends[0]:.1f} {y}H{ends[1]:.1f}" stroke-width="2"/>'
            f'<circle cx="{ends[2]:.1f}" cy="{y}" r="4"/>'
        )
    label = "; ".join(f"{one.variant}: {one.score:.1%}" for one in known)
    return (
        f'<svg role="img" aria-label="{inert(label)}" viewBox="0 0 {_WIDTH} {height}" '
        f'style="max-width:{_WIDTH}px;width:100%;color:var(--jp-ui-font-color1,inherit)" '
        'stroke="currentColor" fill="currentColor" font-size="12" '
        f'font-family="var(--jp-ui-font-family,sans-serif)">{"".join(parts)}</svg>'
    )


def regressions(
    old: str, new: str, cases: Sequence[tuple[str, Attempt, Attempt]], room: int
) -> str:
    """What `old` has right and `new` wrong: each case a fold with both answers and thinkings, as
    many as `room` bytes hold.
    """
    folds, size = list[str](), 0
    for title, *both in cases:
        boxes = "".join(_box(one) for one in both)
        fold = (
            f"<details><summary>{inert(shortened(title, 120))}</summary>"
            f'<div style="display:flex;flex-wrap:wrap;gap:1em">{boxes}</div></details>'
        )
        if (size := size + len(fold.encode())) > room:
            break
        folds.append(fold)
    total = len(cases)
    heading = f"Cases right with {old} and wrong with {new}: {total:,}."
    more = f"{total - len(folds):,} more are in failures()." if total > len(folds) else ""
    inner = f'<div style="margin-left:1.2em">{"".join(folds)}{inert(said(more))}</div>'
    fold = f"<details><summary>{inert(said(heading))}</summary>{inner}</details>"
    return f'<div class="mathjax_ignore tex2jax_ignore">{fold}</div>'


def _box(one: Attempt) -> str:
    thought = (
        f"<details><summary>{inert(said('Thought'))}</summary>"
        f"{inert(shortened(one.reasoning, _LONGEST))}</details>"
        if one.reasoning
        else ""
    )
    answer = inert(shortened(one.answer, _LONGEST))
    return f'<div style="{_BOX}"><b>{inert(one.variant)}</b>\n{thought}{answer}</div>'
