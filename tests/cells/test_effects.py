"""What a cell does to names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from deepseek_jupyter.cells.effects import EVERYTHING, Effects, effects
from deepseek_jupyter.cells.lineage import excerpt, names_on_line


def of(source: str) -> Effects:
    """The effects of a cell as IPython would run it."""
    return effects(TransformerManager().transform_cell(source))


BINDS = {
    "x = 1": "x",
    "a, (b, *c) = d": "a b c",
    "x: int = 1": "x",
    "import numpy as np, os.path": "np os",
    "from x import y as z": "z",
    "def f(a): b = a": "f",
    "class A:\n    b = 1": "A",
    "with open(p) as f:\n    x = 1": "f x",
    "(n := 10)": "n",
    "x += 1": "x",
    "%%time\nx = 1": "x",
    "%time x = 1": "x",
    "%%capture out\nx = 1": "out x",
    "files = !ls": "files",
    "%%ds -o reply\nHello": "reply",
    "[i for i in range(3)]": "",
    "%%timeit\nx = 1": "",
    "%%bash\nx=1": "",
    "f = lambda a: a": "f",
}
MAY_BIND = {
    "if a:\n    x = 1": "x",
    "for i in y:\n    x = i": "i x",
    "try:\n    import a\nexcept ImportError:\n    a = None": "a",
    "while a:\n    x = 1": "x",
    "match a:\n    case 1:\n        x = 2": "x",
    "match a:\n    case [b, *c] | {'k': b, **c}: pass\n    case T(d) as e: pass": "b c d e",
    "%run other.py": EVERYTHING,
}
CHANGES = {
    "df['a'] = 1": "df",
    "df.columns = ['a']": "df",
    "del d['k']": "d",
    "df.loc[0, 'a'] += 1": "df",
    "rows.append(1)": "rows",
    "first = rows.pop()": "rows",
    "df.drop(columns='a', inplace=True)": "df",
    "x = df.drop(columns='a', inplace=flag)": "df",
    "random.shuffle(rows)": "random rows",
    "model.fit(X, y)": "model X y",
    "np.add(a, b, out=c)": "np a b c",
    "d = np.sqrt(a, out=c)": "c",
    "text = file.read()": "file",
    "if a:\n    rows.clear()": "rows",
    "x = df.drop(columns='a')": "",
    "x = df.drop(columns='a', inplace=False)": "",
    "df.head()": "",
    "print(df)": "",
}
READS = {
    "y = x + 1": "x",
    "x = 1\ny = x": "",
    "y = x\nx = 1": "x",
    "[i * k for i in y if i]": "k y",
    "def f(a=default): return a + later": "default",
    "scale = 2\ndef f(a): return a * scale\nf(3)": "",
    "f'{x:{width}}'": "x width",
    "for i in y: pass": "y",
    "def f(a: Hint = k) -> Made: pass": "Hint k Made",
    "del x": "x",
    "class A(Base):\n    b = c\n    d = b": "Base c",
}


@pytest.mark.parametrize("source", BINDS)
def test_binds(source):
    assert of(source).binds == set(BINDS[source].split())


@pytest.mark.parametrize("source", MAY_BIND)
def test_may_bind(source):
    done = of(source)
    assert done.may_bind == set(MAY_BIND[source].split())
    assert done.binds == set()


@pytest.mark.parametrize("source", CHANGES)
def test_changes(source):
    assert of(source).changes == set(CHANGES[source].split())


@pytest.mark.parametrize("source", READS)
def test_reads(source):
    ignored = {"range"}
    assert of(source).reads - ignored == set(READS[source].split())


def test_a_functions_globals_are_read_later():
    done = of("def f(a):\n    b = a\n    def g(): return b + c\n    return g() + d")
    assert done.later == {"f": {"c", "d"}}
    assert of("f = lambda a: a + b").later == {"f": {"b"}}
    assert of("class A:\n    def m(self): return b").later == {"A": {"b"}}


def test_what_a_function_does_beyond_itself():
    done = of("def f(a):\n    global total\n    total = 1\n    seen.append(a)\n    a.pop()")
    assert done.writes == {"f": {"total", "seen"}}
    assert done.mutators == {"f"}
    assert of("f(rows, key=x)").passes == {"f": {"rows", "x"}}


def test_names_that_share_an_object():
    assert of("clean = df").aliases == {("clean", "df")}
    assert of("part = df.a['x']").aliases == {("part", "df")}
    assert of("both = [a, b]").aliases == {("both", "a"), ("both", "b")}
    assert of("for f in (a, b):\n    f.pop()").aliases == {("f", "a"), ("f", "b")}
    assert of("clean = df.copy()").aliases == set()


def test_deleting():
    assert of("del x, y").deletes == {"x", "y"}
    assert of("%reset -f").deletes == {EVERYTHING}
    assert of("%xdel big").deletes == {"big"}


def test_code_that_does_not_parse_reads_every_name_in_it():
    done = effects("total = (price * 'units'\nprint(total")
    assert done.reads == {"total", "price"}
    assert done.binds == set()


def test_code_too_deep_to_be_followed_reads_every_name_in_it():
    assert effects("x = " + "+".join(["a"] * 3000)).reads == {"x", "a"}


def test_lines_of_ipythons_own_do_not_hide_the_rest():
    done = effects("%matplotlib inline\nx = 1\n!ls\ny = !pwd\ndf.head?\nz = x")
    assert {"x", "z"} <= done.binds


@given(st.text(max_size=60))
def test_no_text_is_too_odd(text):
    done = effects(text)
    assert done.names | done.reads is not None
    excerpt(text, ["x"])
    names_on_line(text, 1)


def test_an_excerpt_holds_the_statements_that_matter():
    source = "import os\n\n@deco\ndef f():\n    return 1\n\nx = 1\ny = 2\nf.z = 3\nw = 4"
    assert excerpt(source, ["f"]) == "# …\n@deco\ndef f():\n    return 1\n# …\nf.z = 3\n# …"
    assert excerpt(source, ["nothing"]) == ""


def test_the_names_on_a_line_are_those_of_its_statement():
    source = "a = b\nfor i in c:\n    d = (e +\n         f)\n"
    assert names_on_line(source, 1) == {"a", "b"}
    assert names_on_line(source, 4) == {"d", "e", "f"}
    assert names_on_line(source, 99) == set()
