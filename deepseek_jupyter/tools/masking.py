"""Values as they may leave, before SQL sees them.

Before, and not only in results: ``substr`` would take an address apart and past any detector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.context.table import plain, shown
from deepseek_jupyter.privacy.detectors import column_kind

if TYPE_CHECKING:
    from deepseek_jupyter.privacy.redaction import Gate


_CHECKED = 5_000_000  # characters of different texts that are masked; some 5 s
_VEILED = 100_000  # different values of a column that get pseudonyms
_CHUNK = 50_000  # characters that are checked at once


class Masker:
    """Masks the columns of one table. Without a gate they pass as they are.

    Texts beyond `_CHECKED` characters pass unmasked; the results of queries pass the gate anyway.
    """

    def __init__(self, gate: Gate | None) -> None:
        self._gate = gate
        self._left = _CHECKED

    def __call__(self, name: str, array: Any) -> Any:
        """The column `name` as it may leave; None: not at all."""
        if self._gate is None:
            return array
        veil = column_kind(name)
        if veil is not None:
            return self._veiled(veil, array)
        if not _is_text(array.type):
            return array
        coded, texts = _coded(array)
        self._left -= sum(map(len, texts))
        changed = _changed(texts, self._gate.text) if self._left >= 0 else {}
        return _replaced(coded, changed) if changed else array

    def _veiled(self, veil: str, array: Any) -> Any:
        """Every value as its pseudonym, the one that cards show."""
        gate = self._gate
        assert gate is not None
        coded, texts = _coded(_as_texts(array))
        if len(texts) > _VEILED:
            return None
        return _replaced(coded, {text: gate.pseudonym(veil, text) for text in texts if text})


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _as_texts(array: Any) -> Any:
    import pyarrow as pa

    if _is_text(array.type):
        return array
    values = (plain(value) for value in array.to_pylist())
    return pa.array([None if value is None else shown(value) for value in values], pa.string())


def _coded(array: Any) -> tuple[Any, list[str]]:
    """`array` by its different texts, and these."""
    import pyarrow as pa

    coded = array.cast(pa.large_string()).dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    if isinstance(coded, pa.ChunkedArray):  # without any chunk
        coded = pa.array([], pa.large_string()).dictionary_encode()
    return coded, [text for text in coded.dictionary.to_pylist() if text is not None]


def _replaced(coded: Any, changed: Mapping[str, str]) -> Any:
    import pyarrow as pa

    texts = [changed.get(text, text) for text in coded.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.large_string()).take(coded.indices)])


def _changed(texts: list[str], mask: Callable[[str], str]) -> dict[str, str]:
    """The texts that `mask` alters, with what it makes of them."""
    changed: dict[str, str] = {}
    begin = 0
    while begin < len(texts):
        end, size = begin, 0
        while end < len(texts) and (size == 0 or size < _CHUNK):
            size += len(texts[end])
            end += 1
        together = "\n".join(texts[begin:end])
        if mask(together) != together:  # else each of them passes
            masked = ((text, mask(text)) for text in texts[begin:end])
            changed.update((text, new) for text, new in masked if new != text)
        begin = end
    return changed
