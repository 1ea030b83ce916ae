"""One question to several variants at once: their answers are siblings, shown side by side.

Everything is prepared, told apart and priced before the first request; budgets hold for the sum.
The first that answers is the conversation's, until the user goes on with another.
"""

from __future__ import annotations

import difflib
import html
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.asking.ask import ask_together
from deepseek_jupyter.asking.budget import check_notebook, worst_cost
from deepseek_jupyter.asking.fallback import prepare_all, where
from deepseek_jupyter.asking.prepare import Placed, Prepared, asked_of, place
from deepseek_jupyter.asking.preview import Preview, preview
from deepseek_jupyter.asking.replay import replayed
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.conversation.turn import new_id
from deepseek_jupyter.display.columns import Columns
from deepseek_jupyter.display.frontend import current_cell
from deepseek_jupyter.display.render import END_WORDS, money, seconds
from deepseek_jupyter.display.report import Drawing, Report, for_reader
from deepseek_jupyter.display.surfaces import preparing
from deepseek_jupyter.errors import ConfigurationError, ParameterError

from .variant import Variant, check_different, variants_of

if TYPE_CHECKING:
    from deepseek_jupyter.asking.question import Question
    from deepseek_jupyter.protocol.usage import Price
    from deepseek_jupyter.session.session import Session

_MOST = 20  # columns
_REPEATED = re.compile(r"(.*?) ?#\d+")  # the name of one of several to a variant
_TOKENS = ("new", "cached", "thinking", "out")
_HEADS = ("variant", "answered by", *_TOKENS, "cost", "first token", "total", "end")


class Comparison:
    """The answers of a comparison: `replies`, in the order of `names`. `comparison["name"]`, or
    with a number, is one of them.
    """

    def __init__(self, session: Session, names: Sequence[str], replies: Sequence[Reply]) -> None:
        self._session = session
        self.names, self.replies = tuple(names), tuple(replies)

    def __getitem__(self, which: int | str) -> Reply:
        return self.replies[self._at(which)]

    def __len__(self) -> int:
        return len(self.replies)

    def __iter__(self) -> Iterator[Reply]:
        return iter(self.replies)

    def _at(self, which: int | str) -> int:
        if isinstance(which, int):
            return which
        if which not in self.names:
            raise ParameterError(f"There is no {which!r}.", f"It has {', '.join(self.names)}.")
        return self.names.index(which)

    def use(self, which: int | str) -> Reply:
        """Go on with this answer: the next question follows it, the others stay its siblings."""
        reply = self[which]
        self._session.conversation.checkout(reply.turn.id)
        self._session.last = reply
        return reply

    def diff(self, one: int | str = 0, other: int | str = 1) -> Drawing:
        """How the second answer differs in words: ``[-only in the first-]``, ``{+added+}``."""
        old, new = (self[which].text.split() for which in (one, other))
        found: list[str] = []
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        for kind, start, end, begin, until in matcher.get_opcodes():
            gone, came = " ".join(old[start:end]), " ".join(new[begin:until])
            same = [gone] if kind == "equal" else []
            found += same or [f"[-{gone}-]"] * bool(gone) + [f"{{+{came}+}}"] * bool(came)
        return Drawing(" ".join(found))

    @property
    def report(self) -> Report:
        """The figures of each answer; of answers to one request how many agree."""
        rows = [_figures(name, r) for name, r in zip(self.names, self.replies, strict=True)]
        return Report("Compared", rows, _HEADS, "\n".join(self._agreement()), 2)

    def frame(self, backend: str | None = None) -> Any:
        """Figures and answers as a frame, a row each."""
        from deepseek_jupyter.tools.arrow import frame_of

        return frame_of(
            [
                {
                    "variant": name,
                    "model": reply.model,
                    "answer": reply.text,
                    "prompt_tokens": reply.usage.prompt_tokens if reply.usage else None,
                    "completion_tokens": reply.usage.completion_tokens if reply.usage else None,
                    "cost": None if reply.cost is None else float(reply.cost),
                    "currency": reply.currency,
                    "first_token": reply.timing.get("first_token"),
                    "total": reply.timing.get("total"),
                    "finish_reason": reply.finish_reason,
                }
                for name, reply in zip(self.names, self.replies, strict=True)
            ],
            backend,
        )

    def _agreement(self) -> Iterator[str]:
        """A sentence for each variant that was asked several times."""
        told: dict[str, list[str]] = {}
        for name, reply in zip(self.names, self.replies, strict=True):
            if not reply.cut and (repeated := _REPEATED.fullmatch(name)):
                said = " ".join(reply.text.casefold().split()).rstrip(".!")
                told.setdefault(repeated[1], []).append(said)
        for name, answers in told.items():
            most = Counter(answers).most_common(1)[0][1]
            said = f"{len(set(answers))} distinct answers of {len(answers)}; {most} agree."
            yield f"{name}: {said}" if name else said

    def __repr__(self) -> str:
        return f"<Comparison: {', '.join(self.names)}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(for_reader(str(self.report), str(self.report.said())))

    def _repr_html_(self) -> str:
        return self.report.html()

    def _ipython_display_(self) -> None:
        """Show it, unless the cell that just asked has shown it already."""
        if not self.replies or self.replies[0].shown_in != current_cell():
            Columns(self.names).close([r.record for r in self.replies], self.report)


def _figures(name: str, reply: Reply) -> tuple[str, ...]:
    usage, first, total = reply.usage, reply.timing.get("first_token"), reply.timing.get("total")
    out = usage.completion_tokens - usage.reasoning_tokens if usage else 0
    counts = (
        [usage.cache_miss_tokens, usage.cache_hit_tokens, usage.reasoning_tokens, out]
        if usage
        else []
    )
    ending = "error" if reply.error else reply.finish_reason or ""
    return (
        name,
        reply.model,
        *([f"{n:,}" for n in counts] or [""] * len(_TOKENS)),
        "" if reply.cost is None else f"~{money(reply.cost, str(reply.currency))}",
        *("" if t is None else seconds(t) for t in (first, total)),
        END_WORDS.get(ending, ending),
    )


def column_names(variants: Sequence[Variant], times: int) -> list[str]:
    """What the columns are called. Raises `ParameterError` for too many, or a single one."""
    if not 2 <= len(variants) * times <= _MOST:
        raise ParameterError(
            f"{len(variants) * times} answers cannot be shown side by side.",
            f"Compare 2 to {_MOST}: name variants, or ask one --times 5.",
        )
    if times == 1:
        return [variant.name for variant in variants]
    return [f"{v.name} #{n}".strip() for v in variants for n in range(1, times + 1)]


def compared(
    session: Session,
    question: Question,
    variants: Any,
    times: int,
    names: Mapping[str, Any],
    show: bool | None,
) -> Comparison | ComparisonPreview:
    """`compare` as flags and callers give it, shown where that fits; or its dry run."""
    wanted = [Variant("")] if variants is None else variants_of(variants, names, least=1)
    on = Columns(column_names(wanted, times), False if question.dry_run else show)
    if question.dry_run:
        return preview_all(session, question, wanted, times, on)
    with preparing(on, question.prompt):
        return compare(session, question, wanted, times, on)


def compare(
    session: Session, question: Question, variants: Sequence[Variant], times: int, on: Columns
) -> Comparison:
    """Ask each of `variants` `times` times, all at once. A failure is a column's own, unless all
    fail. Raises what a question raises before it is sent, or `Interrupted`.
    """
    placed = _placed(session, question, variants, times, on)
    found: dict[int, Reply] = {}
    for at, one in enumerate(placed if times == 1 else ()):  # repeats are never kept answers
        if kept := replayed(session, one, on.columns[at]):
            found[at] = kept
    rest = [at for at in range(len(placed)) if at not in found]
    prepared = [prepare_all(session, placed[at], on.columns[at]) for at in rest]
    prepared = _allowed(session, [variants[at // times] for at in rest], prepared, times)
    conversation, branch = placed[0].conversation, question.branch or placed[0].conversation.active
    moves = conversation.moves[branch]
    try:
        if prepared:
            ended = [partial(found.__setitem__, at) for at in rest]
            ask_together(session, prepared, [on.columns[at] for at in rest], ended, on.tick)
    finally:
        order = sorted(found)
        replies = [found[at] for at in order]
        done = Comparison(session, [on.names[at] for at in order], replies)
        if replies:
            on.close([reply.record for reply in replies], done.report)
        answered = [reply for reply in replies if reply.turn.id in conversation]
        if answered and conversation.moves[branch] == moves:  # else the user chose meanwhile
            conversation.put_on_branch(answered[0].turn.id, branch)
            session.last = answered[0]
    raises = (question.on_error or session.config.on_error) != "return"
    if raises and (error := replies[0].error) and all(reply.error for reply in replies):
        raise error
    return done


def _placed(
    session: Session, question: Question, variants: Sequence[Variant], times: int, on: Columns
) -> list[Placed]:
    """The question at its place for each column: equal but for the variant, siblings in order."""
    if question.go_on:
        raise ParameterError("An answer cannot be continued by several.", "Leave --continue out.")
    first = place(session, question, on.columns[0])
    ids = [new_id() for _ in on.names]
    before = (first.turn.branch or {"index": 1})["index"] - 1
    placed = []
    for at, (id, name) in enumerate(zip(ids, on.names, strict=True)):
        branch = {"index": before + at + 1, "count": before + len(ids)}
        own: dict[str, Any] = {"id": id, "compare": {"id": on.id, "variant": name, "turns": ids}}
        own["branch"] = branch if first.turn.history else None
        asked = variants[at // times].ask(question)
        placed.append(asked_of(session, first, asked, **own))
    return placed


def _allowed(
    session: Session, variants: Sequence[Variant], prepared: Sequence[Prepared], times: int
) -> list[Prepared]:
    """Each with its share of the question's budget. Raises `ParameterError` where two ask the same,
    `ConfigurationError` or `PolicyError` where all together may exceed a budget.
    """
    check_different(variants[::times], prepared[::times])
    each = [_worst(session, one) for one in prepared]

    def total(currency: str, provider: str = "") -> Decimal:
        known = (item for worst in each for item in worst.items())
        kept = (n for (name, unit), n in known if unit == currency and provider in ("", name))
        return sum(kept, Decimal())

    allowed = []
    for one, own in zip(prepared, each, strict=True):
        shares = [Decimal(1)]
        for to in (one, *one.fallbacks):
            if (price := session.price(to.provider, to.request.model)) is None:
                continue  # with a budget `prepare` has refused it
            most = total(price.currency)
            if one.budget and most > one.budget:
                raise ConfigurationError(
                    f"These {len(prepared)} answers may cost up to {most:.4f} {price.currency}; "
                    f"the budget is {one.budget:g}.",
                    "Raise --budget, lower --max-tokens, or compare fewer.",
                )
            by_name = isinstance(session.config.notebook_budget, Mapping)
            by_name = by_name and not any(rules.budget for rules in to.teaching.files.teaching)
            worst = partial(_of_price, total, to.provider.name if by_name else "")
            model = to.request.model
            check_notebook(session, to.provider, model, to.teaching, price, worst)
            shares.append(own[to.provider.name, price.currency] / most if most else Decimal(1))
        allowed.append(replace(one, budget=one.budget * float(min(shares))))
    return allowed


def _of_price(total: Callable[[str, str], Decimal], provider: str, price: Price) -> Decimal:
    return total(price.currency, provider)


def _worst(session: Session, prepared: Prepared) -> dict[tuple[str, str], Decimal]:
    """What an answer may cost at each place that it may come from, by provider and currency."""
    found: dict[tuple[str, str], Decimal] = {}
    for to in (prepared, *prepared.fallbacks):
        if price := session.price(to.provider, to.request.model):
            key = (to.provider.name, price.currency)
            found[key] = max(found.get(key, Decimal()), worst_cost(to.built, price))
    return found


@dataclass(frozen=True, slots=True)
class ComparisonPreview:
    """What a comparison would send: `report` with all prices, and each request by its column."""

    report: Report
    previews: Mapping[str, Preview]

    def __str__(self) -> str:
        parts = (f"══ {name} ══\n{shown}" for name, shown in self.previews.items())
        return "\n\n".join([str(self.report), *parts])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(for_reader(str(self), str(self)))

    def _repr_html_(self) -> str:
        folds = (
            f"<details><summary>{html.escape(name)}</summary>{shown._repr_html_()}</details>"
            for name, shown in self.previews.items()
        )
        return self.report.html() + "".join(folds)


def preview_all(
    session: Session, question: Question, variants: Sequence[Variant], times: int, on: Columns
) -> ComparisonPreview:
    """What each variant would be sent and may cost. Refuses what `compare` refuses."""
    placed = _placed(session, question, variants, times, on)
    prepared = [prepare_all(session, one) for one in placed]
    _allowed(session, [v for v in variants for _ in range(times)], prepared, times)
    shown = {v.name or where(prepared[0]): preview(session, v.ask(question)) for v in variants}
    sums: dict[str, Decimal] = {}
    rows = []
    for one, (name, seen) in zip(prepared[::times], shown.items(), strict=True):
        price = session.price(one.provider, one.request.model)
        most = worst_cost(one.built, price) if price else None
        if price and most is not None:
            sums[price.currency] = sums.get(price.currency, Decimal()) + most * times
        cost = "not known" if price is None or most is None else money(most, price.currency)
        rows.append((name, where(one), seen.summary, cost))
    total = " + ".join(money(amount, currency) for currency, amount in sums.items())
    remark = f"{len(prepared)} requests, in all at most {total or '0'}."
    heads = ("variant", "would go to", "what leaves", "costs up to")
    return ComparisonPreview(Report("Nothing was sent.", rows, heads, remark, 2), shown)
