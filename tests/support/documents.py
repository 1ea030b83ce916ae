"""Small documents, made here byte by byte."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence


def pdf(
    *pages: Sequence[str],
    scanned: Sequence[int] = (),
    encrypted: bool = False,
    numbered: bool = False,
) -> bytes:
    """A page for each list of lines; those that are `scanned`, from 0, have a picture in place,
    or, where they are `numbered`, over it.
    """
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"",
        b"<</Type/Font/Subtype/Type1/BaseFont/Courier>>",
    ]
    picture = b"<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray"
    picture += b"/BitsPerComponent 8/Length 1>>\nstream\n0\nendstream"
    objects.append(picture)
    kids = []
    for number, lines in enumerate(pages):
        said = "".join(f"({line}) Tj T* " for line in lines)
        drawn = f"BT /F 10 Tf 12 TL 40 800 Td {said} ET"
        content = "q 500 0 0 700 40 40 cm /I Do Q" if number in scanned else drawn
        content += drawn if numbered else ""
        raw = content.encode("latin-1")
        objects.append(b"<</Length %d>>\nstream\n%s\nendstream" % (len(raw), raw))
        page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources"
        page += "<</Font<</F 3 0 R>>/XObject<</I 4 0 R>>>>>>"
        objects.append((page % len(objects)).encode())
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>".encode()
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    start = len(out)
    ids = f"/O<{'ab' * 32}>/U<{'cd' * 32}>"
    lock = f"/Encrypt<</Filter/Standard/V 1/R 2/P -4{ids}>>/ID[<00><00>]"
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    trailer = f"<</Size {len(objects) + 1}/Root 1 0 R{lock if encrypted else ''}>>"
    return out + f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF".encode()


def docx(*paragraphs: str, bomb: int = 0) -> bytes:
    """Paragraphs; one that begins with ``# `` is a heading. `bomb` bytes of blanks on top."""
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    office = "http://schemas.openxmlformats.org/"
    body = ""
    for text in paragraphs:
        style = '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>' if text.startswith("# ") else ""
        body += f"<w:p>{style}<w:r><w:t>{text.removeprefix('# ')}</w:t></w:r></w:p>"
    types = (
        f'<Types xmlns="{office}package/2006/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        'PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="'
        'application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/></Types>'
    )
    links = (
        f'<Relationships xmlns="{office}package/2006/relationships"><Relationship Id="r1" '
        f'Type="{office}officeDocument/2006/relationships/%s" Target="%s"/></Relationships>'
    )
    styles = (
        f'<w:styles xmlns:w="{word}"><w:style w:type="paragraph" w:styleId="Heading1">'
        '<w:name w:val="heading 1"/></w:style></w:styles>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", types)
        archive.writestr("_rels/.rels", links % ("officeDocument", "word/document.xml"))
        archive.writestr("word/_rels/document.xml.rels", links % ("styles", "styles.xml"))
        archive.writestr("word/styles.xml", styles)
        document = f'<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>'
        archive.writestr("word/document.xml", document + " " * bomb)
    return out.getvalue()


def notebook(*cells: tuple[str, str]) -> bytes:
    """Code cells of source and output."""
    made = [
        {
            "cell_type": "code",
            "source": [source],
            "outputs": [{"output_type": "stream", "text": [output]}] if output else [],
        }
        for source, output in cells
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}).encode()
