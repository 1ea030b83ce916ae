"""Files by their path: documents as text, and pictures as image parts. Binary files are refused;
so are tables, unless `asking.attachments` has read them as frames.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any

from deepseek_jupyter.errors import ParameterError, counted
from deepseek_jupyter.privacy.levels import SAMPLE, Policy, labels_in
from deepseek_jupyter.privacy.redaction import Redactor

from . import documents
from .attachment import Attachment, digest, made, placed
from .containers import text_within
from .images import LARGEST, SUFFIXES, picture

# The policy's rules are about columns; a table that is read as text would go round them.
_TABLES = {
    **dict.fromkeys((".csv", ".tsv"), "pd.read_csv"),
    **dict.fromkeys((".parquet", ".pq"), "pd.read_parquet"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "pd.read_excel"),
    **dict.fromkeys((".feather", ".arrow"), "pd.read_feather"),
    **dict.fromkeys((".jsonl", ".ndjson"), "pd.read_json"),
}
_SECRET = (
    *(".env", ".env.*", "*.pem", "*.key", "*.pfx", "*.p12", "*.kdbx", "id_rsa*", "id_ed25519*"),
    *("id_ecdsa*", ".netrc", ".pgpass", ".git-credentials", "credentials", "credentials.json"),
)
_WRITTEN = re.compile(r"(?:\.{1,2}|~)?/\S|[A-Za-z]:[\\/]\S|~/")


def fits(value: Any) -> bool:
    return isinstance(value, PurePath)


def path_meant(expression: str) -> Path | None:
    """The path that ``--attach`` or ``@"…"`` means by `expression`, None for Python.

    A path begins with ``./``, ``../``, ``/`` or ``~/``, or is a quoted text that names a file.
    """
    text = expression.strip()
    quoted = len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]
    if quoted:
        text = text[1:-1]
    # os.path: `pathlib` raises over an unknown user and over a text too long for a name.
    path = os.path.expanduser(text)
    meant = _WRITTEN.match(text) or (quoted and os.path.isfile(path))
    return Path(path) if meant else None


def attach(name: str, value: Any, policy: Policy, redactor: Redactor) -> Attachment:
    """The text of a file, or its picture. Raises `ParameterError` with the reason and a remedy."""
    path = Path(value)
    _refuse_by_name(path)
    if path.is_symlink():
        _refuse_by_name(Path(os.path.realpath(path)))  # a link must not rename what it leads to
    label = path.name if _WRITTEN.match(name) or Path(name) != path else path.as_posix()
    if path.suffix.lower() in SUFFIXES:
        return picture(label, _read(path, LARGEST), policy, redactor)
    raw = _read(path, documents.LARGEST)
    document = documents.read(path, raw)
    size = document.size or counted(document.text.count("\n") + 1, "line")
    head = f"file, {counted(len(raw), 'byte')} in {size}"
    body, part = text_within(document.text, policy, redactor)
    _refuse_by_labels(path, body, policy)
    file = made(label, "file", head, body, policy, redactor, hash=digest(raw), cut=part)
    link = f"{path} is a link; what is read is {os.path.realpath(path)}."
    notices = (link if path.is_symlink() else "", document.remark and f"{path}: {document.remark}")
    file = placed(file, document.unit, document.positions, body)
    return replace(file, notices=tuple(filter(None, notices)))


def fingerprint(value: Any) -> str:
    try:
        return digest(Path(value).read_bytes())
    except OSError:
        return ""


def _refuse_by_name(path: Path) -> None:
    low = path.name.lower()
    if any(fnmatchcase(low, pattern) for pattern in _SECRET):
        raise ParameterError(
            f"{path} is named like a file of secrets and is not sent.",
            "Copy what the question needs into a file of another name.",
        )
    if reader := _TABLES.get(path.suffix.lower()):
        raise ParameterError(
            f"{path} is a table; as plain text it would bypass the rules for columns.",
            f'Attach it as a frame: df = {reader}("{path.name}"), then @df.',
        )


def _refuse_by_labels(path: Path, text: str, policy: Policy) -> None:
    """Raise `ParameterError` for a text with a column or key that has a rule: it cannot hold."""
    if not policy.columns and not policy.limits:
        return
    kept = sorted(filter(lambda n: n and policy.ruled(n) < SAMPLE, labels_in(text)))
    if kept:
        raise ParameterError(
            f"{path} has {kept[0]!r}, which a rule withholds; in plain text that rule "
            "cannot be applied.",
            "Read it in Python, and attach the object that holds its values.",
        )


def _read(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            what = "a folder" if path.is_dir() else "not a file" if path.exists() else "not there"
            raise ParameterError(f"{path} is {what}.", f"The working directory is {os.getcwd()}.")
        size = path.stat().st_size  # of what a link leads to
        if size > most:
            raise ParameterError(
                f"{path} has {size:,} bytes; the limit is {most:,}.", "Attach a part of it."
            )
        return path.read_bytes()
    except OSError as error:
        raise ParameterError(
            f"{path} cannot be read: {error.strerror or error}.", "Check the path and its rights."
        ) from None
