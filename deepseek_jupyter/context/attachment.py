"""`Attachment`: an object of the notebook as text and images for a prompt. Pure.

`made` is how every kind but frames makes one: its text redacted, then cut to the policy's budget
with a remark on what was left out. `context.attach` chooses the kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, TypeVar

from deepseek_jupyter.errors import counted
from deepseek_jupyter.privacy.levels import NONE, Policy
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.withheld import NOTHING_RELEASED, Released, WithheldValues
from deepseek_jupyter.protocol.tokens import PER_IMAGE, estimate_tokens

_LOOKED_AT = 16  # characters a token; more than any text has that fits
_MARGIN = 2_000  # characters; what a redactor must see whole is shorter
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """What of one column leaves: `name` as the card says it, `level`, and `leaves` in words."""

    name: str
    level: str
    leaves: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """An object as it goes into a prompt.

    `source` is what the object is in its library's words (``pandas DataFrame``); `text` is what
    leaves besides, equal for equal content in any library; `images` are ``data:`` or https URLs.
    `hash` changes when the object does. `rows` is how many rows have values in the text, of
    `all_rows` (0: unknown, or it has none). `masked`
    counts what was taken out, by reason; `withheld` are texts that the policy keeps here and that
    must not leave by other ways either, `released` those that the card prints. `labels` are the
    names of columns, keys or fields of which a rule can speak; `notices` are for the user. `cut`
    says how much of the object leaves (``66 of 1,200 lines``), "" where all of it does. Of a
    document, which has a `unit`, `positions` say where its lines stand: `documents.number_at`.
    """

    name: str
    kind: str
    text: str
    source: str = ""
    images: tuple[str, ...] = ()
    hash: str = ""
    policy: str = ""
    tokens: int = 0
    columns: tuple[ColumnUse, ...] = ()
    rows: int = 0
    all_rows: int = 0
    masked: Mapping[str, int] = field(default_factory=dict)
    withheld: tuple[WithheldValues, ...] = ()
    released: Released = NOTHING_RELEASED
    labels: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    cut: str = ""
    unit: str = ""
    positions: tuple[tuple[int, int], ...] = ()

    @property
    def record(self) -> dict[str, Any]:
        """What a turn remembers of it; the text itself stays in `Turn.sent`."""
        names = ("name", "kind", "hash", "policy", "tokens", *(("cut",) if self.cut else ()))
        rows = {"rows": [self.rows, self.all_rows]} if self.rows and self.all_rows else {}
        return {name: getattr(self, name) for name in names} | rows


def made(
    name: str,
    kind: str,
    head: str,
    body: str,
    policy: Policy,
    redactor: Redactor,
    *,
    hash: str,
    images: tuple[str, ...] = (),
    cut: str = "",
) -> Attachment:
    """An attachment whose text is `head` (one line: what it is) and `body`, redacted and in budget.

    Where the policy is ``none`` only the name leaves. `cut` is what `body` leaves out already.
    """
    if policy.whole == NONE:
        text, left = redactor.redact(f"{name}: kept back by the data policy."), ""
        images, cut = (), ""
    else:
        text = "\n".join(filter(None, (f"{name}: {head}", body)))
        text, left = guarded(text, redactor.redact, policy.budget)
    return Attachment(
        name=name,
        kind=kind,
        text=text,
        images=images,
        hash=hash,
        policy=str(policy),
        tokens=estimate_tokens(text) + PER_IMAGE * len(images),
        masked=redactor.count(text),
        cut=left or cut,
    )


def placed(a: Attachment, unit: str, positions: Iterable[tuple[int, int]], body: str) -> Attachment:
    """`a` as the document that `body` is, below a line of head. Its places are not known where
    what was masked had lines of its own.
    """
    if not body:
        return a
    known = a.cut or a.text.count("\n") == body.count("\n") + 1
    return replace(
        a, unit=unit, positions=tuple((at + 1, n) for at, n in positions) if known else ()
    )


def digest(*parts: str | bytes) -> str:
    """The `hash` of an attachment: 16 hexadecimal digits of what `parts` say."""
    found = sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found.update(len(raw).to_bytes(8, "big") + raw)
    return found.hexdigest()[:16]


def type_name(value: Any) -> str:
    """``dict``, ``numpy.ndarray``, ``sklearn.linear_model.LogisticRegression``: as users say it."""
    kind = type(value)
    module = kind.__module__
    if module in ("builtins", "__main__"):
        return kind.__qualname__
    public = [part for part in module.split(".") if not part.startswith("_")]
    return ".".join([*public, kind.__qualname__])


def cut(text: str, tokens: int, more: str = "") -> tuple[str, str]:
    """`text`, or its beginning and how much is left out, in at most `tokens`; and how much of it
    that is in words (``66 of 1,200 lines``), "" for all. `more` is text after it that is left out
    in any case.
    """
    if not more and estimate_tokens(text) <= tokens:
        return text, ""
    end = min(len(text), tokens * _LOOKED_AT)
    while end > 0:
        have = estimate_tokens(text[:end] + _remark(text, end, more))
        if have <= tokens:
            break
        end = min(end - 1, int(end * tokens / have * 0.99))
    line_end = text.rfind("\n", end * 3 // 4, end)
    if line_end > 0 and end < len(text):
        whole_lines = text[:line_end] + _remark(text, line_end, more)
        if estimate_tokens(whole_lines) <= tokens:  # its remark may be the longer one
            end = line_end
    return text[:end] + _remark(text, end, more), _share(text[:end], text + more)


def _remark(text: str, end: int, more: str) -> str:
    lines = text.count("\n", end)
    left = counted(len(text) - end + len(more), "more character")
    where = f" in {counted(lines, 'line')}" if lines > 1 and not more else ""
    return f"\n[… {left}{where}]"


def _share(kept: str, text: str) -> str:
    """How much `kept` is of `text`, whose first line is a head: in lines, or in characters."""
    lines, every = kept.count("\n"), text.count("\n")
    if 0 < lines < every:
        return f"{lines:,} of {counted(every, 'line')}"
    return f"{len(kept):,} of {counted(len(text), 'character')}"


def guarded(text: str, redact: Callable[[str], str], tokens: int) -> tuple[str, str]:
    """`text` redacted, then `cut` to `tokens`: what is redacted is never half there.

    Of a very long text only the beginning is looked at; the last `_MARGIN` characters of that, in
    which something to be redacted could be cut in two, never stay.
    """
    most = tokens * _LOOKED_AT + _MARGIN
    redacted = redact(text[:most])
    if len(text) <= most:
        return cut(redacted, tokens)
    end = max(0, len(redacted) - _MARGIN)
    return cut(redacted[:end], tokens, more=redacted[end:] + text[most:])


def fitting(make: Callable[[T], str], ladder: Sequence[T], tokens: int) -> tuple[str, T]:
    """What `make` makes of the first step of `ladder` that fits `tokens`, else of the last; and
    that step.
    """
    for step in ladder:
        text = make(step)
        if estimate_tokens(text) <= tokens:
            break
    return text, step


def excerpt(text: str, most: int) -> str:
    """`text` in at most `most` characters, and a count of the others."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({counted(len(text) - most, 'more character')})"


def settled(text: str) -> str:
    """`text` without memory addresses, which differ from run to run."""
    return _ADDRESS.sub("", text)
