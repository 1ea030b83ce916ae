"""A progress bar: one line on a terminal, few lines in a log."""

from __future__ import annotations

from deepseek_jupyter.display.report import Progress


def test_a_log_gets_a_line_for_each_phase(capsys):
    progress = Progress()
    for done in range(0, 101, 10):
        progress(done * 10**6, 100 * 10**6, "downloading")
    progress(0, 0, "checking")
    progress.close()
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == ["downloading 0 of 100 MB", "checking"]


def test_a_terminal_gets_one_line_that_moves(capsys, monkeypatch):
    import sys

    progress = Progress()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress(0, 10**8, "downloading")
    progress(10**8, 10**8, "downloading")
    progress.close()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.endswith("100 of 100 MB\n")
    assert "█" * 30 in told
