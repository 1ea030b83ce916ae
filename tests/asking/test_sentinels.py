"""What a data policy keeps here is in no request that a server received, whatever the frame.

``SENTINELS=1000`` asks about a thousand frames; the default is what a minute's work allows.
"""

from __future__ import annotations

import os
import traceback
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepseek_jupyter.api import ask, get_session
from tests.support.framing import LIBRARIES
from tests.support.scripted import answer

EXAMPLES = int(os.environ.get("SENTINELS", "16"))
QUICK = ("pandas", "polars", "pyarrow", "polars_lazy", "duckdb")  # the others take half a second
KINDS = ("word", "sentence", "number", "nested", "list", "bytes", "category", "dictionary")
POLICIES = ("none", "schema", "stats")


class Secrets:
    """Tokens that stand for what must not leave, each used once."""

    def __init__(self, seed: int) -> None:
        self.seed, self.tokens = seed, list[str]()

    def token(self) -> str:
        self.tokens.append(f"S3N{self.seed:06x}T{len(self.tokens):03d}Q")
        return self.tokens[-1]

    def number(self) -> int:
        number = 7_000_000_000 + (self.seed * 1009 + len(self.tokens)) % 999_999_999
        self.tokens.append(str(number))
        return number

    def value(self, kind: str) -> Any:
        token = self.token() if kind != "number" else ""
        return {
            "word": lambda: token,
            "category": lambda: token,
            "sentence": lambda: f"Dear {token}, \"hello\"\nand 'bye' {'so long ' * 8}",
            "number": self.number,
            "nested": lambda: {"who": token, "more": {"and": self.token()}},
            "list": lambda: [token, self.token()],
            "bytes": lambda: token.encode(),
            "dictionary": lambda: {"k": [token]},
        }[kind]()


@st.composite
def frames(draw: st.DrawFn) -> tuple[str, dict[str, list[Any]], dict[str, str], Secrets]:
    """A library, a table, the policies of its columns, and what must not leave of it."""
    every = draw(st.integers(0, 9)) == 0
    library = draw(st.sampled_from(list(LIBRARIES) if every else QUICK))
    secrets = Secrets(draw(st.integers(0, 2**24 - 1)))
    rows = draw(st.integers(1, 8))
    table: dict[str, list[Any]] = {"open": [f"shown {at}" for at in range(rows)]}
    policies = {}
    for at in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(KINDS))
        policy = draw(st.sampled_from(POLICIES if kind != "number" else POLICIES[:2]))
        if library == "spark" and kind in ("nested", "list", "bytes", "dictionary"):
            kind = "word"  # sqlframe makes no such columns of rows
        name = f"name{secrets.token()}" if policy == "none" else f"column_{at}"
        table[name] = [secrets.value(kind) for _ in range(rows)]
        policies[name] = policy
    return library, table, policies, secrets


def built(library: str, table: dict[str, list[Any]], policies: dict[str, str], draw: int) -> Any:
    frame = LIBRARIES[library](table)
    if library != "pandas":
        return frame
    name = next(iter(policies))
    if isinstance(table[name][0], dict | list):
        return frame
    if draw % 3 == 1:
        return frame.set_index(name)
    return frame.astype({name: "category"}) if draw % 3 == 2 else frame


def failing(frame: Any, value: Any) -> str:
    """The traceback of a cell that fails with the value in hand."""
    try:
        if isinstance(value, str | bytes):
            float(value)
        raise KeyError(value, frame)
    except (ValueError, KeyError):
        return traceback.format_exc()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 40,
    suppress_health_check=list(HealthCheck),
)
@given(made=frames(), draw=st.integers(0, 5))
def test_no_byte_of_a_protected_value_leaves(session, server, made, draw):
    library, table, policies, secrets = made
    frame = built(library, table, policies, draw)
    rules = ",".join(["sample(3)", *(f"{name}={level}" for name, level in policies.items())])
    session.config.replay = "never"
    server.requests.clear()
    server.queue(*(answer("Yes.") for _ in range(3)))
    kept = [value for name in policies for value in table[name]]
    ask("What is in it?", attach=[(frame, rules)], new=True)
    ask(f"It failed:\n{failing(frame, kept[-1])}\nI had {kept[0]!r} and {kept} in it.")
    ask(f"And {kept[0]}?", system=f"You know {kept[-1]}.")
    assert len(server.requests) == 3
    sent = b"".join(request.raw for request in server.requests).decode()
    sent += get_session().redactor.redact(f"a tool said {kept!r}")
    assert "shown 0" in sent
    assert [token for token in secrets.tokens if token in sent] == []
