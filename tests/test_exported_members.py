"""The public names: one list, few, all there, and nothing else behind `dir`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import deepseek_jupyter as ds

PUBLIC = {
    *("ask", "aask", "stream", "last", "get_session", "enable_nested", "card", "panel", "turns"),
    *("classify", "compare", "extract", "translate", "row_function", "job", "what_if"),
    *("suite", "scorers", "ajob"),
    "next_tokens",
    *("Reply", "Stream", "Suite", "Conversation", "DeepSeekError", "Interrupted"),
    *("load_ipython_extension", "unload_ipython_extension", "__version__"),
}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(ds.__path__, "deepseek_jupyter.")
    if not module.name.endswith("__main__")
]


def test_the_public_names_are_these():
    assert set(ds.__all__) == PUBLIC
    assert len(ds.__all__) == len(PUBLIC)
    # map and filter too, but a star import must not replace Python's own
    assert dir(ds) == sorted([*PUBLIC, "map", "filter"])


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_is_there_and_says_what_it_is(name):
    value = getattr(ds, name)
    if callable(value):
        assert inspect.getdoc(value), f"{name} has no docstring"


def test_each_also_comes_with_a_star_import():
    names: dict[str, object] = {}
    exec("from deepseek_jupyter import *", names)
    assert set(names) >= PUBLIC


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"deepseek_jupyter.*'answer'"):
        _ = ds.answer  # type: ignore[attr-defined]


def test_there_is_no_last_reply_at_first():
    code = "import deepseek_jupyter as ds; assert ds.last is None"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_a_module_lists_exists():
    modules = map(importlib.import_module, MODULES)
    listed = [(module, name) for module in modules for name in getattr(module, "__all__", ())]
    assert listed
    assert [f"{m.__name__}.{name}" for m, name in listed if not hasattr(m, name)] == []


def test_every_module_says_what_it_is_for():
    modules = [m for m in map(importlib.import_module, MODULES) if inspect.getsource(m).strip()]
    assert [m.__name__ for m in modules if not m.__doc__] == ["deepseek_jupyter._version"]


def test_importing_loads_none_of_the_parts():
    code = (
        "import sys, deepseek_jupyter; print(*[m for m in sys.modules if m.startswith('deepseek')])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert set(ran.stdout.split()) == {"deepseek_jupyter", "deepseek_jupyter._version"}
