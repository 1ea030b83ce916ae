"""Which notebook a file is: renamed, copied, on another machine."""

from __future__ import annotations

import pytest

from deepseek_jupyter.conversation.restore import Identity, decide, notebook_path
from deepseek_jupyter.conversation.rows import NotebookRow

HERE, THERE = "/notebooks/a.ipynb", "/notebooks/b.ipynb"
ROW = NotebookRow("id", HERE, None)


def decided(id, path, *, by_id=None, at_path=None, exist=()):
    return decide(
        id, path, by_id=by_id, at_path=at_path, exists=set(exist).__contains__, new_id=lambda: "new"
    )


@pytest.mark.parametrize(
    ("what", "found", "expected"),
    [
        ("never seen", decided(None, HERE), Identity("new", "new")),
        ("a console", decided(None, None), Identity("new", "new")),
        ("no id in the file", decided(None, HERE, at_path=ROW), Identity("id", "same")),
        ("as before", decided("id", HERE, by_id=ROW, at_path=ROW), Identity("id", "same")),
        ("no path told", decided("id", None, by_id=ROW), Identity("new", "new")),
        ("renamed", decided("id", THERE, by_id=ROW), Identity("id", "renamed")),
        (
            "copied",
            decided("id", THERE, by_id=ROW, exist=[HERE, THERE]),
            Identity("new", "copied", "id"),
        ),
        (
            "the copy again, its records still the origin's",
            decided(
                "id", THERE, by_id=ROW, at_path=NotebookRow("own", THERE, "id"), exist=[HERE, THERE]
            ),
            Identity("own", "same"),
        ),
        ("another machine", decided("id", HERE), Identity("id", "elsewhere")),
        (
            "another notebook put in its place",
            decided("id", HERE, at_path=NotebookRow("old", HERE, None)),
            Identity("id", "elsewhere"),
        ),
        (
            "the original, moved over the copy",
            decided("id", THERE, by_id=ROW, at_path=NotebookRow("x", THERE, None)),
            Identity("id", "renamed"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_is_the_notebook_that_it_says_and_where_it_lies(what, found, expected):
    assert found == expected


@pytest.mark.parametrize(
    ("environ", "namespace", "path"),
    [
        ({"JPY_SESSION_NAME": HERE}, {}, HERE),
        ({}, {"__vsc_ipynb_file__": THERE}, THERE),
        ({"JPY_SESSION_NAME": HERE}, {"__vsc_ipynb_file__": THERE}, THERE),
        ({"JPY_SESSION_NAME": "console-1-ab"}, {}, None),
        ({}, {"__vsc_ipynb_file__": 7}, None),
        ({}, {}, None),
    ],
)
def test_the_path_is_what_the_front_end_tells(environ, namespace, path):
    assert notebook_path(environ, namespace) == path
