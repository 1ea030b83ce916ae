"""The line under an answer: which model, how many tokens, how much, how long, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

# finish_reason in words; `stop` needs none. Unknown ones are shown as the server said them.
END_WORDS: Mapping[str, str] = {
    "stop": "",
    "length": "cut at the token limit",
    "tool_calls": "asks for tools",
    "content_filter": "cut by the provider's content filter",
    "insufficient_system_resource": "cut: the server ran out of capacity",
    "aborted": "aborted by the server",
    "interrupted": "stopped",
    "truncated": "broke off",
    "error": "failed",
}

_SYMBOLS = {"USD": "$", "CNY": "¥", "EUR": "€"}


def footer(record: Mapping[str, Any]) -> str:
    """The footer of a finished turn, from its record; "" while it runs."""
    if record["status"] in ("waiting", "thinking", "answering"):
        return ""
    parts = ["replayed"] if record.get("replayed") else []
    parts.append(record.get("served_model") or record["model"])
    if usage := record.get("usage"):
        parts += _tokens(usage)
    if cost := record.get("cost"):
        parts.append(f"~{money(Decimal(cost['amount']), cost['currency'])}")
    total = (record.get("timing") or {}).get("total")
    if total is not None:
        parts.append(seconds(total))
    reason = record.get("finish_reason")
    parts.append("no finish reason given" if reason is None else END_WORDS.get(reason, reason))
    return " · ".join(filter(None, parts))


def money(amount: Decimal, currency: str) -> str:
    """An amount with enough digits to be more than zero, two where it is large."""
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    if amount == 0:
        return f"{symbol}0"
    if amount >= 1:
        return f"{symbol}{amount:.2f}"
    digits = max(2, 1 - amount.adjusted())
    return f"{symbol}{amount:.{digits}f}"


def seconds(value: float) -> str:
    """A duration: 0.4 s, 12 s, 3 min 20 s."""
    if value < 9.95:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def _tokens(usage: Mapping[str, int]) -> list[str]:
    """New, cached, thinking, out: buckets that add up to the total."""
    thinking = usage["reasoning_tokens"]
    counts = [
        (usage["cache_miss_tokens"], "new"),
        (usage["cache_hit_tokens"], "cached"),
        (thinking, "thinking"),
        (max(0, usage["completion_tokens"] - thinking), "out"),
    ]
    shown = [f"{n:,} {word}" for n, word in counts if n or word in ("new", "out")]
    return [" + ".join(shown) + " tokens"]
