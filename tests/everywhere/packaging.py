"""What the wheel and the sdist hold, and that pip is content with it."""

from __future__ import annotations

import re
import tarfile
import zipfile
from pathlib import Path

from .venvs import FOLDER, ROOT, run, uv, venv, wheel

PACKAGE = "deepseek_jupyter"
EXTENSION = "data/share/jupyter/labextensions/deepseek-jupyter"


def contents(built: Path) -> dict[str, int]:
    """The checksum of each file of a wheel but its metadata."""
    with zipfile.ZipFile(built) as archive:
        found = {info.filename: info.CRC for info in archive.infolist()}
    own = {name: crc for name, crc in found.items() if ".dist-info/" not in name}
    return {re.sub(r"^[^/]+\.data/", "", name): crc for name, crc in own.items()}


def below(folder: str) -> set[str]:
    """The files that a build has written there."""
    paths = (ROOT / folder).rglob("*")
    return {str(path.relative_to(ROOT / folder)) for path in paths if path.is_file()}


def test_the_wheel_has_each_file_once_and_no_other():
    listed = run("git", "ls-files", PACKAGE, "labextension/locale", cwd=ROOT).splitlines()
    written = below(f"{PACKAGE}/labextension")
    assert "static/style.js" in written
    expected = {name.replace("labextension/locale/", f"{PACKAGE}/locale/") for name in listed}
    expected |= {f"{PACKAGE}/page/static/{name}" for name in below(f"{PACKAGE}/page/static")}
    expected |= {f"{EXTENSION}/{name}" for name in written}
    assert set(contents(wheel())) == expected


def test_an_sdist_builds_this_wheel_without_node(tmp_path):
    build = [uv().parent / "python", "-m", "build", "--no-isolation"]
    run(*build, "--sdist", "-o", tmp_path, ROOT, env={"SKIP_JUPYTER_BUILDER": "1"})
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    run(*build, "--wheel", "-o", tmp_path, source, env={"PATH": str(uv().parent)})
    (built,) = tmp_path.glob("*.whl")
    assert contents(built) == contents(wheel())


def test_pip_is_content_with_what_is_installed():
    python = venv("plain", "pip")
    run(python, "-m", "pip", "check")
    dry = "import deepseek_jupyter as ds; print(ds.ask('What?', dry_run=True))"
    said = run(python, "-c", dry, cwd=FOLDER, env={"DEEPSEEK_API_KEY": "none"})
    assert "Nothing was sent" in said
