"""Our English texts in the user's language, where they are shown to a person.

Errors, notices and reports are made, kept and sent in English; what shows them passes them through
`said`. The catalogue has English templates and their translations: ``{0}`` stands for any text,
``{0#}`` for a number; it stays as it is, or is translated too where the translation has ``{0*}``.
The TypeScript twin is ``labextension/src/said.ts``, and the catalogue
``labextension/locale/zh_CN/kernel.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_FIELD = re.compile(r"\{(\w+)([*#]?)\}")
_NUMBER = re.compile(r"[~≈\d.,]+")
_SENTENCE = re.compile(r"(?<=[.!?]) (?=[A-Z\d%`\-])")
_ESCAPES = re.compile("((?:\x1b\\[[0-9;]*m)*)(.*?)((?:\x1b\\[[0-9;]*m)*)")
_KEPT = 2_000  # translations that can be taken back

_language = {"chosen": "", "page": ""}
_shown: dict[str, str] = {}


def choose(language: str) -> None:
    """What ``%config DeepSeek.language`` says; "" leaves it to the page."""
    _language["chosen"] = language


def tell(language: str) -> None:
    """The language of a page that has connected."""
    _language["page"] = language


def said(text: str) -> str:
    """`text` in the user's language, as far as the catalogue has it; never raises."""
    language = _language["chosen"] or _language["page"]
    if not text or not language.lower().startswith("zh"):
        return text
    try:
        found = _translator("zh_CN").said(text)
    except Exception:  # a broken catalogue must not hide what it would have said
        return text
    return keep(found, text)


def keep(shown: str, text: str) -> str:
    """`shown`, which `english` takes back to `text` from now on."""
    if shown != text:
        _shown[shown] = text
        if len(_shown) > _KEPT:
            del _shown[next(iter(_shown))]
    return shown


def english(output: str) -> str:
    """What a cell has shown, as a model reads it: `said` undone, for the whole and each line."""
    if not _shown or output in _shown:
        return _shown.get(output, output)
    lines = (_ESCAPES.fullmatch(line).groups() for line in output.split("\n"))  # type: ignore[union-attr]
    return "\n".join(f"{before}{_shown.get(line, line)}{after}" for before, line, after in lines)


class Translator:
    """Translates by a catalogue; pure."""

    def __init__(self, entries: dict[str, str]) -> None:
        self._entries = entries
        split = [(_FIELD.split(key), text) for key, text in entries.items()]
        rows = [(p[::3], p[1::3], p[2::3], text) for p, text in split if len(p) > 1]
        self._templates = sorted(rows, key=lambda row: -sum(map(len, row[0])))

    def said(self, text: str) -> str:
        """Each sentence of `text`, else it as a whole, else what is known of its parts."""
        sentences = _SENTENCE.split(text)
        parts = [self._whole(sentence) for sentence in sentences]
        if None not in parts:
            return _joined(filter(None, parts))
        found = self._whole(text)
        if found is not None:
            return found
        for mark in ("\n", " · "):
            if mark in text:
                return mark.join(map(self.said, text.split(mark)))
        if len(parts) == 1:
            return self._list(text)
        return _joined(part or said for part, said in zip(parts, sentences, strict=True))

    def _list(self, text: str) -> str:
        """`text`, where it is a list of what the catalogue has and nothing else."""
        for mark, chinese in (("; ", "；"), (", ", "，")):
            parts = [self._whole(part) for part in text.split(mark)]
            if len(parts) > 1 and None not in parts:
                return chinese.join(filter(None, parts))
        return text

    def _whole(self, text: str) -> str | None:
        bare = text.strip(" ")
        if bare in self._entries:
            return text.replace(bare, self._entries[bare])
        for literals, names, kinds, template in self._templates:
            values = _values(literals, bare)
            if values is not None and _fit(kinds, values):
                filled = self._filled(template, dict(zip(names, values, strict=True)))
                return text.replace(bare, filled)
        return None

    def _filled(self, template: str, values: dict[str, str]) -> str:
        return _FIELD.sub(
            lambda m: self.said(values[m[1]]) if m[2] else values[m[1]],
            template,
        )


def _joined(sentences: Iterable[str]) -> str:
    return re.sub("(?<=[。！？]) ", "", " ".join(sentences))


def _fit(kinds: list[str], values: list[str]) -> bool:
    """Whether what stands for a ``{0#}`` is a number."""
    return all(
        kind != "#" or _NUMBER.fullmatch(value) for kind, value in zip(kinds, values, strict=True)
    )


def _values(literals: list[str], text: str) -> list[str] | None:
    """What stands between `literals` in `text`, where it is made of them."""
    at, end = len(literals[0]), len(text) - len(literals[-1])
    if not text.startswith(literals[0]) or not text.endswith(literals[-1]):
        return None
    values = []
    for literal in literals[1:-1]:
        found = text.find(literal, at + 1, end)
        if found < 0:
            return None
        values.append(text[at:found])
        at = found + len(literal)
    return [*values, text[at:end]] if at < end else None


@cache
def _translator(language: str) -> Translator:
    path = Path(__file__).parent / "locale" / language / "kernel.json"
    return Translator(json.loads(path.read_text("utf-8")))
