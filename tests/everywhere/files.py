"""Tools that run, compare, strip, convert and publish a notebook with answers."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.pythons import others
from tests.support.asking import KEY
from tests.support.scripted import Server as Scripted
from tests.support.scripted import answer

from .venvs import FOLDER, run, uv, venv, versions, wheel

TEXT = (
    "# Means\n\nUse `mean`, for $\\hat{p} = k/n$:\n\n```python\nsum(x) / n\n```\n\n" + "word " * 200
)
CELLS = ("n = 1", "%load_ext deepseek_jupyter", "%%ds\nWhat is {{ n }}?", "%%ds\nAnd then?")
TOOLS = ("papermill", "nbmake", "jupytext", "nbdime", "nbstripout", "ipykernel", "nbconvert")
# What the package needs to be imported in a browser.
PURE = (
    *("docstring-parser", "httpx", "httpcore", "h11", "anyio", "certifi", "idna", "ipython"),
    *("decorator", "jedi", "parso", "matplotlib-inline", "prompt-toolkit", "wcwidth", "pygments"),
    *("stack-data", "executing", "asttokens", "pure-eval", "traitlets", "ipython-pygments-lexers"),
    *("markdown-it-py", "mdurl", "narwhals", "nest-asyncio2", "platformdirs"),
    *("annotated-types", "typing-inspection", "typing-extensions"),
)
PROMPTS = [
    '%%ds\nWhy isn\'t it "so"?\n\nSee ```x```.',
    "%%ds\nExplain:\n# %% not a cell\nx = 1",
    "%%ds\nWhat does ''' do?",
]
LINES = (
    *("", "```", "````", "~~~", "+++", "---", ":::{note}", "# %%", "# +", "'''", '"""', "$$"),
    *("%%ds --think", "%matplotlib inline", "!ls", "```{code-cell} ipython3", ":tags: [x]"),
    *(
        "key: value",
        "    indented",
        "- a",
        "<!-- x -->",
        "{{ x }}",
        "\\",
        "[1]: http://x",
        "为什么？",
    ),
)


@pytest.fixture
def asked(tmp_path) -> Iterator[tuple[Path, dict[str, str], Scripted]]:
    """A notebook that asks, with what its kernels need."""
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    book.cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    book.cells[0].metadata["tags"] = ["parameters"]
    path = tmp_path / "asked.ipynb"
    nbformat.write(book, path)
    with Scripted(validate=False) as endpoint:
        env = {"DEEPSEEK_BASE_URL": endpoint.base_url("deepseek"), "DEEPSEEK_API_KEY": KEY}
        yield path, {**env, "DEEPSEEK_JUPYTER_HOME": str(tmp_path / "home")}, endpoint


def executed(asked, name: str = "done.ipynb") -> Path:
    path, env, endpoint = asked
    endpoint.queue(answer(TEXT), answer(TEXT))
    done = path.with_name(name)
    python = venv("files", *TOOLS)
    run(python, "-m", "papermill", path, done, "-p", "n", "7", env=env)
    return done


def test_papermill_puts_its_parameters_into_the_prompt(asked):
    done = json.loads(executed(asked).read_text())
    assert "What is 7?" in json.dumps(asked[2].requests[0].json)
    outputs = [cell["outputs"] for cell in done["cells"] if "%%ds" in "".join(cell["source"])]
    assert [len(found) for found in outputs] == [1, 1]


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_a_notebook_is_answered_on_other_pythons(asked, version):
    path, env, endpoint = asked
    found = next((p for v, p in others().items() if ".".join(map(str, v)) == version), None)
    if found is None:
        pytest.skip(f"no CPython {version} is here")
    endpoint.queue(answer(TEXT), answer(TEXT))
    python = venv(f"python{version}", "papermill", "ipykernel", python=str(found))
    done = path.with_name("done.ipynb")
    run(python, "-W", "error::DeprecationWarning:deepseek_jupyter", "-c", "import deepseek_jupyter")
    run(python, "-m", "papermill", path, done, "-p", "n", "7", env=env)
    assert done.read_text().count('"text/markdown"') == 2


def test_nbmake_passes(asked):
    path, env, endpoint = asked
    endpoint.queue(answer(TEXT), answer(TEXT))
    python = venv("files", *TOOLS)
    print(run(python, "-m", "pytest", "--nbmake", path, env=env, cwd=path.parent))


def test_an_equal_answer_differs_in_one_line_of_the_file(asked):
    """As text, and for nbdime, which shows that line as the one change of the output."""
    one, two = executed(asked), executed(asked, "again.ipynb")
    cells = [json.loads(path.read_text())["cells"] for path in (one, two)]
    for first, second in zip(*cells, strict=True):
        lines = [json.dumps(cell["outputs"], indent=1).splitlines() for cell in (first, second)]
        differing = [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]]
        assert len(differing) <= 1
    python = venv("files", *TOOLS)
    shown = run(python.parent / "nbdiff", "--no-color", one, two)
    changes = [
        line for line in shown.splitlines() if line.startswith("## ") and "/outputs/" in line
    ]
    own = [f"## modified /cells/{n}/outputs/0/metadata/deepseek:" for n in (3, 4)]
    assert changes == own, shown


def test_nbstripout_leaves_nothing_of_ours(asked):
    done = executed(asked)
    python = venv("files", *TOOLS)
    run(python.parent / "nbstripout", done)
    assert "vnd.deepseek" not in done.read_text()


def jumbled(seed: int) -> str:
    """A prompt of lines that mean something to one notation or another."""
    dice = random.Random(seed)
    return "\n".join(["%%ds", *dice.choices(LINES, k=dice.randint(0, 8)), "The end."])


@pytest.mark.parametrize(
    ("form", "prompts"),
    [("md:myst", [*PROMPTS, *map(jumbled, range(300))]), ("py:percent", PROMPTS[:1])],
    ids=["md:myst", "py:percent"],
)
def test_jupytext_gives_each_prompt_back(tmp_path, form, prompts):
    """As docs/where.md says: MyST Markdown for any prompt; scripts for those without marks."""
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(source) for source in (*prompts, "x = 2")]
    path = tmp_path / "book.ipynb"
    nbformat.write(book, path)
    jupytext = venv("files", *TOOLS).parent / "jupytext"
    suffix = form.partition(":")[0]
    run(jupytext, "--to", form, path, "-o", tmp_path / f"text.{suffix}")
    run(jupytext, "--to", "ipynb", tmp_path / f"text.{suffix}", "-o", tmp_path / "back.ipynb")
    back = nbformat.read(tmp_path / "back.ipynb", as_version=4)
    assert [cell.source for cell in back.cells] == [*prompts, "x = 2"]


SETTINGS = {  # the lines of docs/where.md
    "suppress_warnings": ["mystnb.unknown_mime_type"],
    "nb_render_markdown_format": "myst",
    "myst_enable_extensions": ["dollarmath"],
}


def published(asked, name: str) -> Path:
    """A folder with the answered notebook, under a title."""
    book = nbformat.read(executed(asked), as_version=4)
    book.cells.insert(0, nbformat.v4.new_markdown_cell("# Title"))
    site = asked[0].with_name("site")
    site.mkdir()
    nbformat.write(book, site / name)
    return site


def look(page: Path) -> None:
    """Two answers, their formulas set."""
    shown = page.read_text()
    assert "sum" in shown
    assert shown.count('<span class="math notranslate nohighlight">\\(\\hat{p} = k/n\\)') == 2


def test_myst_nb_builds_with_warnings_as_errors(asked):
    site = published(asked, "index.ipynb")
    settings = {"extensions": ["myst_nb"], "nb_execution_mode": "off", **SETTINGS}
    (site / "conf.py").write_text("".join(f"{n} = {v!r}\n" for n, v in settings.items()))
    python = venv("site", "myst-nb", "sphinx", "ipykernel")
    run(python, "-m", "sphinx", "-W", "--keep-going", "-q", site, site / "built")
    look(site / "built" / "index.html")
    print(versions(python, "myst-nb", "sphinx"))


def test_jupyter_book_builds_with_warnings_as_errors(asked):
    site = published(asked, "asked.ipynb")
    config = {"execute": {"execute_notebooks": "off"}, "sphinx": {"config": SETTINGS}}
    (site / "_config.yml").write_text(json.dumps(config))
    (site / "_toc.yml").write_text(json.dumps({"format": "jb-book", "root": "asked"}))
    python = venv("book", "jupyter-book<2", "ipykernel")
    run(python.parent / "jupyter-book", "build", "-W", "--keep-going", site)
    look(site / "_build" / "html" / "asked.html")
    print(versions(python, "jupyter-book", "myst-nb"))


def test_marimo_shows_a_reply_and_the_panel(tmp_path):
    code = (
        "import marimo\napp = marimo.App()\n\n\n"
        "@app.cell\ndef _():\n    import marimo as mo, deepseek_jupyter as ds\n"
        "    return ds, mo\n\n\n"
        "@app.cell\ndef _(ds):\n    reply = ds.ask('Hi', history=False)\n    reply\n"
        "    return (reply,)\n\n\n"
        "@app.cell\ndef _(ds, mo):\n    mo.ui.anywidget(ds.panel())\n    return\n\n\n"
        'if __name__ == "__main__":\n    app.run()\n'
    )
    (tmp_path / "app.py").write_text(code)
    python = venv("marimo", "marimo", extras="panel")
    with Scripted(validate=False) as endpoint:
        endpoint.queue(answer("Hello from **here**."))
        env = {"DEEPSEEK_BASE_URL": endpoint.base_url("deepseek"), "DEEPSEEK_API_KEY": KEY}
        env["DEEPSEEK_JUPYTER_HOME"] = str(tmp_path / "home")
        page = tmp_path / "page.html"
        run(python, "-m", "marimo", "export", "html", tmp_path / "app.py", "-o", page, env=env)
    shown = page.read_text()
    assert "Hello from" in shown
    assert "anywidget" in shown


def test_python_in_a_browser_prepares_questions_and_says_why_it_cannot_ask(tmp_path):
    """Pyodide in Node, without a network; jsonschema is left out, which needs a compiled part."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("Node with npm is needed")
    folder = FOLDER / "pyodide"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules" / "pyodide").exists():
        (folder / "package.json").write_text("{}")
        run(npm, "install", "--no-audit", "--no-fund", "pyodide", cwd=folder)
    site = folder / "site"
    if not (site / "pydantic").exists():
        plain = [uv().parent / "python", "-m", "pip", "install", "--no-deps", "--target", site]
        wasm = ["--platform", "pyemscripten_2026_0_wasm32", "--python-version", "3.14"]
        wasm += ["--implementation", "cp", "--abi", "cp314", "--abi", "none"]
        run(*plain, *wasm, "--only-binary=:all:", *PURE, "pydantic")
        core = sorted(site.glob("pydantic-*.dist-info/METADATA"))[0].read_text()
        (pinned,) = [line for line in core.splitlines() if "pydantic-core==" in line]
        run(*plain, *wasm, "--only-binary=:all:", pinned.partition(": ")[2])
    run(uv(), "pip", "install", "--no-deps", "--reinstall", "--target", site, wheel())
    (folder / "smoke.mjs").write_text(
        "import { loadPyodide } from 'pyodide';\n"
        "const python = await loadPyodide({ stdout: console.log, stderr: console.log });\n"
        "python.FS.mkdir('/site');\n"
        "const [, , root, code] = process.argv;\n"
        "python.FS.mount(python.FS.filesystems.NODEFS, { root }, '/site');\n"
        "await python.runPythonAsync(code);\n"
    )
    code = (
        "import os, sys; sys.path.insert(0, '/site'); os.environ['DEEPSEEK_API_KEY'] = 'none'\n"
        "import deepseek_jupyter as ds\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.instance().run_line_magic('load_ext', 'deepseek_jupyter')\n"
        "print(ds.ask('What?', dry_run=True))\n"
        "try:\n    ds.ask('What?')\nexcept ds.DeepSeekError as error:\n    print('SAID', error)\n"
    )
    said = run("node", "smoke.mjs", site, code, cwd=folder)
    assert "Nothing was sent" in said
    assert "SAID Nothing can be asked here" in said
