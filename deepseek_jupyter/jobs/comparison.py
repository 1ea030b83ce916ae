"""One question to several variants at once: their answers are siblings, shown side by side.

Everything is prepared, told apart and priced before the first request; budgets hold for the sum. No
column is answered by a fallback, for it would not be the variant's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.asking.ask import ask_together
from deepseek_jupyter.asking.budget import check_notebook, worst_cost
from deepseek_jupyter.asking.fallback import where
from deepseek_jupyter.asking.prepare import Placed, Prepared, asked_of, place, prepare
from deepseek_jupyter.asking.preview import Preview, preview
from deepseek_jupyter.asking.replay import replayed
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.conversation.turn import new_id
from deepseek_jupyter.display.columns import Columns
from deepseek_jupyter.display.frontend import current_cell
from deepseek_jupyter.display.render import money, seconds
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.display.surfaces import preparing
from deepseek_jupyter.errors import ConfigurationError, ParameterError

from .variant import Variant, check_different, variants_of

if TYPE_CHECKING:
    from deepseek_jupyter.asking.question import Question
    from deepseek_jupyter.protocol.usage import Price
    from deepseek_jupyter.session.session import Session

_MOST = 20  # columns
_REPEATED = re.compile(r"(.*?) ?#\d+")  # what one of several to a variant is called


class Comparison(dict[str, Reply]):
    """The answers, by what their columns are called."""

    def __init__(self, session: Session, answers: Mapping[str, Reply]) -> None:
        super().__init__(answers)
        self._session = session

    def use(self, name: str) -> Reply:
        """Go on with this answer: the next question follows it, the others stay its siblings."""
        self._session.conversation.checkout(self[name].turn.id)
        self._session.last = self[name]
        return self[name]

    @property
    def report(self) -> Report:
        """The figures of each; and of answers to one request, how many agree."""
        rows = []
        for name, reply in self.items():
            first = reply.timing.get("first_token")
            rows.append((name, reply.footer, "" if first is None else seconds(first)))
        heads = ("variant", "answered by, tokens, cost, time", "first token")
        return Report("Compared", rows, heads, "\n".join(self._agreement()), 1)

    def _agreement(self) -> Iterator[str]:
        told: dict[str, list[str]] = {}
        for name, reply in self.items():
            if not reply.cut and (repeated := _REPEATED.fullmatch(name)):
                said = " ".join(reply.text.casefold().split()).rstrip(".!")
                told.setdefault(repeated[1], []).append(said)
        for name, answers in told.items():
            most = max(Counter(answers).values())
            said = f"{len(set(answers))} distinct answers of {len(answers)}; {most} agree."
            yield f"{name}: {said}" if name else said

    def __repr__(self) -> str:
        return str(self.report)

    def _ipython_display_(self) -> None:
        """Show it, unless the cell that just asked has shown it already."""
        if next(iter(self.values())).shown_in != current_cell():
            Columns(list(self)).close([r.record for r in self.values()], self.report)


def compared(
    session: Session,
    question: Question,
    variants: Any,
    times: int,
    names: Mapping[str, Any],
    columns: Callable[[Sequence[str]], Columns],
) -> Comparison | Preview:
    """Ask each of `variants` (None: the question itself) `times` times, all at once; a dry run
    shows what all would be sent and may cost. `names` are the notebook's.

    A failure is a column's own, unless all fail. Raises what a question raises before it is sent,
    or `Interrupted`.
    """
    wanted = [Variant("")] if variants is None else variants_of(variants, names, least=1)
    if not 2 <= len(wanted) * times <= _MOST:
        raise ParameterError(
            f"{len(wanted) * times} answers cannot be shown side by side.",
            f"Compare 2 to {_MOST}: name variants, or ask one --times 5.",
        )
    each = [variant for variant in wanted for _ in range(times)]
    called = [f"{v.name} #{at % times + 1}".strip() for at, v in enumerate(each)]
    on = columns([v.name for v in wanted] if times == 1 else called)
    with preparing(on, question.prompt):
        placed = _placed(session, question, each, on)
        if question.dry_run:
            return _preview(session, question, wanted, _prepared(session, each, placed, on, times))
        return _asked(session, question, each, placed, on, times)


def _placed(
    session: Session, question: Question, variants: Sequence[Variant], on: Columns
) -> list[Placed]:
    """The question at its place for each column: equal but for the variant, siblings in order."""
    if question.go_on:
        raise ParameterError("An answer cannot be continued by several.", "Leave --continue out.")
    first = place(session, question, on.columns[0])
    ids = [new_id() for _ in variants]
    before = (first.turn.branch or {"index": 1})["index"] - 1
    found = []
    for at, (id, name, variant) in enumerate(zip(ids, on.names, variants, strict=True), 1):
        branch = {"index": before + at, "count": before + len(ids)} if first.turn.history else None
        beside = {"id": on.id, "variant": name, "turns": ids}
        own = {"id": id, "branch": branch, "compare": beside}
        found.append(asked_of(session, first, variant.ask(question), **own))
    return found


def _asked(
    session: Session,
    question: Question,
    variants: Sequence[Variant],
    placed: Sequence[Placed],
    on: Columns,
    times: int,
) -> Comparison:
    found: dict[int, Reply] = {}
    for at, one in enumerate(placed if times == 1 else ()):  # a repeat is never a kept answer
        if kept := replayed(session, one, on.columns[at]):
            found[at] = kept
    rest = [at for at in range(len(placed)) if at not in found]
    left = [placed[at] for at in rest]
    prepared = _prepared(session, [variants[at] for at in rest], left, on, times)
    conversation = placed[0].conversation
    branch = question.branch or conversation.active
    moves = conversation.moves[branch]
    try:
        if prepared:
            ended = [partial(found.__setitem__, at) for at in rest]
            ask_together(session, prepared, [on.columns[at] for at in rest], ended, on.tick)
    finally:
        done = Comparison(session, {on.names[at]: found[at] for at in sorted(found)})
        replies = list(done.values())
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


def _prepared(
    session: Session,
    variants: Sequence[Variant],
    placed: Sequence[Placed],
    on: Columns,
    times: int,
) -> list[Prepared]:
    """Each with its share of the question's budget. Raises `ParameterError` where two ask the same,
    `ConfigurationError` or `PolicyError` where all together may exceed a budget.
    """
    prepared = [prepare(session, one, on.columns[0]) for one in placed]
    check_different(variants[::times], prepared[::times])
    prices = [session.price(one.provider, one.request.model) for one in prepared]
    costs = [
        worst_cost(o.built, p) if p else Decimal() for o, p in zip(prepared, prices, strict=True)
    ]

    def total(provider: str, price: Price) -> Decimal:
        rows = zip(prepared, prices, costs, strict=True)
        known = [(one, cost) for one, p, cost in rows if p and p.currency == price.currency]
        return sum((c for one, c in known if provider in ("", one.provider.name)), Decimal())

    for at, (one, price, cost) in enumerate(zip(prepared, prices, costs, strict=True)):
        if price is None:
            continue  # with a budget `prepare` has refused it
        most = total("", price)
        if one.budget and most > one.budget:
            raise ConfigurationError(
                f"These {len(prepared)} answers may cost up to {most:.4f} {price.currency}; "
                f"the budget is {one.budget:g}.",
                "Raise --budget, lower --max-tokens, or compare fewer.",
            )
        # A table of budgets counts each provider for itself, a policy file all of them.
        apart = isinstance(session.config.notebook_budget, Mapping)
        apart = apart and not any(rules.budget for rules in one.teaching.files.teaching)
        worst = partial(total, one.provider.name if apart else "")
        check_notebook(session, one.provider, one.request.model, one.teaching, price, worst)
        prepared[at] = replace(one, budget=one.budget * float(cost / most) if most else one.budget)
    return prepared


def _preview(
    session: Session,
    question: Question,
    variants: Sequence[Variant],
    prepared: Sequence[Prepared],
) -> Preview:
    """The first variant's dry run, with the prices and the requests of all."""
    times = len(prepared) // len(variants)
    shown = preview(session, variants[0].ask(question))
    rows, sums = [], dict[str, Decimal]()
    for variant, one in zip(variants, prepared[::times], strict=True):
        price, tokens = session.price(one.provider, one.request.model), one.turn.sending["parts"]
        most = worst_cost(one.built, price) if price else Decimal()
        if price:
            sums[price.currency] = sums.get(price.currency, Decimal()) + most * times
        cost = money(most, price.currency) if price else "not known"
        rows.append((variant.name, where(one), f"{sum(n for _, n in tokens):,}", cost))
    total = " + ".join(money(sums[unit], unit) for unit in sums)
    remark = f"{len(prepared)} requests, in all at most {total or '0'}."
    table = Report(
        "Nothing was sent.", rows, ("variant", "goes to", "tokens", "costs up to"), remark, 2
    )
    bodies = [
        Report(variant.name, remark=one.built.payload.decode(), quoted=-1)
        for variant, one in zip(variants, prepared[::times], strict=True)
    ]
    return replace(shown, id="", summary=remark, reports=[table, *bodies, *shown.reports])
