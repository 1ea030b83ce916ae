"""The ``deepseek-jupyter`` command as its own process. Never touched: the user's own profile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .support.asking import KEY
from .support.scripted import error, plain

pytestmark = pytest.mark.slow  # a process or more for each of them


@pytest.fixture
def surroundings(child_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {**child_environment, "IPYTHONDIR": str(tmp_path / "ipython")}


@pytest.fixture
def command(surroundings: dict[str, str]):
    """Run the command; the finished process. The key is in nothing it says."""

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        ran = subprocess.run(
            [sys.executable, "-m", "deepseek_jupyter", *words],
            env={**surroundings, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert KEY not in ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        return ran

    return run


def ipython(surroundings: dict[str, str], code: str, *flags: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", *flags, "-c", code],
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.stdout + ran.stderr


LOADED = "print('deepseek' in get_ipython().magics_manager.magics['cell'])"


def test_enabled_every_ipython_has_the_magics_until_disabled(command, surroundings):
    assert ipython(surroundings, LOADED).strip() == "False"
    assert command("enable").stdout.startswith("Enabled: ")
    assert command("enable").returncode == 0
    assert ipython(surroundings, LOADED).strip() == "True"
    assert "is gone" in command("disable").stdout
    assert ipython(surroundings, LOADED).strip() == "False"
    assert command("disable").stdout == "It was not enabled.\n"


def test_another_profile_is_another_matter(command, surroundings):
    command("enable", "--profile", "lab")
    assert ipython(surroundings, LOADED).strip() == "False"
    (file,) = Path(surroundings["IPYTHONDIR"]).glob("profile_lab/startup/*deepseek*")
    assert "load_ext" in file.read_text("utf-8")


def test_an_environment_without_the_package_starts_without_a_word(command, surroundings, tmp_path):
    command("enable")
    (startup,) = Path(surroundings["IPYTHONDIR"]).glob("*/startup/*deepseek*")
    code = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(name, *rest):\n"
        "        if name == 'deepseek_jupyter': raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Hidden)\n"
        f"exec(open({str(startup)!r}).read())\n"
        "print('started')"
    )
    other = {**surroundings, "IPYTHONDIR": str(tmp_path / "other")}
    assert ipython(other, code).strip() == "started"


@pytest.mark.kernel
def test_enabled_a_kernel_has_the_magics_too(command, surroundings, tmp_path):
    from .support.kernels import Kernel

    environment = {**surroundings, "IPYTHONDIR": str(tmp_path / "kernel" / "ipython")}
    (tmp_path / "kernel").mkdir()
    command("enable", IPYTHONDIR=environment["IPYTHONDIR"])
    with Kernel(environment, tmp_path / "kernel") as kernel:
        assert kernel.value(LOADED.removeprefix("print(").removesuffix(")")) is True


def test_local_status_without_a_model(command):
    ran = command("local", "status")
    assert ran.returncode == 0
    assert "not installed" in ran.stdout
    assert command("local", "remove").stdout == "Nothing was installed.\n"


def test_local_errors_end_with_status_1(command):
    ran = command("local", "install", "/no/such/model.gguf")
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith("LocalModelError: ")
    assert "neither a model nor a file" in ran.stderr


def test_doctor(command, server):
    where = {"DEEPSEEK_BASE_URL": server.base_url(), "DEEPSEEK_API_KEY": KEY}
    server.queue(plain({"data": [{"id": "deepseek-flash"}]}), error(401, f"Wrong key {KEY}"))
    well = command("doctor", **where)
    assert well.returncode == 0
    assert "Nothing to fix." in well.stdout
    assert "journal.sqlite3, 0." in well.stdout
    ill = command("doctor", **where)
    assert ill.returncode == 1
    assert "AuthenticationError" in ill.stdout
    assert "1 to fix." in ill.stdout


def test_doctor_without_a_key(command):
    assert "MissingKeyError" in command("doctor").stdout


@pytest.mark.parametrize("words", [(), ("explode",), ("local",), ("local", "explode")])
def test_a_wrong_command_shows_the_usage(command, words):
    ran = command(*words)
    assert ran.returncode == 2
    assert ran.stderr.startswith("usage: deepseek-jupyter")


def test_version_and_help(command):
    import deepseek_jupyter

    assert command("--version").stdout.strip() == deepseek_jupyter.__version__
    told = command("--help").stdout
    assert all(word in told for word in ("enable", "disable", "local", "doctor"))


def test_the_installed_script_is_the_same_command(surroundings):
    script = Path(sys.executable).with_name("deepseek-jupyter")
    if not script.exists():
        pytest.skip("not installed as a script here")
    ran = subprocess.run(
        [script, "--version"], env=surroundings, capture_output=True, timeout=60, check=False
    )
    assert ran.returncode == 0


NOTEBOOK = """
import json, os
from pathlib import Path
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.journal import Journal
from deepseek_jupyter.conversation.turn import Turn, new_id, now

path = Path({path!r})
path.write_text(json.dumps({{"cells": [], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}}))
journal = Journal.open()
journal.set_notebook("n1", str(path))
talk = Conversation(journal, "n1")
for prompt, answer, created in (("Who?", "Ada.", "2020-01-01T00:00:00Z"), ("When?", "Now.", now())):
    talk.add(Turn(
        new_id(), talk.id, prompt, parent=talk.tip, answer=answer, created=created, status="done"
    ))
"""


@pytest.fixture
def notebook(surroundings, tmp_path: Path) -> Path:
    path = tmp_path / "study.ipynb"
    code = NOTEBOOK.format(path=str(path))
    subprocess.run([sys.executable, "-c", code], env=surroundings, check=True, timeout=60)
    return path


def test_export_writes_a_notebooks_conversation(command, notebook, tmp_path):
    assert command("export", str(notebook)).returncode == 0
    assert "Ada." in (tmp_path / "study-conversation.md").read_text("utf-8")
    page = tmp_path / "talk.html"
    assert command("export", str(notebook), str(page)).returncode == 0
    assert "Ada." in page.read_text("utf-8")
    again = command("export", str(notebook), str(page))
    assert again.returncode == 1
    assert "nothing is overwritten" in again.stderr


@pytest.mark.parametrize("content", ["", "{}", None])
def test_export_says_what_has_no_conversation(command, tmp_path, content):
    path = tmp_path / "other.ipynb"
    if content is not None:
        path.write_text(content)
    ran = command("export", str(path))
    assert ran.returncode == 1
    assert str(path) in ran.stderr


def test_prune_deletes_what_is_old_and_tells_the_size(command, notebook, tmp_path):
    assert "MB" in command("prune").stdout
    assert "1 turns deleted" in command("prune", "--keep-days", "30").stdout
    command("export", str(notebook))
    text = (tmp_path / "study-conversation.md").read_text("utf-8")
    assert "Now." in text
    assert "Ada." not in text
