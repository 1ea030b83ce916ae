"""What a question attaches: found in prompt, flags or call, and written once a conversation.

`wanted` finds the objects, `gather` makes attachments of them under the settings, the question's
own rules and the policy files, and `Gathered` writes them into the message. A frame whose card
is in the history already is named in one line, so that the prefix is not paid twice.

`DataCard`: what a model would see of an object, to look at before it is asked anything.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from deepseek_jupyter.context.attachment import Attachment
from deepseek_jupyter.context.documents import MOST, files_named, refuse_address
from deepseek_jupyter.context.files import path_meant
from deepseek_jupyter.context.prompt import Mention, mentions, readings
from deepseek_jupyter.context.table import is_frame
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.display.report import Drawing, Report
from deepseek_jupyter.display.surfaces import Surface
from deepseek_jupyter.errors import ParameterError, did_you_mean
from deepseek_jupyter.privacy.levels import (
    FULL,
    SAMPLE,
    WHOLE,
    Level,
    Policy,
    asked_of,
    fits_pattern,
    labels_in,
    parse_spec,
    plain_name,
)
from deepseek_jupyter.privacy.policy_file import DataRules, PolicyFiles
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.privacy.rules import check_columns, check_kind, tightened
from deepseek_jupyter.privacy.withheld import NOTHING_RELEASED
from deepseek_jupyter.session.session import Session
from deepseek_jupyter.session.withholding import Held

from .notebook_cells import cell_named
from .question import Question

_WHOLE = re.compile(r"(?:^|,)\*<=([^,]+)")  # limits on everything, as a policy is written
_MANY_ROWS = 1_000_000  # reading fewer takes no time worth a word
_NO_DATA = {"In", "Out", "exit", "quit", "get_ipython", "display", "open"}


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """An object that a question attaches, under the name it has there; `rules` as a spec has
    them behind its colon, "" for those of the settings; `names` are the notebook's.
    """

    name: str
    value: Any
    rules: str = ""
    names: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def known_as(self) -> list[str]:
        """Its name, the names in the expression that it is, and other names of the object."""
        same = [name for name, value in self.names.items() if value is self.value]
        return [self.name, *_names_in(self.name), *same]

    def shared(self, pattern: str) -> list[str]:
        """Its columns that it shares with a frame of the notebook whose name fits `pattern`:
        columns of one name that have a value in common, or of which this cannot be determined.
        """
        from deepseek_jupyter.context.frames import may_be_made_of

        own, found = _columns_of(self.value), set[str]()
        own = sorted(labels_in(self.value)) if isinstance(self.value, str) else own
        for name, value in self.names.items() if own else ():
            if fits_pattern(name, pattern) and value is not self.value:
                names = {plain_name(c) for c in own} & {plain_name(c) for c in _columns_of(value)}
                if names - found and may_be_made_of(self.value, value, names):
                    found |= names
        return [column for column in own if plain_name(column) in found]

    @property
    def columns_behind(self) -> set[str]:
        """The columns of the frames in its expression; empty where it is a frame itself."""
        if _columns_of(self.value):
            return set()
        behind = (self.names.get(name) for name in _names_in(self.name))
        return {column for value in behind for column in _columns_of(value)}


def _names_in(expression: str) -> list[str]:
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return re.findall(r"[^\W\d]\w*", expression)
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]


def _columns_of(value: Any) -> list[str]:
    """The names of the columns of a frame or series, index and axes included."""
    if not is_frame(value):
        return []
    try:
        if hasattr(value, "collect_schema"):
            found = list(value.collect_schema().names())
        else:
            columns: Any = getattr(value, "column_names", None)
            found = list(getattr(value, "columns", ()) if columns is None else columns)
        names = [getattr(value, "name", None)] if not found else []
        labels = None if hasattr(value, "collect_schema") else getattr(value, "columns", None)
        for axis in (getattr(value, "index", None), labels):
            names += getattr(axis, "names", None) or ()
        parts = [" / ".join(map(str, n)) if isinstance(n, tuple) else str(n) for n in found]
        return [*parts, *(str(name) for name in names if name is not None)]
    except Exception:  # a plan that fails; reading it says so
        return []


@dataclass(frozen=True, slots=True)
class Gathered:
    """The attachments of a question. `known` are those whose cards the history has, `changed` those
    of which it has another state. `ruled` is what rules keep of frames that are not attached.
    """

    attachments: tuple[Attachment, ...] = ()
    known: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    ruled: tuple[Held, ...] = ()

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Name and text of each attachment, in their order before the prompt."""
        return [(attachment.name, self._part(attachment)) for attachment in self.attachments]

    def _part(self, a: Attachment) -> str:
        if a.name in self.known:
            return f"`{a.name}` is as it was above."
        changed = "changed since it was shown above" if a.name in self.changed else ""
        if a.unit and changed:
            return f"`{a.name}`, {'other parts' if a.cut else changed}:\n{a.text}"
        since = f", {changed}" if changed else ""
        return f"`{a.name}` is a {a.source}{since}.\n{a.text}" if a.source else a.text

    @property
    def images(self) -> tuple[str, ...]:
        """The pictures of the attachments that the history does not have."""
        return tuple(url for a in self.attachments if a.name not in self.known for url in a.images)

    @property
    def records(self) -> tuple[dict[str, Any], ...]:
        """What the turn's record says of them; ``again`` marks those named in one line."""
        return tuple(
            {**a.record, "tokens": 0, "again": True} if a.name in self.known else a.record
            for a in self.attachments
        )

    @property
    def held(self) -> tuple[Held, ...]:
        """What the attachments withhold and release, for the session."""
        return (
            *self.ruled,
            *(Held((a.name, a.hash, a.policy), a.withheld, a.released) for a in self.attachments),
        )

    @property
    def renewed(self) -> list[str]:
        """A sentence on each document that has changed since the history shows it."""
        again = (a for a in self.attachments if a.unit and a.name in self.changed)
        return [f"`{a.name}` has changed and is sent again." for a in again if not a.cut]

    @property
    def shortened(self) -> list[str]:
        """Sentences on the attachments of which only a part leaves, one for each kind of part."""
        cuts: dict[str, list[str]] = {}
        for a in self.attachments:
            if a.cut and a.name not in self.known:
                cuts.setdefault(a.cut, []).append(a.name)
        return [f"Of `{'`, `'.join(names)}` the model reads {cut}." for cut, names in cuts.items()]

    def behind(self, path: Iterable[Turn]) -> Gathered:
        """These attachments in a message after the turns of `path`, whose cards count as known."""
        cards = _cards(path)
        known = {a.name for a in self.attachments if a.hash and (a.name, a.hash, a.policy) in cards}
        hashes = {(name, hash) for name, hash, _ in cards}
        shown = {name for name, _ in hashes}
        changed = {a.name for a in self.attachments if (a.name, a.hash) not in hashes} & shown
        return replace(self, known=frozenset(known), changed=frozenset(changed))


# Finding


def resolved(question: Question, names: Mapping[str, Any]) -> Question:
    """`question` with what it attaches found in `names`. Raises `ParameterError` for others."""
    prompt, mentioned = question.said, list[Wanted]()
    if prompt is None:
        prompt, mentioned = _mentioned(question.prompt, names)
    found: dict[str, Wanted] = {}
    for item in (*wanted(question.attach, names), *mentioned):
        found.setdefault(item.name, item)  # what a flag says of it comes first
    if sum(isinstance(item.value, Path) for item in found.values()) > MOST:
        raise ParameterError(f"One question takes {MOST} files.", "Attach fewer of them.")
    attach = tuple(replace(item, names=names) for item in found.values())
    return replace(question, attach=attach, said=prompt)


def wanted(items: Iterable[Any], names: Mapping[str, Any]) -> Iterator[Wanted]:
    """`items` as ``--attach`` and ``attach=`` give them.

    A text is ``EXPR[:POLICY]``; a mapping has names and objects; a pair an object and its policy;
    anything else is an object, called as the notebook calls it.
    """
    for number, item in enumerate(items, 1):
        if isinstance(item, Wanted):
            yield item
        elif isinstance(item, str):
            yield from _of_spec(item, names)
        elif isinstance(item, Mapping):
            yield from (Wanted(str(name), value) for name, value in item.items())
        elif isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], str):
            yield Wanted(name_of(item[0], names, number), item[0], item[1])
        else:
            yield Wanted(name_of(item, names, number), item)


def name_of(value: Any, names: Mapping[str, Any], number: int) -> str:
    for name, other in names.items():
        if other is value and not name.startswith("_"):
            return name
    return str(getattr(value, "__name__", "")) or f"data_{number}"


def _of_spec(spec: str, names: Mapping[str, Any]) -> Iterator[Wanted]:
    whole = path_meant(spec) or (Path(spec) if ":" in spec else None)
    if whole is not None and os.path.isfile(whole):  # a colon may be a part of a path
        yield _file(spec.strip("\"'"), whole)
        return
    refuse_address(spec)
    expression, _ = parse_spec(spec)
    rules = spec.strip()[len(expression) :].lstrip().removeprefix(":")
    if (found := files_named(expression, names)) is not None:
        yield from (_file(file, Path(file), rules) for file in found)
        return
    path = path_meant(expression)
    if path is not None:
        yield _file(expression.strip("\"'"), path, rules)
        return
    cell = cell_named(expression)
    yield Wanted(expression, named_value(expression, names) if cell is None else cell, rules)


def _file(name: str, path: Path, rules: str = "") -> Wanted:
    """A file: a table as a frame, so that the rules for columns hold, anything else by its path."""
    from deepseek_jupyter.tools.arrow import table_of_file

    table = table_of_file(path)
    return Wanted(name, path if table is None else table, rules)


def named_value(expression: str, names: Mapping[str, Any], flag: str = "--attach") -> Any:
    """The value of the expression that the user gave to `flag`. Raises `ParameterError`."""
    try:
        return eval(expression, dict(names))
    except NameError as error:
        raise ParameterError(
            f"{flag} {expression}: there is no {error.name!r} in this notebook.",
            did_you_mean(str(error.name), names) or "Run the cell that defines it.",
        ) from None
    except Exception as error:
        raise ParameterError(
            f"{flag} {expression} raised {type(error).__name__}: {error}",
            "Attach a name, or an expression that has a value.",
        ) from error


def _mentioned(prompt: str, names: Mapping[str, Any]) -> tuple[str, list[Wanted]]:
    """The prompt with a name for each mention, and the objects mentioned."""
    pieces: list[str] = []
    found: list[Wanted] = []
    at = 0
    for mention in mentions(prompt):
        meant = _meant(mention, names)
        if meant is not None:
            length = len(meant.name) + (2 if mention.expression.startswith('"') else 0)
            pieces += (prompt[at : mention.start], f"`{meant.name}`")
            at = mention.start + 1 + length
            found.append(meant)
    return "".join([*pieces, prompt[at:]]), found


def _meant(mention: Mention, names: Mapping[str, Any]) -> Wanted | None:
    """The object that is mentioned; None for a word that merely follows an @."""
    path = path_meant(mention.expression)
    if path is not None:
        return _file(mention.expression.strip('"'), path)
    for expression in readings(mention.expression):
        if (cell := cell_named(expression)) is not None:
            return Wanted(expression, cell)
        base = expression.partition(".")[0].partition("[")[0]
        if base == expression:
            plain = not base.startswith("_") and base not in _NO_DATA
            return Wanted(base, names[base]) if base in names and plain else None
        if base in names:
            try:
                value = eval(expression, dict(names))
            except Exception:  # the sentence goes on: "of @df.The rest"
                continue
            if not callable(value):
                return Wanted(expression, value)
    return None


# Making


def gather(
    session: Session,
    question: Question,
    redactor: Redactor,
    policy_files: PolicyFiles,
    path: Iterable[Turn],
    on: Surface,
) -> tuple[Gathered, Redactor]:
    """The attachments of a resolved question behind the turns of `path`, and the redactor for its
    request: what it withholds holds for the session as soon as the request leaves.

    Large ones are named `on` the surface. Raises `ParameterError`, `PolicyError`.
    """
    from deepseek_jupyter.context.attach import attach

    files, withholding = policy_files.data, session.withholding
    items = [(item, policy_of(session, item, files)) for item in question.attach]
    request = redactor.for_request(
        withholding.without({item.name: str(policy) for item, policy in items})
    )
    for released in withholding.released(c for c in _cards(path) if _holds(session, c, files)):
        request.release(released)
    ruled = tuple(_ruled(request, files))
    rows, name = max(((_rows(item.value), item.name) for item in question.attach), default=(0, ""))
    if rows >= _MANY_ROWS:
        on.wait({"reason": "read", "name": name, "rows": rows})
    made = [attach(item.name, item.value, policy, request) for item, policy in items]
    if len(made) > 1 and any(a.withheld or a.released for a in made):
        # Once more: what the last one withholds must not be in the first one.
        made = [attach(item.name, item.value, policy, request) for item, policy in items]
    for at, item in enumerate(question.attach):
        check_kind(made[at].name, made[at].kind, files)
        check_columns(made[at].name, made[at].labels, parse_spec(f"x:{item.rules}")[1].columns)
        made[at] = replace(made[at], notices=(*made[at].notices, *_tightenings(item, files)))
    return Gathered(tuple(made), ruled=ruled), request


def _rows(value: Any) -> int:
    shape = getattr(value, "shape", None)
    rows = shape[0] if isinstance(shape, tuple) and shape else 0
    return rows if isinstance(rows, int) else 0


def protecting(session: Session) -> Redactor:
    """The notebook's redactor for ghost text: it withholds what rules keep of all frames."""
    redactor = session.redactor
    redactor = redactor.for_request(redactor.withheld)
    session.withholding.hold(_ruled(redactor, session.policy_files().data))
    return redactor


def _holds(session: Session, card: tuple[str, str, str], files: Sequence[DataRules]) -> bool:
    """Whether the policy of today would still let a card of the history leave."""
    if not files:
        return True
    (name, _, policy), names = card, user_namespace()
    item = Wanted(name, names.get(name), asked_of(policy), names=names)
    now, then = policy_of(session, item, files), parse_spec(f"x:{item.rules}")[1]
    columns = () if "<=" in policy else _columns_of(item.value)
    if not columns:
        return str(now) == policy
    return all(now.level(column) >= then.level(column) for column in columns)


def _ruled(redactor: Redactor, files: Sequence[DataRules]) -> Iterator[Held]:
    """What the files' rules withhold of the notebook's frames, attached or not: rules that name a
    frame or a column, or let no figures leave. What is made of a frame is recognised by these
    values.
    """
    from deepseek_jupyter.context.frames import withhold

    rules = [r if r.level in ("none", "schema") else replace(r, level=None) for r in files]
    frames = user_namespace() if any(r.frames or r.columns or r.level for r in rules) else {}
    for name, value in list(frames.items()):
        if name.startswith("_") or not (columns := _columns_of(value)):
            continue
        policy = tightened(Policy(FULL), [n for n, v in frames.items() if v is value], rules)
        if any(policy.level(column) < SAMPLE for column in columns):
            with suppress(ParameterError):  # it cannot be read: attaching it says so
                kept = withhold(value, policy, redactor)
                yield Held((f"{name}, by rule", "", str(policy)), kept, NOTHING_RELEASED)


def _tightenings(item: Wanted, files: Iterable[DataRules]) -> Iterator[str]:
    """Notices for the user where a rule applies because of what an object seems to be made of."""
    if behind := item.columns_behind:
        policy = tightened(Policy(FULL), item.known_as, files, item.shared)
        strictest = min(policy.ruled(column) for column in behind)
        if strictest < FULL:
            yield f"`{item.name}` goes at {strictest}: the strictest level of what it is made of."
    for frame in {rule.name: None for rules in files for rule in rules.frames}:
        known = any(fits_pattern(name, frame) for name in item.known_as)
        if not known and (shared := item.shared(frame)):
            yield (
                f"The rule for {frame} also applies to {', '.join(shared)} of `{item.name}`, which "
                "may be made from it."
            )


def kept_from_texts(session: Session, name: str, value: Any, names: Mapping[str, Any]) -> bool:
    """Whether a rule of the settings or a file limits what of a value may go into a text."""
    files = session.policy_files().data
    policy = policy_of(session, Wanted(name, value, names=names), files)
    level, asked = policy.whole, Policy().default
    below = level < SAMPLE or (level < FULL and level != asked)
    if not isinstance(value, str | int | float):
        return below or bool(policy.columns or policy.limits or any(r.forbid for r in files))
    kind = "text" if isinstance(value, str) else "number"
    strictest_named = policy.level_of_text(value) if isinstance(value, str) else level
    return min(level, strictest_named) < SAMPLE or any(kind in rules.forbid for rules in files)


def _cards(path: Iterable[Turn]) -> set[tuple[str, str, str]]:
    """Name, hash and policy of each card in the turns of `path`."""
    return {
        (str(r.get("name")), str(r.get("hash")), str(r.get("policy")))
        for turn in path
        if turn.sent
        for r in turn.attachments
        if not r.get("again")
    }


def policy_of(session: Session, item: Wanted, files: Iterable[DataRules]) -> Policy:
    """The settings' policy, what the question says, and the files' rules over both."""
    from deepseek_jupyter.context.attach import leaves_whole

    config = session.config
    budget = WHOLE if leaves_whole(item.value) else config.card_tokens
    base = parse_spec(f"x:{config.data_policy}", Policy(budget=budget))[1]
    policy = parse_spec(f"x:{item.rules}", base)[1] if item.rules else base
    policy = tightened(policy, item.known_as, files, item.shared)
    behind = [policy.ruled(column) for column in item.columns_behind]
    return policy.tightened([("*", min(behind))]) if behind and min(behind) < FULL else policy


def held_back(turn: Turn, files: Iterable[DataRules]) -> bool:
    """Whether the files now allow less than a card that `turn` has sent shows."""
    details = turn.sending.get("attachments", ())
    pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]
    pairs = zip_longest(turn.attachments, details, fillvalue={})
    for record, detail in pairs:
        name, then = str(record.get("name")), str(record.get("policy") or "full")
        policy = parse_spec(f"x:{asked_of(then)}")[1]
        now = tightened(policy, {name, *_names_in(name)}, files)
        shown = [(now.level(c["name"]), Level.parse(c["level"])) for c in detail.get("columns", ())]
        if not shown:
            limits = [Level.parse(level) for level in _WHOLE.findall(then)]
            strictest_named = now.level_of_text(turn.sent)  # of a text, by the names in it
            shown = [(min(now.whole, strictest_named), min([policy.whole, *limits]))]
        if any(may < did for may, did in shown):
            return True
    return False


@dataclass(frozen=True, slots=True, repr=False)
class DataCard:
    """``str(card)`` is the text; `attachment` has what leaves, by column and row."""

    attachment: Attachment

    @property
    def text(self) -> str:
        return self.attachment.text

    @property
    def tokens(self) -> int:
        return self.attachment.tokens

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<DataCard of {self.attachment.name}, about {self.tokens:,} tokens>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text)

    def _repr_html_(self) -> str:
        rows = [(use.name, use.level, use.leaves) for use in self.attachment.columns]
        heads, remark = ("column", "level", "leaves"), f"About {self.tokens:,} tokens."
        report = Report("", rows, heads, remark, 1)
        return Drawing(self.text)._repr_html_() + report._repr_html_()


def data_card(session: Session, value: Any, name: str, rules: str) -> DataCard:
    """The card of `value` under the settings, `rules` and the policy files."""
    from deepseek_jupyter.context.attach import attach

    files = session.policy_files().data
    wanted = Wanted(name, value, rules, names=user_namespace())
    redactor = Redactor(session.config.detectors)
    attachment = attach(name, value, policy_of(session, wanted, files), redactor)
    check_kind(attachment.name, attachment.kind, files)
    return DataCard(attachment)
