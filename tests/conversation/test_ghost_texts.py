"""What ghost text cost, in the journal: summed, carried over, let go of."""

from __future__ import annotations

from decimal import Decimal

from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.protocol.usage import Usage


def spent(amount: str, model: str = "m", currency: str = "USD") -> Total:
    cost = {currency: Decimal(amount)} if amount else {}
    return Total(model, 1, Usage(prompt_tokens=100, completion_tokens=7), cost)


def test_money_is_summed_as_decimals_and_counts_once(journal):
    for amount in ("0.1", "0.2", ""):
        journal.add_ghosts("n", spent(amount))
    (total,) = journal.ghosts(notebook="n")
    assert total.turns == 3
    assert total.usage.prompt_tokens == 300
    assert dict(total.cost) == {"USD": Decimal("0.3")}


def test_each_notebook_and_model_has_its_own(journal):
    journal.add_ghosts("n", spent("1"))
    journal.add_ghosts("n", spent("2", "other", "CNY"))
    journal.add_ghosts("elsewhere", spent("4"))
    assert [(t.key, dict(t.cost)) for t in journal.ghosts("notebook", notebook="n")] == [
        ("n", {"USD": Decimal(1), "CNY": Decimal(2)})
    ]
    by_model = {t.key: dict(t.cost) for t in journal.ghosts("model")}
    assert by_model == {"m": {"USD": Decimal(5)}, "other": {"CNY": Decimal(2)}}
    assert len(journal.ghosts("day")) == 1
    assert journal.ghosts("branch") == journal.ghosts("turn") == []


def test_it_is_there_for_the_next_kernel(tmp_path):
    path = tmp_path / "journal.sqlite3"
    for _ in range(2):
        journal = Journal.open(path)
        journal.add_ghosts("n", spent("0.5"))
        journal.close()
    (total,) = Journal.open(path).ghosts(notebook="n")
    assert dict(total.cost) == {"USD": Decimal("1.0")}


def test_what_was_paid_while_the_disk_refused_is_added_when_it_is_back(tmp_path):
    path = tmp_path / "state" / "journal.sqlite3"
    first = Journal.open(path)
    first.add_ghosts("n", spent("1"))
    first.close()
    path.rename(tmp_path / "aside")
    path.mkdir()  # no file can be opened here
    refused = Journal.open(path)
    assert refused.in_memory
    refused.add_ghosts("n", spent("2"))
    path.rmdir()
    (tmp_path / "aside").rename(path)
    refused.close()  # tries the disk once more
    (total,) = Journal.open(path).ghosts(notebook="n")
    assert dict(total.cost) == {"USD": Decimal(3)}
    assert total.turns == 2


def test_a_notebook_that_only_paid_for_ghost_text_is_known_on(journal):
    from .turns import a_turn

    journal.set_notebook("n", "/n.ipynb")
    journal.add_ghosts("n", spent("1"))
    journal.finish(a_turn("old", created="2020-01-01T00:00:00+00:00"), "main")
    assert journal.prune(keep_days=30).turns == 1
    assert journal.notebook_at("/n.ipynb") is not None
    assert journal.ghosts(notebook="n")[0].turns == 1
    journal.prune(keep_days=-1)  # all that is older than tomorrow
    assert journal.ghosts(notebook="n") == []
