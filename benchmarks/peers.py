"""Who is measured beside us, and the environments they are measured in.

Each has a virtual environment of its own under .make/peers, made when it is first needed, with the
interpreter that runs the benchmarks. `KERNEL_ALONE` is ipykernel with nothing else: what the others
add is counted over it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["BARE", "KERNEL_ALONE", "OURS", "PEERS", "Peer", "added", "python_of", "version_of"]

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".make" / "peers"


@dataclass(frozen=True, slots=True)
class Peer:
    """A package as its own manual says to use it in a notebook.

    `load` is the cell whose time counts as loading, `ready` what else it needs once; `{url}` in
    them is the server's. `ask` is the cell that asks and shows: `{prompt}` in it is a Python
    literal. `kept` is an expression for the text that its conversation holds of the last answer,
    "" where it has none. `streams`: whether the cell shows the answer as it comes.
    """

    name: str
    title: str
    requires: tuple[str, ...]
    load: str
    ready: str
    ask: str
    kept: str = "''"
    counted: str = ""  # the distribution whose version is told
    streams: bool = True

    def asking(self, prompt: str) -> str:
        """The cell for a question."""
        return self.ask.format(prompt=repr(prompt))


KERNEL_ALONE = Peer("kernel", "ipykernel alone", ("ipykernel",), "pass", "", "pass")

OURS = Peer(
    "ours",
    "deepseek_jupyter",
    ("ipykernel", str(ROOT)),
    "%load_ext deepseek_jupyter",
    "import deepseek_jupyter as ds",
    "get_ipython().run_cell_magic('deepseek', '', {prompt})",
    "ds.last.text",
    "deepseek-jupyter",
)

BARE = Peer(
    "bare",
    "httpx + json.loads",
    ("ipykernel", "httpx"),
    "import httpx, json",
    """
_client, _url = httpx.Client(timeout=None), "{url}/chat/completions"
def _ask(prompt):
    body = {{"model": "deepseek-flash", "stream": True, "messages": [{{"role": "user", "content": prompt}}]}}
    with _client.stream("POST", _url, json=body) as response:
        for line in response.iter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                json.loads(line[6:])
""",  # noqa: E501
    "_ask({prompt})",
    counted="httpx",
)

PEERS = (
    Peer(
        "magics2",
        "jupyter-ai-magics 2.31",
        ("ipykernel", "jupyter-ai-magics==2.31.*", "langchain-openai"),
        "%load_ext jupyter_ai_magics",
        "",
        "get_ipython().run_cell_magic('ai', 'openai-chat-custom:deepseek-flash', {prompt})",
        counted="jupyter-ai-magics",
        streams=False,
    ),
    Peer(
        "magics3",
        "jupyter-ai[magics] 3.2",
        ("ipykernel", "jupyter-ai[magics]==3.2.*"),
        "%load_ext jupyter_ai_magic_commands",
        '_line = "openai/gpt-4o --api-base {url}"',
        "get_ipython().run_cell_magic('ai', _line, {prompt})",
        counted="jupyter-ai",
        streams=False,
    ),
    Peer(
        "chatlas",
        "chatlas",
        ("ipykernel", "chatlas", "openai"),
        "import chatlas",
        "_chat = chatlas.ChatDeepSeek(\n"
        "    base_url='{url}', model='deepseek-flash', api_key='sk-bench'\n"
        ")",
        "_ = _chat.chat({prompt})",
        "_chat.get_last_turn().text",
        "chatlas",
    ),
    Peer(
        "llm",
        "llm",
        ("ipykernel", "llm"),
        "import llm; from llm.default_plugins.openai_models import Chat",
        """
_model = Chat("bench", model_name="deepseek-flash", api_base="{url}")
_model.key = "sk-bench"
_talk = _model.conversation()
""",
        "for _piece in _talk.prompt({prompt}):\n    print(_piece, end='')",
        "''.join(_talk.responses[-1]._chunks) if _talk.responses else ''",
        "llm",
    ),
)

# Keys that are none, the magics' address, and no fetch of a price list on import (litellm).
_ENVIRONMENT = {
    "OPENAI_API_KEY": "sk-bench",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


def environment_of(peer: Peer, url: str) -> dict[str, str]:
    """Variables for a kernel of its."""
    return {**_ENVIRONMENT, "OPENAI_API_BASE": url, "OPENAI_BASE_URL": url}


@cache
def python_of(peer: Peer) -> Path:
    """The interpreter of its environment, made first where it is not there.

    Raises `RuntimeError` with pip's last words.
    """
    folder = HOME / peer.name
    python = folder / "bin" / "python"
    stamp = folder / "made.json"
    wanted = json.dumps(peer.requires)
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _pip(python, *peer.requires)
        stamp.write_text(wanted, "utf-8")
    elif peer is OURS:  # the rest is there; the checkout may have changed
        _pip(python, "--force-reinstall", "--no-deps", str(ROOT))
    return python


def version_of(peer: Peer) -> str:
    """Of the distribution it is known by."""
    code = f"from importlib.metadata import version; print(version({peer.counted!r}))"
    return _run(str(python_of(peer)), "-c", code).strip()


def added(peer: Peer) -> tuple[int, float]:
    """Distributions and megabytes that it brings to an environment that has ipykernel."""
    (more, size), (base, base_size) = _contents(peer), _contents(KERNEL_ALONE)
    return more - base, (size - base_size) / 1e6


def _contents(peer: Peer) -> tuple[int, int]:
    code = "from importlib.metadata import distributions; print(len(list(distributions())))"
    python = python_of(peer)
    count = int(_run(str(python), "-c", code))
    site = next((python.parents[1] / "lib").glob("python*/site-packages"))
    files = (path for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return count, sum(path.stat().st_size for path in files)


def _pip(python: Path, *words: str) -> None:
    print(f"installing {', '.join(words)}", file=sys.stderr, flush=True)
    _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words)


def _run(*command: str) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:6])}: {done.stderr.strip()[-600:]}")
    return done.stdout
