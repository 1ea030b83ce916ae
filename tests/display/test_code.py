"""The code in an answer, wherever it stands."""

from __future__ import annotations

import pytest

from deepseek_jupyter.display.render import CodeBlock, code_blocks


@pytest.mark.parametrize(
    ("markdown", "blocks"),
    [
        ("no code, `x = 1` inline", []),
        ("```python\nx = 1\n```", [("python", "x = 1\n")]),
        ("```\nx\n```\ntext\n~~~py title=x\ny\n~~~", [("", "x\n"), ("py", "y\n")]),
        ("- item\n\n  ```sh\n  ls\n  ```", [("sh", "ls\n")]),
        ("> ```\n> q\n> ```", [("", "q\n")]),
        ("````md\n```python\nx\n```\n````", [("md", "```python\nx\n```\n")]),
        ("```python\nnever closed", [("python", "never closed")]),
        ("~~~~md\n~~~py\nx\n~~~\n~~~~", [("md", "~~~py\nx\n~~~\n")]),
        ("~~~\n```py\nx\n```\n~~~", [("", "```py\nx\n```\n")]),
        ("```py\nx\n```\n```py\ny\n```", [("py", "x\n"), ("py", "y\n")]),
        ("```{python}\nx\n```", [("python", "x\n")]),
        ("```{r, echo=FALSE}\nx\n```", [("r", "x\n")]),
        ("```{.python .number}\nx\n```", [("python", "x\n")]),
        ("```c++\nx\n```", [("c++", "x\n")]),
        ("    indented", []),
    ],
)
def test_fenced_blocks_in_order(markdown, blocks):
    found = [(block.language, block.text) for block in code_blocks(markdown)]
    assert [(language, text.rstrip()) for language, text in found] == [
        (language, text.rstrip()) for language, text in blocks
    ]


@pytest.mark.parametrize("language", ["", "python", "Python", "py", "python3", "ipython"])
def test_python_by_any_name(language):
    assert CodeBlock(language, "").is_python


@pytest.mark.parametrize("language", ["sh", "json", "r", "text", "pycon"])
def test_other_languages_are_not(language):
    assert not CodeBlock(language, "").is_python


@pytest.mark.parametrize(
    ("markdown", "python"),
    [
        ("```\nx\n```", True),
        ("```\nHope this helps!", False),
        ("```\nHope this helps!\n\n", False),
        ("> ```\n> Hope", False),
        ("```python\nx = 1", True),
        ("```", False),
    ],
)
def test_a_stray_fence_makes_no_python_of_the_prose_behind_it(markdown, python):
    assert [block.is_python for block in code_blocks(markdown)] == [python]


def test_many_fences_that_never_end_take_linear_time():
    assert len(code_blocks("```a\n" * 50_000)) == 1
