"""Users without a home, disks that are full or read-only: it asks, says once why nothing is kept,
and the doctor says it first.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.asking import KEY
from tests.support.scripted import Server, answer, plain

from .venvs import run, venv

CODE = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in ("%load_ext deepseek_jupyter", "%%ds\\nOne?", "%%ds\\nTwo?", "%deepseek doctor"):
    assert shell.run_cell(cell).success, cell
"""
NOBODY = ("unshare", "--user", "--map-user=12345", "--map-group=12345")  # who is in no table
MOUNT = 'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"'
FULL = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh")
# What changes the machine, its environment, the doctor's first line, and its reason.
MACHINES = {
    "no home": (NOBODY, {}, "FIX   state", "set DEEPSEEK_JUPYTER_HOME"),
    "read-only": (NOBODY, {"HOME": "{folder}"}, "FIX   state", "set DEEPSEEK_JUPYTER_HOME"),
    "missing": (NOBODY, {"HOME": "/dev/null/x"}, "FIX   state", "set DEEPSEEK_JUPYTER_HOME"),
    "forbidden": (NOBODY, {"HOME": "{folder}/closed/x"}, "FIX   state", "set DEEPSEEK"),
    "full disk": (
        (*FULL, "{folder}"),
        {"DEEPSEEK_JUPYTER_HOME": "{folder}"},
        "FIX   journal",
        "disk is full",
    ),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_it_asks_in_memory_and_the_doctor_names_the_reason(machine, tmp_path: Path):
    wrapped, settings, first, reason = MACHINES[machine]
    folder = tmp_path / "folder"
    (folder / "closed").mkdir(mode=0o000, parents=True)
    folder.chmod(0o555)
    prefix = [part.format(folder=folder) for part in wrapped]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("needs user namespaces")
    python = venv("plain", "pip")
    with Server(validate=False) as server:
        server.queue(answer("First."), answer("Second."), plain({"data": []}))
        own = {"DEEPSEEK_BASE_URL": server.base_url("deepseek"), "DEEPSEEK_API_KEY": KEY}
        own |= {"IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONDONTWRITEBYTECODE": "1"}
        own |= {name: value.format(folder=folder) for name, value in settings.items()}
        bare = ["env", "-i", *(f"{name}={value}" for name, value in own.items())]
        said = run(*prefix, *bare, python, "-W", "ignore", "-c", CODE, cwd="/")
        assert [ask.json["messages"][-1]["content"] for ask in server.requests[:2]] == [
            "One?",
            "Two?",
        ]
    answers, _, doctor = said.partition("deepseek_jupyter doctor")
    assert answers.index("First.") < answers.index("is not being written") < answers.index("Second")
    assert answers.count("is not being written") == 1
    assert "Traceback" not in said
    rows = [line for line in doctor.splitlines() if line.strip()]
    assert rows[1].strip().startswith(first), doctor
    assert reason in rows[1]
