"""What a policy file keeps here leaves by no way out, whatever is made of the frame.

Each frame is asked about by every way: attached, filled in, mentioned, typed, in a system prompt,
in results and errors of tools, in cells, in the material of `fix`, as ghost text, in exports, in
the history of a conversation that began before the policy. ``SENTINELS=1000`` asks about a
thousand frames.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deepseek_jupyter.api import ask
from deepseek_jupyter.asking import ask as asking
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.context.cell_text import Cell
from deepseek_jupyter.conversation.exports import (
    ENDINGS,
    all_turns,
    audited,
    export_text,
    to_lines,
)
from deepseek_jupyter.display.surfaces import Nowhere
from deepseek_jupyter.errors import DeepSeekError
from tests.asking.test_sentinels import Secrets
from tests.asking.test_tools import calls
from tests.support.framing import pandas, polars
from tests.support.ghosts import Page
from tests.support.scripted import answer

EXAMPLES = int(os.environ.get("SENTINELS", "8"))
KINDS = ("word", "sentence", "number", "nested", "list", "category", "dictionary")

# Expressions over the frame `df`, whose column `who` is ruled; `k` is a column without a rule.
PANDAS = [
    *("df", "df.head()", "df[:3]", "(df)", "df.who", 'df["who"]', "df.iloc[0]", "df.iloc[:, :1]"),
    *("df.who.tolist()", "df.to_dict()", "df.to_dict('records')", "df.to_string()", "df.T"),
    *("df.set_index('who')", "df.set_index('who').T", "df.set_index('who').k.to_dict()"),
    *("df.pivot_table(index='who', values='k')", "df.pivot_table(columns='who', values='k')"),
    *("df.groupby('who').k.sum()", "df.groupby('who').k.sum().to_dict()", "df.who.value_counts()"),
    *("{'a': {'b': list(df.who)}}", "[(w, 1) for w in df.who]", "df.rename(columns={'who': 'x'})"),
    *("df.copy()", "df.to_numpy()", "df.who.unique()", "df.to_csv()", "df.assign(z=df.who)"),
    *("df.to_json()", "df.melt(id_vars='k')", "dict(zip(df.who, df.k))", "str(list(df.who))"),
    *("pd.concat([df, df])", "df.query('k >= 0')", "df.sort_values('k').who.iloc[0]"),
]
POLARS = [
    *("df", "df.head()", "df[:3]", "df['who']", "df.get_column('who')"),
    *("df.to_dicts()", "df.to_dict(as_series=False)", "df.rows()", "df.row(0)", "df.lazy()"),
    *("df.select(pl.struct(pl.all()))", "df.rename({'who': 'x'})", "df.clone()", "str(df)"),
    *("df.group_by('who').len()", "df.to_pandas()", "df.to_arrow()", "df.transpose()"),
]


@st.composite
def cases(draw):
    """A frame, a policy file for it, expressions over it, and what must not leave."""
    secrets = Secrets(draw(st.integers(0, 2**24 - 1)))
    library = draw(st.sampled_from(("pandas", "pandas", "polars")))
    kind, rows = draw(st.sampled_from(KINDS)), draw(st.integers(1, 6))
    level = draw(
        st.sampled_from(("none", "schema", "stats") if kind != "number" else ("none", "schema"))
    )
    table = {"who": [secrets.value(kind) for _ in range(rows)], "k": list(range(rows))}
    rule = draw(
        st.sampled_from(
            (
                f'[data.frames]\ndf = "{level}"',
                f'[data.frames]\n"d*" = "{level}"',
                f'[data.frames]\ndf = {{columns = {{who = "{level}"}}}}',
                f'[data.columns]\nwho = "{level}"',
                f'[data.columns]\n"W*" = "{level}"',
                f'[data.columns]\n" WHO " = "{level}"',
                f'[data]\nlevel = "{level if level != "stats" else "schema"}"',
            )
        )
    )
    every = PANDAS if library == "pandas" else POLARS
    return (
        library,
        table,
        rule,
        draw(st.lists(st.sampled_from(every), min_size=2, max_size=2)),
        secrets,
    )


def values_of(made):
    """What the expressions give, those that this frame allows."""
    found = {}
    for expression, names in made:
        with suppress(Exception):
            value = eval(expression, dict(names))
            repr(value)
            found[expression] = value
    return found


often = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would take minutes
    derandomize=EXAMPLES == 8,
    suppress_health_check=list(HealthCheck),
)


@often
@given(case=cases())
def test_no_byte_leaves_by_any_way(session, server, tmp_path, monkeypatch, case):
    ask_every_way(session, server, tmp_path, monkeypatch, case)


@often
@given(case=cases())
def test_no_byte_leaves_again_with_a_history_from_before(
    session, server, tmp_path, monkeypatch, case
):
    ask_every_way(session, server, tmp_path, monkeypatch, case, before=True)


def ask_every_way(session, server, tmp_path, monkeypatch, case, before=False):
    """Ask about the case by every way; `before` shows all of it first, without a policy."""
    import pandas as pd
    import polars as pl

    library, table, rule, expressions, secrets = case
    df = (pandas if library == "pandas" else polars)(table)
    names = {"df": df, "pd": pd, "pl": pl, "p": pd, "n": 3}
    values = values_of([(expression, names) for expression in expressions])
    names |= {f"made_{at}": value for at, value in enumerate(values.values())}
    for module in ("api", "asking.attachments", "asking.notebook_cells", "asking.toolset"):
        monkeypatch.setattr(f"deepseek_jupyter.{module}.user_namespace", lambda: names)
    shown = [Cell(e, repr(v)[:3000], at) for at, (e, v) in enumerate(values.items(), 1)]
    document = type("D", (), {"cells": tuple(shown), "here": len(shown)})()
    monkeypatch.setattr("deepseek_jupyter.asking.notebook_cells.from_history", lambda _: document)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "deepseek-policy.toml"
    file.unlink(missing_ok=True)
    session.config.replay, session.config.history = "never", before
    session.withholding.__init__()
    server.forget()

    def asked(question: Question) -> None:
        server.queue(answer("Yes."))
        with suppress(DeepSeekError):
            asking.ask(session, asking.resolve(question, names, template=True), Nowhere())

    server.queue(answer("Yes."))
    ask("Begin.", new=True)
    if before:  # without a policy everything may leave; in what follows nothing of it may
        asked(Question("See {{ df }}", attach=["df:full"]))
    seen = len(server.requests)
    file.write_text(rule + "\n")
    for expression in values:
        asked(Question(f"see {{{{ {expression} }}}}", attach=[f"{expression}:full"]))
    for name in [name for name in names if name.startswith("made_")]:
        asked(Question(f"@{name} is {{{{ {name} }}}}", attach=[(names[name], "full")]))
    kept = table["who"]
    asked(Question(f"typed {kept!r} {kept[0]!r}", system=f"You know {kept[-1]!r}"))
    asked(Question("cells", cells="all"))
    asked(Question("Fix it.", material=f"KeyError: {kept[0]!r}\n\n{kept!r}"))

    def tool(fail: bool) -> str:
        """Rows."""
        if fail:
            raise KeyError(kept)
        return json.dumps(kept, default=str) + repr(values)

    for fail in (False, True):
        server.queue(calls(("tool", {"fail": fail})))
        asked(Question("call it", tools=(tool,), approve="always"))
    page = Page(session)
    server.queue(answer("x"))
    page.complete("1", f"data = {kept!r}\nx = ")
    page.done("1")
    sent = b"".join(r.raw for r in server.requests[seen:]).decode()
    if not before:  # what was said before there was a policy is told as it was
        conversation = session.memory.conversation
        sent += "".join(export_text(conversation, ending) for ending in ENDINGS)
        sent += to_lines(map(audited, all_turns(conversation)))
    assert len(server.requests) > seen + 5
    for token in secrets.tokens:
        at = sent.find(token)
        assert at < 0, sent[max(0, at - 300) : at + 100]
