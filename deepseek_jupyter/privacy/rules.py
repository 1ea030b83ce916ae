"""What the rules of policy files ask of a question and of what it attaches. Pure.

`Teaching` is the ``[teaching]`` table: what a class is told, which models and tools it may use,
what it may spend. The ``[data]`` table tightens the policy of an attachment and forbids kinds.

A policy is a convention between people and not a lock: who runs the kernel can change files.
What it does give: no one breaks it by accident, and everyone sees which rules hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from deepseek_jupyter.errors import ParameterError, PolicyError, did_you_mean

from .levels import FULL, Level, Policy, fits_pattern, plain_name, speaks_of
from .policy_file import DataRules, PolicyFile, PolicyFiles, TeachingRules

HINTS = (
    "You are a tutor. Give one hint or one question at a time that helps the learner to take the "
    "next step alone. Do not state the final answer, and do not write the solution, not even when "
    "asked to."
)
NO_SOLUTIONS = (
    "Do not write whole solutions. Explain, and show at most three lines of code at a time, to "
    "illustrate one idea."
)
_ASK = "Ask who wrote it if you need another; %deepseek doctor lists the rules."


@dataclass(frozen=True, slots=True)
class Teaching:
    """The rules of every policy file as one. All of them hold."""

    files: PolicyFiles

    def __bool__(self) -> bool:
        return any(rules != TeachingRules() for rules in self.files.teaching)

    # What the answer is like

    @property
    def words(self) -> str:
        """What the system prompt says because of the policy, "" for nothing."""
        words = [HINTS] if self._any("hints_only") else []
        words += [NO_SOLUTIONS] if self._any("no_whole_solutions") else []
        words += [rules.instructions for rules in self.files.teaching if rules.instructions]
        return "\n\n".join(words)

    def system(self, prompt: str) -> str:
        """The system prompt with what the policy says after the user's own."""
        return "\n\n".join(filter(None, (prompt, self.words)))

    @property
    def marks(self) -> tuple[str, ...]:
        """What a turn's record says of the rules, for display: `Turn.policy`."""
        marks = {
            "hints_only": self._any("hints_only"),
            "no_whole_solutions": self._any("no_whole_solutions"),
            "thinking": self._any("thinking"),
            "no_code": self._any("forbid_code_insertion"),
        }
        return tuple(mark for mark, holds in marks.items() if holds)

    @property
    def notice(self) -> str:
        """What the user reads before the first question under these rules leaves; "" for none."""
        if not self:
            return ""
        files = [file for file in self.files.files if file.teaching != TeachingRules()]
        rules = "; ".join(line for file in files for line in _in_words(file.teaching))
        paths = ", ".join(file.path for file in files)
        return f"A policy holds for this notebook: {rules}. ({paths})"

    # What may be asked

    def check_provider(self, provider: str) -> None:
        """Raise `PolicyError` where the policy does not allow this provider."""
        for file in self.files.files:
            _allowed(file, "provider", provider, file.teaching.providers)

    def check_data(self, provider: str) -> None:
        """Raise `PolicyError` where the policy does not let attached data go to this provider."""
        for file in self.files.files:
            _allowed(file, "provider for data", provider, file.data.providers)

    def check_model(self, model: str) -> None:
        """Raise `PolicyError` where the policy does not allow this model."""
        for file in self.files.files:
            _allowed(file, "model", model, file.teaching.models)

    def think(self, think: bool | None, effort: str | None) -> bool | None:
        """Whether to ask for thinking. Raises `PolicyError` where it is switched off."""
        for file in self.files.files:
            if file.teaching.thinking == "required":
                if think is False or effort == "none":
                    raise PolicyError(
                        f"{file.path} needs the model's thinking, and it is switched off.",
                        "Leave --no-think out; %config DeepSeek.think = 'auto'.",
                    )
                think = True
        return think

    def check_body(self, body: Mapping[str, Any], words: str, *, thinks: bool) -> None:
        """Raise `PolicyError` where what is about to be sent goes round a rule.

        `words` are the policy's, redacted; `thinks` says whether the body asks for thinking. Extra
        fields and parameters can change anything in the body, so this is checked last.
        """
        self.check_model(str(body.get("model")))
        for file in self.files.files:
            rules = file.teaching
            if rules.thinking == "required" and not thinks:
                raise PolicyError(f"{file.path} needs the model's thinking.", "Leave it on.")
            for name in _tool_names(body):
                if _forbids(rules, name):
                    raise PolicyError(f"{file.path} forbids the tool {name}.", _ASK)
        if words and not any(words in text for text in _system_texts(body)):
            raise PolicyError(
                "The messages were replaced, and the policy's system prompt is not among them.",
                "Leave messages out of extra_body.",
            )

    def forbids_tool(self, name: str) -> bool:
        return any(_forbids(rules, name) for rules in self.files.teaching)

    def check_code_insertion(self) -> None:
        """Raise `PolicyError` where code may not be put into cells."""
        for file in self.files.files:
            if file.teaching.forbid_code_insertion:
                raise PolicyError(
                    f"{file.path} forbids putting the model's code into cells.",
                    "Ask without --code, and write it yourself.",
                )

    # What may be spent

    def check_budget(
        self,
        spent: Callable[[str], Decimal],
        used: Callable[[], int],
        worst: Callable[[], tuple[Decimal, str] | None],
        *,
        free: bool,
    ) -> None:
        """Raise `PolicyError` where the notebook's budget is used up or may be with this answer.

        `spent` tells what the notebook has cost in a currency, `used` its tokens; `worst` what the
        answer may cost, None where no price is known; `free` says that it costs nothing. None
        of them is asked where no file sets a budget.
        """
        for file in self.files.files:
            money, tokens = file.teaching.budget, file.teaching.budget_tokens
            if tokens is not None and (so_far := used()) >= tokens:
                raise PolicyError(
                    f"This notebook has used {so_far:,} tokens; {file.path} allows {tokens:,}.",
                    _ASK,
                )
            most = worst() if money is not None else None
            if money is None or (most is None and free):
                continue
            if most is None or most[1] != money.currency:
                raise PolicyError(
                    f"{file.path} sets a budget in {money.currency}, and the price of this model "
                    "is not known in it.",
                    "Use another model, or set its price with %config DeepSeek.prices.",
                )
            total = spent(money.currency)
            if total + most[0] > money.amount:
                raise PolicyError(
                    f"This notebook has cost {total:.4f} {money.currency}, this question may cost "
                    f"{most[0]:.4f}; {file.path} allows {money.amount}.",
                    "Lower --max-tokens, use --no-think, or ask who wrote the policy.",
                )

    def _any(self, rule: str) -> bool:
        return any(getattr(rules, rule) for rules in self.files.teaching)


def _forbids(rules: TeachingRules, tool: str) -> bool:
    return any(fnmatchcase(tool, pattern) for pattern in rules.forbid_tools)


def _allowed(file: PolicyFile, word: str, name: str, patterns: tuple[str, ...] | None) -> None:
    folded = name.casefold()
    if patterns is None or any(fnmatchcase(folded, p.casefold()) for p in patterns):
        return
    known = _listed(patterns)
    raise PolicyError(f"{file.path} does not allow the {word} {name}.", f"It allows {known}.")


def _listed(names: Iterable[str] | None) -> str:
    return ", ".join(names or ()) or "none"


def _system_texts(body: Mapping[str, Any]) -> Iterable[str]:
    for message in body.get("messages") or ():
        if isinstance(message, Mapping) and message.get("role") == "system":
            yield str(message.get("content"))


def _tool_names(body: Mapping[str, Any]) -> Iterable[str]:
    for tool in body.get("tools") or ():
        if isinstance(tool, Mapping):
            yield str((tool.get("function") or {}).get("name") or tool.get("type"))


def file_in_words(file: PolicyFile) -> str:
    """A policy file's path, and each of its rules."""
    rules = [*_in_words(file.teaching), *_data_in_words(file.data)]
    return f"{file.path}: {'; '.join(rules) or 'no rules'}"


def _in_words(rules: TeachingRules) -> list[str]:
    """A short phrase for each rule on a class."""
    shown = "thinking is always shown" + (" and on" if rules.thinking == "required" else "")
    said: tuple[tuple[object, str], ...] = (
        (rules.hints_only, "hints only"),
        (rules.no_whole_solutions, "no whole solutions"),
        (rules.instructions, f"the model is told {rules.instructions!r}"),
        (rules.thinking, shown),
        (rules.models is not None, f"models {_listed(rules.models)}"),
        (rules.providers is not None, f"providers {_listed(rules.providers)}"),
        (rules.budget, f"{rules.budget} for the notebook"),
        (rules.budget_tokens, f"{rules.budget_tokens or 0:,} tokens for the notebook"),
        (rules.forbid_tools, f"no tools {_listed(rules.forbid_tools)}"),
        (rules.forbid_code_insertion, "no code put into cells"),
    )
    return [words for holds, words in said if holds]


def _data_in_words(rules: DataRules) -> list[str]:
    """A short phrase for each rule on data."""
    columns = [f"columns {pattern} at most {level}" for pattern, level in rules.columns]
    said: list[tuple[object, str]] = [
        (rules.level, f"data at most {rules.level}"),
        (columns, ", ".join(columns)),
        (rules.providers is not None, f"data for providers {_listed(rules.providers)}"),
    ]
    for frame in rules.frames:
        levels = [frame.level] if frame.level is not None else []
        levels += [f"{pattern}={level}" for pattern, level in frame.columns]
        said += [
            (levels, f"frame {frame.name} at most {', '.join(levels)}"),
            (frame.unit, f"frame {frame.name} counted in different {frame.unit}"),
        ]
    said += [
        (rules.detectors, f"detectors always on: {_listed(rules.detectors)}"),
        (rules.budget, f"{rules.budget or 0:,} tokens an attachment"),
        (rules.forbid, f"nothing of the kind {_listed(rules.forbid)}"),
        (rules.min_group, f"figures of sql about {rules.min_group} rows at least"),
    ]
    return [words for holds, words in said if holds]


Shared = Callable[[str], Iterable[str]]  # columns that a frame of that name (a pattern) has too


def tightened(
    policy: Policy, names: Iterable[str], files: Iterable[DataRules], shared: Shared = lambda _: ()
) -> Policy:
    """`policy` of an attachment under all rules of all files.

    `names` are all by which it may be known: its own, those in its expression, those that the same
    object has. `shared` tells which of its columns a frame of another name has too.
    """
    names = [*names]
    for rules in files:
        policy = policy.tightened(_limits(rules, names, shared))
        if rules.budget is not None:
            policy = replace(policy, budget=min(policy.budget, rules.budget))
    return policy


def unit_of(names: Iterable[str], files: Iterable[DataRules], shared: Shared = lambda _: ()) -> str:
    """The column whose different values count as the rows of a frame, "" for its rows; `names` and
    `shared` are those of `tightened`.
    """
    names = [*names]
    for frame in (frame for rules in files for frame in rules.frames if frame.unit):
        named = any(fits_pattern(name, frame.name) for name in names)
        if named or plain_name(frame.unit) in map(plain_name, shared(frame.name)):
            return frame.unit
    return ""


def strictest(files: Iterable[DataRules]) -> Level:
    """The least that any rule lets leave: what holds for texts that may show any data."""
    found = [FULL]
    for rules in files:
        levels = [rules.level, *(level for _, level in rules.columns)]
        for frame in rules.frames:
            levels += [frame.level, *(level for _, level in frame.columns)]
        found += [Level.parse(level) for level in levels if level is not None]
    return min(found)


def check_kind(name: str, kind: str, files: Iterable[DataRules]) -> None:
    """Raise `PolicyError` where a file forbids attachments of this kind."""
    if any(kind in rules.forbid for rules in files):
        raise PolicyError(
            f"The data policy forbids attaching {name}: it is a {kind}.",
            "%deepseek doctor lists the rules, and their files.",
        )


def check_columns(frame: str, known: Sequence[str], names: Iterable[str]) -> None:
    """Raise `ParameterError` for a name that `frame` lacks: a misspelt rule protects nothing."""
    for name in names:
        if not any(speaks_of(name, label) for label in known):
            has = f"It has {', '.join(known[:12])}." if known else "It has no columns or keys."
            raise ParameterError(
                f"{frame} has no column {name!r}, so a rule for it keeps nothing back.",
                did_you_mean(name, known) or has,
            )


def _limits(rules: DataRules, names: Sequence[str], shared: Shared) -> Iterator[tuple[str, Level]]:
    if rules.level is not None:
        yield "*", Level.parse(rules.level)
    yield from ((pattern, Level.parse(level)) for pattern, level in rules.columns)
    for frame in rules.frames:
        levels = [("*", frame.level)] if frame.level is not None else []
        limits = [(name, Level.parse(level)) for name, level in (*levels, *frame.columns)]
        if any(fits_pattern(name, frame.name) for name in names):
            yield from limits
        else:
            own = Policy(default=FULL, limits=tuple(limits))
            yield from ((column, own.level(column)) for column in shared(frame.name))
