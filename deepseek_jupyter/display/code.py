"""The code in an answer."""

from __future__ import annotations

from dataclasses import dataclass

_PYTHON = frozenset({"", "python", "py", "python3", "ipython", "ipython3"})


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One fenced block: the language as written after the fence, the text, and the whole of what
    stands after the fence.
    """

    language: str
    text: str
    info: str = ""

    @property
    def is_python(self) -> bool:
        """Whether it may go into a Python cell; a block without a language counts."""
        return self.language.lower() in _PYTHON


def code_blocks(markdown: str) -> list[CodeBlock]:
    """The fenced blocks of `markdown`, in order, also those in lists and quotes."""
    from markdown_it import MarkdownIt

    return [
        CodeBlock(
            token.info.split(None, 1)[0] if token.info.strip() else "",
            token.content,
            token.info.strip(),
        )
        for token in MarkdownIt("commonmark").parse(markdown)
        if token.type == "fence"
    ]
