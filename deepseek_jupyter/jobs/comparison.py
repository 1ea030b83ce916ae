"""One question to several variants at once: their answers are siblings, shown side by side.

Everything is prepared, told apart and priced before the first request; budgets hold for the sum.
The first that answers is the conversation's, until the user goes on with another.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
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
from deepseek_jupyter.errors import ConfigurationError, ParameterError

from .variant import Variant, check_different

if TYPE_CHECKING:
    from deepseek_jupyter.asking.question import Question
    from deepseek_jupyter.protocol.usage import Price
    from deepseek_jupyter.session.session import Session

_MOST = 20  # columns
_HEADS = ("variant", "answered by", "new", "cached", "thinking", "out", "cost")
_HEADS = (*_HEADS, "first token", "total", "end")


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
        """The same figures and the answers as a frame, a row each."""
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
            if not reply.cut:
                said = " ".join(reply.text.casefold().split()).rstrip(".!")
                told.setdefault(name.rpartition("#")[0].strip(), []).append(said)
        for name, answers in told.items():
            if len(answers) > 1 and len(self.names) > len(told):
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
    counts = (usage.cache_miss_tokens, usage.cache_hit_tokens, usage.reasoning_tokens, out) if usage else ("",) * 4
    ending = "error" if reply.error else reply.finish_reason or ""
    return (
        name,
        reply.model,
        *(f"{n:,}" if isinstance(n, int) else n for n in counts),
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


def compare(
    session: Session, question: Question, variants: Sequence[Variant], times: int, on: Columns
) -> Comparison:
    """Ask each of `variants` `times` times, all at once. A failure is a column's own, unless all
    fail. Raises what a question raises before it is sent, or `Interrupted`.
    """
    placed = _placed(session, question, variants, times, on)
    kept = [
        replayed(session, one, column) if times == 1 else None
        for one, column in zip(placed, on.columns, strict=True)
    ]
    asked = [at for at, reply in enumerate(kept) if reply is None]
    prepared = [prepare_all(session, placed[at], on.columns[at]) for at in asked]
    found: dict[int, Reply] = {at: reply for at, reply in enumerate(kept) if reply is not None}
    try:
        if prepared:
            _tell_apart(variants, times, asked, prepared)
            prepared = _within_budgets(session, prepared)
            ended = [lambda reply, at=at: found.update({at: reply}) for at in asked]
            with _first_stays(session, prepared[0], found):
                ask_together(session, prepared, [on.columns[at] for at in asked], ended, on.tick)
    finally:
        done = Comparison(session, [on.names[at] for at in sorted(found)], _in_order(found))
        if found:
            on.close([reply.record for reply in done], done.report)
    if all(reply.error for reply in done) and (question.on_error or session.config.on_error) != "return":
        raise done[0].error
    return done
