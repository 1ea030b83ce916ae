"""The process that reads a file with a structure. Started by `documents`; imports nothing of ours.

Files come from anywhere, and their readers are large: here they have limits of memory and time,
and can open nothing. A line of settings and the file's bytes come in, JSON goes out:
``{"unit": …, "parts": [[number, text], …], "remark": …}`` or ``{"error": …}``.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

_PAGES = 5_000
_UNPACKED = 300_000_000  # bytes of an archive's members together
_OUTPUT = 400  # characters of a cell's output

_SCAN = 0.5  # of a page, that a picture on it has where hardly a word is beside it
_NO_TEXT = {"script", "style", "template", "noscript", "title", "svg", "iframe", "object"}
_BLOCKS = re.compile(
    "address|article|aside|blockquote|body|br|d[dlt]|div|fig(ure|caption)|footer|form|h[1-6r]"
    "|header|li|main|nav|[ou]l|option|p|pre|section|table|tr"
)
WAY = "Check that it is whole, or read it in Python and attach what it holds."
_OWN_WAYS = {
    "is encrypted": "Save a copy without a password, and attach that.",
    "is scanned: its pages are pictures without text": "Run text recognition over it first.",
}
# What browsers take for these names.
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252"}
_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset=["']?([\w-]{1,40})""", re.IGNORECASE)

Read = tuple[str, list[tuple[int, str]], str]


class Unreadable(Exception):
    """What is wrong with the file, as the end of a sentence that begins with its name."""


def pdf(raw: bytes) -> Read:
    import pypdfium2 as pdfium
    from pypdfium2 import raw as c

    try:
        document = pdfium.PdfDocument(raw)
    except pdfium.PdfiumError:  # which has no code of its own in pypdfium2 4
        locked = c.FPDF_GetLastError() in (c.FPDF_ERR_PASSWORD, c.FPDF_ERR_SECURITY)
        raise Unreadable("is encrypted" if locked else "is damaged, or no PDF") from None
    if len(document) > _PAGES:
        raise Unreadable(f"has {len(document):,} pages; at most {_PAGES:,} are read")
    parts, scanned, said = [], [], False
    for number in range(1, len(document) + 1):
        try:
            page = document[number - 1]
            text = page.get_textpage().get_text_bounded().replace("\r\n", "\n")
            said = said or re.search(r"[^\W\d_]{2}", text) is not None
            # A scan may have its number or a stamp beside it.
            if len(text.split()) < 5 and _pictured(page, _SCAN if text.strip() else 0):
                scanned.append(number)
                text = f"{text}\n(a scanned page: a picture without text)"
            page.close()
        except pdfium.PdfiumError:
            text = "(a damaged page)"
        parts.append((number, "".join(ch for ch in text if ch >= " " or ch in "\n\t").strip()))
    if scanned and not said:
        raise Unreadable("is scanned: its pages are pictures without text")
    which = ", ".join(map(str, scanned[:5])) + (" …" if len(scanned) > 5 else "")
    return "page", parts, f"Scanned pages have no text to send: {which}." if scanned else ""


def _pictured(page: Any, share: float) -> bool:
    """Whether a picture has more than this share of a page."""
    from pypdfium2 import raw as c

    width, height = page.get_size()
    for picture in page.get_objects([c.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        new = hasattr(picture, "get_bounds")  # since pypdfium2 5
        left, bottom, right, top = picture.get_bounds() if new else picture.get_pos()
        if (right - left) * (top - bottom) > share * width * height:
            return True
    return False


def docx(raw: bytes) -> Read:
    import mammoth

    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(member.file_size for member in archive.infolist()) > _UNPACKED:
                raise Unreadable("unpacks to more than 300 MB")
        no_pictures = mammoth.images.img_element(lambda image: {})
        text = mammoth.convert_to_html(io.BytesIO(raw), convert_image=no_pictures).value
    except Unreadable:
        raise
    except Exception:  # zipfile's, XML's and mammoth's own
        locked = raw.startswith(b"\xd0\xcf\x11\xe0")  # an OLE file: encrypted, or Word 97's
        what = "is encrypted, or of Word 97" if locked else "is damaged, or no .docx"
        raise Unreadable(what) from None
    return "paragraph", paragraphs(text), ""


def page(raw: bytes) -> Read:
    found = _CHARSET.search(raw[:4_000])
    bom = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    encoding = "utf-16" if bom else found[1].decode().lower() if found else "utf-8-sig"
    try:
        text = raw.decode(_WIDER.get(encoding, encoding))
    except (UnicodeDecodeError, LookupError):
        text = raw.decode("cp1252", "replace")  # as browsers do
    return "paragraph", paragraphs(text), ""


def notebook(raw: bytes) -> Read:
    try:
        cells = json.loads(raw)["cells"]
        return "cell", [(n, _cell(cell)) for n, cell in enumerate(cells, 1)], ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable("is damaged, or no notebook of version 4") from None


def _cell(cell: dict[str, Any]) -> str:
    source, output = "".join(cell["source"]).rstrip(), ""
    for item in cell.get("outputs", ()):
        text = item.get("text") or item.get("data", {}).get("text/plain") or ""
        output += "".join(text) or ": ".join(filter(None, (item.get("ename"), item.get("evalue"))))
    output = output.strip()
    left = len(output) - _OUTPUT
    output = output[:_OUTPUT] + (f"… ({left:,} more characters)" if left > 0 else "")
    return "\n".join([source, *(["Output:", output] if output else [])])


class _Paragraphs(HTMLParser):
    """Collects what a page says, a line for each of its blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.lines, self._pieces, self._hidden, self._pre = list[str](), list[str](), 0, 0
        self._cells = 0  # of the row, that have begun

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _NO_TEXT
        self._pre += tag == "pre"
        if _BLOCKS.fullmatch(tag):
            self.flush()
        if tag == "tr":
            self._cells = 0
        if tag in ("td", "th"):
            self._pieces += [" | "] if self._cells else []
            self._cells += 1
        if tag == "li" or re.fullmatch("h[1-6]", tag):
            self._pieces.append("- " if tag == "li" else "#" * int(tag[1]) + " ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in _NO_TEXT))
        self._pre = max(0, self._pre - (tag == "pre"))
        if _BLOCKS.fullmatch(tag):
            self.flush(strip=tag != "pre")

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if not self._pre:
            self._pieces.append(re.sub(r"\s+", " ", data))
            return
        *lines, rest = data.split("\n")
        for line in lines:
            self._pieces.append(line)
            self.flush(strip=False)
        self._pieces.append(rest)

    def flush(self, strip: bool = True) -> None:
        text = "".join(self._pieces)
        text = text.strip() if strip else text.rstrip()
        if text.strip("-# |"):
            self.lines.append(text)
            self._pieces = []
        elif not text:
            self._pieces = []


def paragraphs(html: str) -> list[tuple[int, str]]:
    parser = _Paragraphs()
    # A cell of a table may hold paragraphs; its row stays one line.
    parser.feed(re.sub(r"(<t[dh][^>]*>)\s*<p[^>]*>|</p>\s*(?=</t[dh]>)", r"\1", html))
    parser.close()
    parser.flush()
    return list(enumerate(parser.lines, 1))


READERS: dict[str, Callable[[bytes], Read]] = {
    ".pdf": pdf,
    ".docx": docx,
    ".html": page,
    ".htm": page,
    ".xhtml": page,
    ".ipynb": notebook,
}


def _limit(settings: dict[str, Any]) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (settings["memory"],) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(settings["seconds"]),) * 2)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main() -> None:
    settings = json.loads(sys.stdin.buffer.readline())
    raw = sys.stdin.buffer.read()
    sys.path[:] = settings["path"]
    try:
        _limit(settings)
        unit, parts, remark = READERS[settings["suffix"]](raw)
        answer: dict[str, Any] = {"unit": unit, "parts": parts, "remark": remark}
    except Unreadable as refused:
        answer = {"error": str(refused), "way": _OWN_WAYS.get(str(refused), WAY)}
    except (MemoryError, RecursionError):
        answer = {"error": "takes too much memory to read", "way": WAY}
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
