"""The built extension, as JupyterLab sees it and as it is shipped."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from .jupyter import BUILT, NAME, ROOT, environment


def test_jupyterlab_lists_it_as_enabled(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "jupyterlab.labextensions", "list"],
        env=environment(tmp_path, extension=True, linked=True),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = (done.stdout + done.stderr).splitlines()
    line = next(line for line in lines if NAME in line)
    plain = re.sub(r"\x1b\[\d+m", "", line)
    assert "v0.1.0 enabled OK" in plain


def test_the_static_folder_is_small():
    files = list((BUILT / "static").rglob("*.js"))
    chinese = [file for file in files if "将按各提供商的配置提问" in file.read_text()]
    assert len(chinese) == 1, "the kernel's texts in Chinese, which only a Chinese page loads"
    assert sum(file.stat().st_size for file in files if file not in chinese) < 250_000
    assert chinese[0].stat().st_size < 130_000


def test_jupyterlabs_own_packages_are_shared_not_bundled():
    licences = json.loads((BUILT / "static" / "third-party-licenses.json").read_text())
    names = [package["name"] for package in licences["packages"]]
    assert [name for name in names if name.startswith(("@jupyterlab/", "@lumino/"))] == []


def test_the_widgets_module_stands_alone_and_is_small():
    static = ROOT / "deepseek_jupyter" / "page" / "static"
    script = (static / "panel.js").read_text()
    assert len(script.encode()) + (static / "panel.css").stat().st_size < 200_000
    assert not re.search(r"\b(?:import|from)\s*[\"']|\bimport\(|\brequire\(", script)
    carried = (static / "third-party-licenses.txt").read_text()
    assert re.findall(r"^(\S+) [\d.]+ \(", carried, re.M) == ["marked"]


def test_the_lock_file_names_no_host():
    lock = (ROOT / "labextension" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
