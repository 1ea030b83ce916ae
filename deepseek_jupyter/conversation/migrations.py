"""The journal's schema, as the steps that made it: the files in ``schema/``.

A file's name is the step's id. (The idea is that of simonw/llm's ``migrations.py``.) Published
steps are never edited: a change is a new step, and it only adds, so that an older version of this
package in another environment can go on using the same journal.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

STEPS = ("001-first",)  # in the order in which they run


def migrate(connection: sqlite3.Connection) -> None:
    """Run the steps that the database lacks, each in a transaction of its own.

    Two processes may do this at once: the one that waits for the lock looks again before it acts.
    After an error the connection is of no more use.
    """
    applied = _applied(connection)
    for step in STEPS:
        if step not in applied:
            _apply(connection, step)


def _applied(connection: sqlite3.Connection) -> set[str]:
    exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"
    if connection.execute(exists).fetchone() is None:
        return set()
    return {name for (name,) in connection.execute("SELECT name FROM migrations")}


def _apply(connection: sqlite3.Connection, step: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations "
        "(name TEXT PRIMARY KEY, applied TEXT DEFAULT CURRENT_TIMESTAMP)"
    )
    if step not in _applied(connection):
        file = Path(__file__).with_name("schema") / f"{step}.sql"
        for statement in file.read_text("utf-8").split(";\n"):
            connection.execute(statement)
        connection.execute("INSERT INTO migrations(name) VALUES (?)", (step,))
    connection.execute("COMMIT")
