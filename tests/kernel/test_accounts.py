"""What ghost text cost outlives the kernel, and counts for the notebook's budget."""

from __future__ import annotations

from tests.support.kernels import Kernel
from tests.support.page import Page
from tests.support.scripted import answer
from tests.support.wording_fim import fim


def ghost(page: Page, id: str) -> dict:
    """Ask for a ghost text; what the kernel tells when it is paid."""
    before = sum(m["type"] == "notebook_status" for m in page.heard)
    page.send("complete", id=id, prefix="def add(a, b):\n    ", suffix="")
    done = page.until(lambda m: m["type"] == "ghost" and m["id"] == id and m.get("done"))
    assert "error" not in done, done
    page.until(lambda m: sum(n["type"] == "notebook_status" for n in page.heard) > before)
    return [m for m in page.heard if m["type"] == "notebook_status"][-1]


def test_ghost_text_is_counted_after_a_restart(base_environment, server, tmp_path):
    path = tmp_path / "study.ipynb"
    environment = {**base_environment, "JPY_SESSION_NAME": str(path)}
    environment["DEEPSEEK_JUPYTER_HOME"] = str(tmp_path / "state")
    server.queue(fim("return a + b"), fim("return a - b"))
    with Kernel(environment, tmp_path / "one") as kernel:
        kernel.run("%load_ext deepseek_jupyter")
        first = ghost(Page(kernel), "g1")
        assert (first["ghosts"], first["turns"], first["notebook"]) == (1, 0, None)
        kernel.shut_down()
    with Kernel(environment, tmp_path / "two") as kernel:
        kernel.run("%load_ext deepseek_jupyter\nimport deepseek_jupyter as ds")
        page = Page(kernel)
        assert page.ask("notebook_status")["ghosts"] == 0, "looking opens no journal"
        for by, name in (("day", "(ghost text)"), ("notebook", "study.ipynb (ghost text)")):
            (told,) = kernel.run(f"%deepseek usage {by}").bundles
            assert name in told["text/plain"]
            assert "~$" in told["text/plain"]
        second = ghost(page, "g2")
        assert second["ghosts"] == 2
        assert second["ghost_spent"] != first["ghost_spent"]
        asked = len(server.requests)
        kernel.run("session = ds.get_session()\nfrom deepseek_jupyter.session import accounts")
        cost = kernel.value("float(accounts.notebook_cost(session, 'USD'))")
        assert cost > 0
        kernel.run(f"session.config.notebook_budget = {cost!r}")
        refused = kernel.run("%ds --max-tokens 1 Hello")
        assert not refused.ok
        assert "budget" in "\n".join(refused.error)
        kernel.run(f"session.config.notebook_budget = {2 * cost!r}")
        server.queue(answer("Hi."))
        allowed = kernel.run("%ds --max-tokens 1 Hello")
        assert allowed.ok, allowed.error
        assert len(server.requests) == asked + 1
