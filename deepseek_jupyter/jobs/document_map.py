"""``--fit map``: a question is asked of each share of documents that do not fit, and then over what
these say.

The shares are asked as a job, outside of the conversation and without thinking; what they say is
kept by the request's hash. The last question is a turn as any other, with what they say attached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING

from deepseek_jupyter import errors
from deepseek_jupyter.asking.attachments import Wanted
from deepseek_jupyter.asking.budget import budget_at, left_to_spend, worst_cost
from deepseek_jupyter.asking.long_texts import map_plan, pace, time_for, tokens_without
from deepseek_jupyter.asking.prepare import place, prepare
from deepseek_jupyter.asking.preview import Preview
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.context.relevance import shares
from deepseek_jupyter.display.render import money
from deepseek_jupyter.display.report import Report
from deepseek_jupyter.errors import counted
from deepseek_jupyter.privacy.redaction import restore
from deepseek_jupyter.protocol.tokens import count_body, count_tokens, most_tokens
from deepseek_jupyter.protocol.usage import Usage, plus

from .job_view import watch
from .limits import Cap
from .runner import JobRequest, Result, Runner
from .verbs import prompt_of

if TYPE_CHECKING:
    from deepseek_jupyter.asking.prepare import Placed, Prepared
    from deepseek_jupyter.conversation.rows import KeptAnswer
    from deepseek_jupyter.session.session import Session

_DOUBT = 1.3  # counts of long texts are estimates
_NOTES = "parts"  # what the attachment is called that holds what the shares say
_THINKING = 8_000  # tokens of a model that thinks before it says so little
_ANSWER = 500  # tokens of the answer over what they say, for the time


def mapped(session: Session, question: Question, *, show: bool = True) -> Question | Preview:
    """A question with ``fit="map"`` as it is to be asked now: with what each share of its documents
    says, where these do not fit; a dry run's plan for that.

    Raises `ConfigurationError` without a budget that holds.
    """
    question.check()
    placed = place(session, replace(question, fit=None))
    try:
        prepare(session, placed)
    except errors.ContextLengthError:
        path = placed.conversation.path(placed.turn.parent) if placed.turn.history else []
        gathered = placed.gathered.behind(path)
        every, known = gathered.attachments, gathered.known
        if not (at := [n for n, a in enumerate(every) if a.unit and a.name not in known]):
            raise
        job = _DocumentMap(session, question, placed, at)
        return job.preview() if question.dry_run else job.asked(show=show)
    return question


class _DocumentMap:
    """One question about the documents at `at` of what it attaches."""

    def __init__(
        self, session: Session, question: Question, placed: Placed, at: Sequence[int]
    ) -> None:
        self._session, self._question, self._placed, self._at = session, question, placed, at
        self._documents = [placed.gathered.attachments[n] for n in at]
        last = replace(self._over(""), dry_run=True, budget=0)
        self._last = prepare(session, place(session, last))
        provider, model = self._last.provider, self._last.request.model
        context = provider.facts(model).context or 0
        # Without the history, which is cut where it has to be: a rerun makes the same shares.
        system = self._last.turn.sending["system"]
        others = [a for n, a in enumerate(placed.gathered.attachments) if n not in at]
        taken = tokens_without(others, system, placed.cells.text(), question.message)
        total = sum(a.tokens for a in self._documents)
        plan = map_plan(total, context, taken, placed.turn.parameters)
        self._each, self._shares = plan.each, shares(self._documents, plan.size)
        self._prepared = self._ready(plan.each)
        self._price = session.price(provider, model)
        self._pace = pace(placed.conversation, model)
        self._requests = [self._request(n) for n in range(len(self._shares))]
        replay = session.recordings.wanted(question.replay)
        self._runner = Runner(
            session, self._prepared, iter(self._requests), _said, cap=Cap(), replay=replay
        )
        kept = self._runner.kept([request.key for request in self._requests])
        self._new = [request for request in self._requests if request.key not in kept]

    def _over(self, notes: str) -> Question:
        """The question over what the shares say, answered from what is kept where it is."""
        question, names = self._question, " and ".join(f"`{a.name}`" for a in self._documents)
        kept = (item for n, item in enumerate(question.attach) if n not in self._at)
        notes = f"What the parts of {names} say to the question, in order:\n\n{notes}"
        told = f"Of {names} the model reads what it said of each part."
        return replace(
            question,
            fit=None,
            replay=self._session.recordings.wanted(question.replay),
            attach=(Wanted(_NOTES, notes, "full"), *kept),
            shortened=(*question.shortened, told),
        )

    def _ready(self, each: int) -> Prepared:
        """What all shares have in common: the question without anything attached."""
        question, session = self._question, self._session
        own = session.config.system if question.system is None else question.system
        asked = Question(
            question.prompt,
            question.provider,
            question.model,
            think=False,
            system="\n\n".join(filter(None, (own, prompt_of("share")))),
            parameters={**question.parameters, "max_tokens": each},
            stream=False,
            history=False,
            budget=0,
            replay=question.replay,
            dry_run=question.dry_run,
            cells="none",
            tools=("none",),
        )
        prepared = prepare(session, place(session, asked))
        if prepared.built.thinks:
            more = {**asked.parameters, "max_tokens": each + _THINKING}
            prepared = prepare(session, place(session, replace(asked, parameters=more)))
        return prepared

    def _request(self, n: int) -> JobRequest:
        """One share and the question. Its pseudonyms are numbered by itself: the request depends on
        nothing else, and is found again.
        """
        redactor, question = self._placed.redactor, self._question
        asked = question.prompt if question.said is None else question.said
        texts = [f"`{a.name}`:\n{a.text}" for a in self._shares[n]]
        text = redactor.restore("\n\n".join(filter(None, (*texts, asked, question.material))))
        heads = [message.content for message in self._prepared.request.messages[:-1]]
        own = redactor.apart(redactor.used(text, *heads))
        request, built = self._prepared.saying(own.redact(text))
        same = f"{self._prepared.provider.name}\n".encode() + built.payload
        key = blake2b(same, digest_size=16).hexdigest()
        made = JobRequest(n, key, request, built, dict(own.known))
        if self._price is not None:
            made.worst = worst_cost(built, self._price, _pessimistic)
        return made

    # What it takes

    def _most(self) -> tuple[Decimal, Decimal]:
        """The most that what is not kept of the shares may cost, and the question over them."""
        if self._price is None:
            return Decimal(), Decimal()
        notes = self._price.cost(Usage(prompt_tokens=len(self._shares) * self._each)).amount
        last = plus(worst_cost(self._last.built, self._price), notes)
        return plus(*(request.worst for request in self._new)), last

    def _plan(self) -> list[tuple[str, str]]:
        read = sum(count_body(r.built.body) for r in self._new if r.built is not None)
        count, new = len(self._shares), len(self._new)
        kept = f", {count - new:,} of them kept" if new < count else ""
        rounds = -(-new // min(self._runner.limit.now, new or 1)) if new else 0
        longest = rounds * read // max(1, new)
        lines = [
            ("parts", f"{count:,}{kept}; {read:,} tokens to read, {self._each:,} each to say it"),
            ("time", f"about {time_for(self._pace, longest, rounds * self._each + _ANSWER)}"),
        ]
        if self._price is not None:
            most = money(plus(*self._most()), self._price.currency)
            lines.insert(1, ("price", f"at most {most}, with the answer over them"))
        return lines

    def preview(self) -> Preview:
        built, count = self._requests[0].built, len(self._shares)
        assert built is not None
        to = f"{self._prepared.provider.title}, {self._prepared.request.model}"
        title = f"Nothing was sent. To {to}, the first of {count:,} parts:"
        summary = f"{counted(count, 'part')}, then one answer over what they say."
        plan = [Report("The plan", self._plan())]
        return Preview(title, summary, built.body, built.payload, plan)

    def _cap(self) -> Cap:
        """What the shares may spend. Raises `ConfigurationError` without a budget, or for one that
        the worst case does not fit.
        """
        session, provider, asked = self._session, self._prepared.provider, self._question.budget
        budget = budget_at(session, session.config.budget if asked is None else asked, provider)
        left, tokens = left_to_spend(session, provider, self._prepared.teaching, self._price)
        if provider.free or not self._new or asked == 0:
            return Cap(left, tokens)
        plan = "; ".join(f"{name}: {said}" for name, said in self._plan())
        if self._price is None or not budget:
            raise errors.ConfigurationError(
                f"--fit map asks many questions, and there is no budget for them. {plan}.",
                "Give --budget SUM; --budget 0 goes without. --dry-run shows the plan.",
            )
        own, last = self._most()
        if plus(own, last) > budget:
            raise errors.ConfigurationError(
                f"This may cost more than the budget of {budget:g}. {plan}.",
                "Raise --budget, lower --max-tokens, or send --fit parts.",
            )
        return Cap(left, tokens).bound(plus(Decimal(str(budget)), -last))

    def asked(self, *, show: bool) -> Question:
        """Ask the shares; the question over what they say. Raises what stopped them."""
        runner, count, found = self._runner, len(self._requests), dict[int, str]()
        cap = self._cap()
        runner.cap.most, runner.cap.tokens = cap.most, cap.tokens
        self._session.withholding.hold(self._placed.gathered.held)

        def take(result: Result) -> None:
            if not result.error:
                found[result.place] = result.value

        watch(runner, count, take, show=show, noun="parts").close()
        if runner.error is not None:
            raise runner.error
        if missing := count - len(found):
            said = next(iter(runner.tally.last_errors), runner.stopped)
            raise errors.JobStoppedError(f"{missing:,} of {count:,} parts failed: {said}")
        notes = (
            f"[part {n + 1}: {', '.join(a.name for a in share)}]\n{found[n].strip()}"
            for n, share in enumerate(self._shares)
        )
        last, budget = self._over("\n\n".join(notes)), self._question.budget
        return replace(last, budget=budget - float(runner.cap.spent)) if budget else last


def _said(request: JobRequest, answer: KeptAnswer) -> str:
    return restore(answer.text, request.known)


def _pessimistic(text: str) -> int:
    """Tokens of a text that are hardly exceeded: its bytes, or somewhat more than the count."""
    return min(most_tokens(text), round(_DOUBT * count_tokens(text)) + 1)
