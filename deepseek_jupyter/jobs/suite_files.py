"""Suites as files: our own, JSONL of cases, and the forms of Inspect and promptfoo.

Neither tool is needed: both forms are JSON, which YAML contains.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from deepseek_jupyter.errors import ParameterError

from .attempt import Attempt
from .scorers import Scorer, scorer_of
from .variant import Variant

T = TypeVar("T")

_VERSION = 1
# What promptfoo calls a scorer, and Inspect a score and the end of an answer.
_ASSERTED = {
    "exact": "equals",
    "contains": "icontains",
    "regex": "regex",
    "json": "is-json",
    "judge": "llm-rubric",
}
_INSPECT = {1.0: "C", 0.0: "I"}
_STOPS = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter"}

Cases = Sequence[tuple[Mapping[str, Any], str]]  # with their questions
Log = dict[str, Any]


def records(cases: Any) -> list[Any]:
    """Cases from a list, or from the lines of a JSONL file."""
    if isinstance(cases, str | Path):
        try:
            lines = Path(cases).read_text("utf-8").splitlines()
            return [json.loads(line) for line in lines if line.strip()]
        except (OSError, ValueError) as error:
            raise ParameterError(f"The cases in {cases} cannot be read: {error}.") from error
    return list(cases)


def write(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a suite; values that JSON does not have become texts."""
    text = json.dumps({"version": _VERSION, **content}, ensure_ascii=False, default=str, indent=1)
    Path(path).write_text(text + "\n", "utf-8")


def read(path: str | Path, make: Callable[..., T]) -> T:
    """What `write` wrote, as `make` takes it. Raises `ParameterError` for anything else."""
    try:
        content: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
        if content.pop("version") != _VERSION:
            raise ValueError("its version is another one")
        content["variants"] = tuple(Variant(**one) for one in content["variants"])
        content["attempts"] = [Attempt(**one) for one in content["attempts"]]
        scorer, costs = content["scorer"], content["judge_costs"]
        own = scorer["name"] == "python"
        content["scorer"] = Scorer(**scorer, grade=None) if own else scorer_of(scorer)
        content["judge_costs"] = {name: Decimal(cost) for name, cost in costs.items()}
        return make(**content)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        why = f"{type(error).__name__}: {error}"
        raise ParameterError(f"{path} is not a saved suite ({why}).") from error


def inspect_log(name: str, variant: str, cases: Cases, attempts: Sequence[Attempt]) -> Log:
    """The log of one variant (`inspect_ai.log.EvalLog`, version 2); `name` is the scorer's."""
    scores = [one.score for one in attempts if one.score is not None]
    model = next((one.model for one in attempts if one.model), variant).replace(":", "/", 1)
    mean = {"name": "mean", "value": sum(scores) / max(len(scores), 1)}
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "task": "suite",
            "task_args": {"variant": variant},
            "dataset": {"samples": len(cases)},
            "model": model,
            "config": {"epochs": 1 + max((one.repeat for one in attempts), default=0)},
        },
        "results": {
            "total_samples": len(attempts),
            "completed_samples": len(scores),
            "scores": [{"name": name, "scorer": name, "metrics": {"mean": mean}}],
        },
        "samples": [_sample(one, name, model, *cases[one.case]) for one in attempts],
    }


def _sample(one: Attempt, name: str, model: str, case: Mapping[str, Any], question: str) -> Log:
    wanted = case.get("expected")
    targets = [str(w) for w in (wanted if isinstance(wanted, list) else [wanted]) if w is not None]
    value: Any = _INSPECT.get(one.score or 0.0, one.score)
    thought = [{"type": "reasoning", "reasoning": one.reasoning}] if one.reasoning else []
    answer = {"role": "assistant", "content": [*thought, {"type": "text", "text": one.answer}]}
    usage = {
        "input_tokens": one.tokens_in,
        "output_tokens": one.tokens_out,
        "total_tokens": one.tokens_in + one.tokens_out,
        "input_tokens_cache_read": one.tokens_cached,
        "reasoning_tokens": one.tokens_thinking,
    }
    failed = {"message": one.error, "traceback": "", "traceback_ansi": ""}
    return {
        "id": str(case["id"]),
        "epoch": one.repeat + 1,
        "input": question,
        "target": targets,
        "messages": [{"role": "user", "content": question}, answer],
        "output": {
            "model": model,
            "choices": [{"message": answer, "stop_reason": _STOPS.get(one.finish, "unknown")}],
            "usage": usage,
        },
        "model_usage": {model: usage},
        "total_time": one.seconds,
        "scores": {} if one.score is None else {name: {"value": value, "answer": one.answer}},
        "error": failed if one.error else None,
    }


def promptfoo_config(
    scorer: Scorer, variants: Mapping[str, Mapping[str, Any]], cases: Cases
) -> dict[str, Any]:
    """A promptfoo configuration that asks the same; `variants` are the bodies that are sent, with
    ``url`` and ``key``. Scorers that promptfoo lacks leave the comparison open.
    """
    providers, prompts, tests = [], [], []
    for name, body in variants.items():
        own = ("url", "key", "model", "messages", "stream", "stream_options")
        rest = {field: value for field, value in body.items() if field not in own}
        config = {"apiBaseUrl": body["url"], "apiKeyEnvar": body["key"], "passthrough": rest}
        asked = {"id": f"openai:chat:{body['model']}", "label": name, "prompts": [name]}
        providers.append({**asked, "config": config})
        messages = [*body["messages"][:-1], {"role": "user", "content": "{{question}}"}]
        prompts.append({"label": name, "raw": json.dumps(messages, ensure_ascii=False)})
    kind, settings = _ASSERTED.get(scorer.name), scorer.settings
    for case, question in cases:
        value = None if scorer.name == "json" else case.get("expected")
        value = next(
            (settings[n] for n in ("rubric", "pattern", "schema") if settings.get(n)), value
        )
        any_of = value if isinstance(value, list) else [value]
        said = [one if one is None or isinstance(one, dict) else str(one) for one in any_of]
        asserts: list[Any] = [
            {"type": kind, **({} if v is None else {"value": v})} for v in said if kind
        ]
        if len(asserts) > 1:  # one of them is enough
            asserts = [{"type": "assert-set", "threshold": 0.01, "assert": asserts}]
        test = {"description": str(case["id"]), "vars": {"question": question}}
        tests.append({**test, "assert": asserts})
    return {
        "description": f"A suite, scored by {scorer.name}",
        "prompts": prompts,
        "providers": providers,
        "tests": tests,
    }
