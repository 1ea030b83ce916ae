"""`RowTask`: one question about the rows of one frame, settled before any of them is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from deepseek_jupyter.asking.attachments import kept_from_texts, name_of
from deepseek_jupyter.asking.budget import left_to_spend, worst_cost
from deepseek_jupyter.asking.prepare import place, prepare
from deepseek_jupyter.context.row_frame import RowFrame
from deepseek_jupyter.context.table import is_frame
from deepseek_jupyter.errors import (
    ConfigurationError,
    DeepSeekError,
    ParameterError,
    PolicyError,
    shortened,
)
from deepseek_jupyter.privacy.rules import Teaching
from deepseek_jupyter.protocol.tokens import most_tokens

from .answer_form import AnswerForm
from .limits import NOTHING, Cap
from .release import RowRedactor, released
from .runner import JobRequest, Runner
from .template import RowTemplate, is_text, template_of, text_of

if TYPE_CHECKING:
    from deepseek_jupyter.asking.prepare import Prepared
    from deepseek_jupyter.asking.question import Question
    from deepseek_jupyter.conversation.rows import KeptAnswer
    from deepseek_jupyter.protocol.usage import Price
    from deepseek_jupyter.session.session import Session

# Caps that trials gave: of a session, by `RowTask.key` and currency.
trial_caps: WeakKeyDictionary[Any, dict[tuple[str, str], Decimal]] = WeakKeyDictionary()

# Kinds of the columns that `also` names.
ALSO = {"error": str, "raw": str, "reasoning": str, "tokens": int}


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What a map does with its rows; see `deepseek_jupyter.map`."""

    to: Any = str
    into: str = "answer"
    rows: int | str = 5
    budget: float | str | None = None
    also: Sequence[str] = ()
    truth: str | None = None
    concurrency: int | None = None
    max_errors: float = 0.05
    show: bool = True
    where: Any = "kernel"
    think: bool | None = False  # where neither question nor variant says
    stream: bool = False

    @property
    def in_kernel(self) -> bool:
        """Whether the requests are sent from here."""
        return isinstance(self.where, str) and self.where == "kernel"


@dataclass(frozen=True, slots=True)
class RowPrompts:
    """From a row to its request; `common` is what all of them share, for their keys."""

    template: RowTemplate
    masks: RowRedactor
    prepared: Prepared
    price: Price | None
    common: bytes

    def portable(self) -> RowPrompts:
        """Fit to be pickled: without key, conversation and the pseudonyms that it knows."""
        gone: Any = None
        prepared = replace(
            self.prepared, key=gone, turn=gone, conversation=gone, prefix=gone, redactor=gone,
            teaching=gone, held=(), tools={}, fallbacks=(),
        )  # fmt: skip
        masks = replace(self.masks, redactor=self.masks.redactor.apart({}))
        return replace(self, prepared=prepared, masks=masks)

    def request(self, at: int, row: Sequence[Any]) -> JobRequest | None:
        """The request of the row at place `at`, None where a value is missing."""
        if None in row:
            return None
        texts = dict(zip(self.template.named, map(str, map(text_of, row)), strict=True))
        redactor, said = self.masks.begin(texts)
        text = redactor.redact(self.template.render(said))
        digest = hashlib.blake2b(self.common, digest_size=16)
        digest.update(text.encode("utf-8", "surrogatepass"))
        made = JobRequest(at, digest.hexdigest(), known=dict(redactor.known))
        odd = next((n for n, v in zip(self.template.named, row, strict=True) if not is_text(v)), "")
        if odd:
            made.error = ParameterError(
                f"The value of {odd} cannot be sent whole as text: {shortened(texts[odd], 60)}"
            )
            return made
        try:
            made.request, made.built = self.prepared.saying(text)
        except DeepSeekError as error:
            made.error = error
            return made
        if self.price is not None:  # an answer of blanks in JSON mode is asked for once more
            twice = 2 if made.built.body.get("response_format") else 1
            made.worst = twice * worst_cost(made.built, self.price, most_tokens)
        return made


class RowTask:
    """One question about the rows of one frame, ready to be asked."""

    def __init__(
        self,
        session: Session,
        frame: Any,
        question: Question,
        options: MapOptions,
        names: Mapping[str, Any],
    ) -> None:
        """`names` are the notebook's. Nothing is sent; raises `ConfigurationError` and its kind."""
        if question.attach or question.tools or question.go_on:
            raise ParameterError("A map takes no attachments, tools or --continue.")
        self.session, self.options, self.source = session, options, RowFrame(frame)
        self.name, labels = name_of(frame, names, 1), self.source.labels
        self.template = template_of(question.prompt, labels, names, partial(self._refuse, names))
        self.form = AnswerForm.of(options.to, options.into)
        self._check(labels)
        self.replay, self.dry_run = session.recordings.wanted(question.replay), question.dry_run
        question = replace(
            question, prompt=self.template.source, schema=self.form.shape, history=False,
            stream=options.stream, cells="none", tools=("none",), budget=None,
            dry_run=self.dry_run or not options.in_kernel,  # where workers have the key
            think=options.think if (question.think, question.effort) == (None, None)
            else question.think,
        )  # fmt: skip
        placed = place(session, question)
        masks = released(session, placed, frame, self.name, self.template.named, names)
        self.prepared = prepare(session, placed)
        most, parameters = self.form.most_tokens, placed.turn.parameters
        if most and "max_tokens" not in parameters and not self.prepared.built.thinks:
            parameters = {**question.parameters, "max_tokens": most}
            placed = place(session, replace(question, parameters=parameters))
            self.prepared = prepare(session, placed)
        Teaching(placed.files).check_data(self.prepared.provider.name)
        request, asked = self.prepared.request, self.prepared.asked
        heads = [message.content for message in request.messages[:-1]]
        self.masks = replace(masks, taken=placed.redactor.used(*heads))
        self.price = session.price(self.prepared.provider, request.model)
        # What all requests have in common, for their keys.
        same = (
            *(self.prepared.provider.name, request.model, heads, asked and asked.words),
            *(self.form.shape and self.form.shape.schema, request.think, request.effort),
            *(dict(request.parameters), dict(request.extra)),
        )
        common = json.dumps(same, sort_keys=True, default=repr).encode()
        digest = hashlib.blake2b(common, digest_size=16).hexdigest()
        self.key = f"{digest} {self.template.source} {self.name}"
        self.prompts = RowPrompts(self.template, self.masks, self.prepared, self.price, common)

    @property
    def currency(self) -> str:
        """Of its price, "" where none is known."""
        return "" if self.price is None else self.price.currency

    @property
    def body(self) -> dict[str, Any]:
        """What is sent for each row, and where to, with the variable of its key."""
        provider, key = self.prepared.provider, next(iter(self.prepared.provider.key_variables), "")
        return {**self.prepared.built.body, "url": provider.base_url, "key": key}

    def _refuse(self, names: Mapping[str, Any], source: str, value: Any) -> None:
        if is_frame(value):
            raise ParameterError(
                f"{{{{ {source} }}}} is a frame or a column of one; a map fills in plain values.",
                f"Columns of {self.name} are named alone: {{{{ column }}}}.",
            )
        if kept_from_texts(self.session, source, value, names):
            raise PolicyError(f"The data policy keeps {{{{ {source} }}}} out of texts.")

    def _check(self, labels: Sequence[str]) -> None:
        """Raise `ParameterError` for what the frame cannot take."""
        options = self.options
        if not {*options.also} <= ALSO.keys():
            raise ParameterError(
                f"also={options.also!r} is not known.", f"It may have {', '.join(ALSO)}."
            )
        new = [*self.form.names, *(f"{options.into}_{name}" for name in options.also)]
        taken = next((name for name in new if name in labels or new.count(name) > 1), None)
        if taken is not None:
            raise ParameterError(
                f"The frame has a column {taken!r} already.",
                "Give the answers another name with into=, or drop that column first.",
            )
        rows, width, truth = options.rows, options.concurrency, options.truth
        if rows != "all" and not _positive(rows, Integral):
            raise ParameterError(f"rows={rows!r} is not a number of rows.", "Give 5, or 'all'.")
        if width is not None and not _positive(width, Integral):
            raise ParameterError(f"concurrency={width!r} is not a number of requests.", "Give 8.")
        if truth is not None and (truth not in labels or self.source.lazy):
            raise ParameterError(f"truth={truth!r} is not a column of an eager frame.")

    def requests(self, places: Iterable[int] | None = None) -> Iterator[JobRequest]:
        """The requests of the rows at `places` (None: of all) that have a value in each column."""
        wanted = None if places is None else set(places)
        for at, row in enumerate(self.source.rows()):
            if wanted is None or at in wanted:
                made = self.prompts.request(at, row)
                if made is not None:
                    yield made

    def runner(
        self,
        requests: Iterator[JobRequest],
        cap: Cap,
        kind: Callable[..., Runner] = Runner,
        **more: Any,
    ) -> Runner:
        """What asks `requests` of this task."""
        options = self.options
        return kind(
            self.session, self.prepared, requests, self.read, cap=cap, replay=self.replay,
            concurrency=options.concurrency, max_errors=options.max_errors, **more,
        )  # fmt: skip

    def read(self, request: JobRequest, answer: KeptAnswer) -> tuple[Any, ...]:
        """The values of an answer, a column each."""
        return self.form.read(answer.text, self.prepared.asked, request.known)

    def cap(self, budget: float | str | None) -> Cap:
        """What may be spent: the job's budget, else the cap of its trial for all rows; the
        notebook's budget, and that of policy files.

        Raises `ConfigurationError` where a budget cannot be held.
        """
        provider, given = self.prepared.provider, budget not in (None, "none", 0)
        if given and not _positive(budget, Real, Decimal):
            raise ParameterError(
                f"budget={budget!r} is not a sum of money.", "Give 0.50, or 'none' to go without."
            )
        left, tokens = left_to_spend(self.session, provider, self.prepared.teaching, self.price)
        cap = Cap(left, tokens)
        if budget is None and self.options.rows == "all" and not provider.free:
            caps = trial_caps.get(self.session, {})
            cap.bound(caps.get((self.key, self.currency), NOTHING))
        if not given or (self.price is None and provider.free):
            return cap
        if self.price is None:
            raise ConfigurationError(
                f"No price of {self.prepared.request.model} is known, so no budget can be checked.",
                "Set it with %config DeepSeek.prices, or give budget='none'.",
            )
        if not self.prepared.built.body.get("max_tokens"):
            raise ConfigurationError(
                "A budget needs a limit for the length of an answer, and this one has none.",
                "Give max_tokens=200, or a type that has an end: to=Literal[...], bool, int.",
            )
        return cap.bound(Decimal(str(budget)))


def _positive(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and bool(value > 0)  # type: ignore[operator]
