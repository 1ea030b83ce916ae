"""One question to several variants at once: their answers are siblings, shown side by side.

Everything is prepared, checked to be different and priced before the first request; budgets hold
for the sum. No column is answered by a fallback, which would not be the variant's answer.
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
from deepseek_jupyter.asking.replay import kept_answer
from deepseek_jupyter.asking.reply import Reply
from deepseek_jupyter.conversation.turn import new_id
from deepseek_jupyter.display.columns import Columns
from deepseek_jupyter.display.frontend import current_cell
from deepseek_jupyter.display.render import money, seconds
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.display.surfaces import preparing
from deepseek_jupyter.errors import ConfigurationError, ParameterError, counted

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

    def __missing__(self, name: str) -> Reply:
        raise ParameterError(f"There is no variant {name}.", f"Here: {', '.join(self)}.")

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
            said = f"Distinct answers: {len(set(answers))} of {len(answers)}; {most} agree."
            yield f"{name}. {said}" if name else said

    def __repr__(self) -> str:
        return str(self.report)

    def _ipython_display_(self) -> None:
        """Show it, unless the cell that just asked has shown it already."""
        if next(iter(self.values())).shown_in != current_cell():
            Columns(list(self)).close({n: r.record for n, r in self.items()}, self.report)


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
            f"{counted(len(wanted) * times, 'answer')} cannot be shown side by side.",
            f"Compare 2 to {_MOST}: name variants, or ask one --times 5.",
        )
    if question.go_on:
        raise ParameterError("An answer cannot be continued by several.", "Leave --continue out.")
    each = [variant for variant in wanted for _ in range(times)]
    called = [f"{v.name} #{at % times + 1}".strip() for at, v in enumerate(each)]
    on = columns([v.name for v in wanted] if times == 1 else called)
    with preparing(on, question.prompt):
        asking = _Asking(session, question, each, times, on)
        return asking.preview() if question.dry_run else asking.ask()


class _Asking:
    """A comparison, placed: for each column the question, equal but for the variant."""

    def __init__(
        self, session: Session, question: Question, variants: list[Variant], times: int, on: Columns
    ) -> None:
        self._session, self._question, self._times, self._on = session, question, times, on
        self._variants = variants
        first = place(session, question, on.columns[0])
        self._conversation, history = first.conversation, first.turn.history
        ids = sorted(new_id() for _ in variants)  # of one moment: their order is the columns'
        before = (first.turn.branch or {"index": 1})["index"] - 1
        self._placed: list[Placed] = []
        for at, (id, name, variant) in enumerate(zip(ids, on.names, variants, strict=True), 1):
            branch = {"index": before + at, "count": before + len(ids)} if history else None
            beside = {"id": on.id, "variant": name, "turns": ids}
            own = {"id": id, "branch": branch, "compare": beside}
            self._placed.append(asked_of(session, first, variant.ask(question), **own))

    def ask(self) -> Comparison:
        """Ask those that have no kept answer; the conversation goes on with the first."""
        session, on, found = self._session, self._on, dict[int, Reply]()
        asked: list[Any] = [None] * len(self._placed)
        for at, one in enumerate(self._placed if self._times == 1 else ()):  # a repeat is new
            asked[at] = kept_answer(session, one, on.columns[at])
        rest = [at for at, kept in enumerate(asked) if kept is None]
        for at, prepared in zip(rest, self._prepared(rest), strict=True):
            asked[at] = prepared
        branch = self._question.branch or self._conversation.active
        moves = self._conversation.moves[branch]
        try:
            ended = [partial(found.__setitem__, at) for at in range(len(asked))]
            ask_together(session, asked, on.columns, ended, on.tick)
        finally:
            done = Comparison(session, {on.names[at]: found[at] for at in sorted(found)})
            if done:
                on.close({name: reply.record for name, reply in done.items()}, done.report)
            answered = [r for r in done.values() if r.turn.id in self._conversation]
            if answered and self._conversation.moves[branch] == moves:  # else the user chose
                self._conversation.put_on_branch(answered[0].turn.id, branch)
                session.last = answered[0]
        errors = [reply.error for reply in done.values() if reply.error]
        raises = (self._question.on_error or session.config.on_error) != "return"
        if raises and len(errors) == len(done):
            raise errors[0]
        return done

    def _prepared(self, columns: Sequence[int]) -> list[Prepared]:
        """Each with its share of the question's budget. Raises `ParameterError` where two ask the
        same, `ConfigurationError` or `PolicyError` where all together may exceed a budget.
        """
        session, on = self._session, self._on
        prepared = [prepare(session, self._placed[at], on.columns[at]) for at in columns]
        variants = [self._variants[at] for at in columns]
        check_different(variants[:: self._times], prepared[:: self._times])
        priced = [(one, self._price(one)) for one in prepared]
        worst = [(one, p.currency, worst_cost(one.built, p)) for one, p in priced if p]

        def total(provider: str, price: Price) -> Decimal:
            known = (row for row in worst if row[1] == price.currency)
            return sum((c for o, _, c in known if provider in ("", o.provider.name)), Decimal())

        for at, (one, price) in enumerate(priced):
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
            sum_of = partial(total, one.provider.name if apart else "")
            check_notebook(session, one.provider, one.request.model, one.teaching, price, sum_of)
            share = float(worst_cost(one.built, price) / most) if most else 1.0
            prepared[at] = replace(one, budget=one.budget * share)
        return prepared

    def preview(self) -> Preview:
        """The first variant's dry run, with the prices and the requests of all."""
        prepared = self._prepared(range(len(self._placed)))
        rows, bodies, sums = [], list[Report](), dict[str, Decimal]()
        for name, one in zip(self._on.names, prepared, strict=True):
            price, cost = self._price(one), "not known"
            if price:
                most = worst_cost(one.built, price)
                sums[price.currency] = sums.get(price.currency, Decimal()) + most
                cost = money(most, price.currency)
            tokens = sum(count for _, count in one.turn.sending["parts"])
            rows.append((name, where(one), f"{tokens:,}", cost))
            bodies.append(Report(name, remark=one.built.payload.decode(), quoted=-1))
        total = " + ".join(money(amount, unit) for unit, amount in sums.items())
        remark = f"{len(prepared)} requests, in all at most {total or '0'}."
        heads = ("variant", "goes to", "tokens", "costs up to")
        table = Report("Nothing was sent.", rows, heads, remark, 2)
        shown = preview(self._session, self._variants[0].ask(self._question))
        return replace(shown, id="", summary=remark, reports=[table, *bodies, *shown.reports])

    def _price(self, one: Prepared) -> Price | None:
        return self._session.price(one.provider, one.request.model)
