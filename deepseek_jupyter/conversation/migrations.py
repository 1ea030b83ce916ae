"""The journal's schema, as the steps that made it.

A function decorated with `migration` is one step; its name is its id, and the order in this file
is the order in which they run. (The idea is that of simonw/llm's ``migrations.py``.) Published
steps are never edited: a change is a new step, and it only adds, so that an older version of this
package in another environment can go on using the same journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

Migration = Callable[[sqlite3.Connection], None]

MIGRATIONS: list[Migration] = []


def migration(step: Migration) -> Migration:
    """Append a step to the list."""
    MIGRATIONS.append(step)
    return step


def migrate(connection: sqlite3.Connection) -> None:
    """Run the steps that the database lacks, each in a transaction of its own.

    Two processes may do this at once: the one that waits for the lock looks again before it acts.
    After an error the connection is of no more use.
    """
    applied = _applied(connection)
    for step in MIGRATIONS:
        if step.__name__ not in applied:
            _apply(connection, step)


def _applied(connection: sqlite3.Connection) -> set[str]:
    exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"
    if connection.execute(exists).fetchone() is None:
        return set()
    return {name for (name,) in connection.execute("SELECT name FROM migrations")}


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations "
        "(name TEXT PRIMARY KEY, applied TEXT DEFAULT CURRENT_TIMESTAMP)"
    )
    if step.__name__ not in _applied(connection):
        step(connection)
        connection.execute("INSERT INTO migrations(name) VALUES (?)", (step.__name__,))
    connection.execute("COMMIT")


@migration
def m001_all_that_the_first_release_has(connection: sqlite3.Connection) -> None:
    """A notebook has conversations; a conversation has branches, named pointers to a tip.

    * notebooks: `moved` is the greatest `opened` of a conversation when it was renamed.
    * conversations: `opened` grows with each that is begun or gone back to; clocks are set back.
    * taken: which turns a conversation has taken along from others.
    * turns: what is asked of many turns, and bodies, what is read of one; apart, so that opening a
      conversation of ten thousand turns reads no answer. `owner` is the process that is writing the
      turn, null once it is finished; `tokens` and `thinking` estimate what it adds to the messages;
      `key` is never used twice, so it can name the turn in the search index.
    * told: what the user was told or has decided of a notebook, each state once.
    * ghost_texts: what ghost text cost, a row for each notebook, day, model and currency.
    * answers: to the requests of jobs, by the hash of what was sent; see `answers`.
    """
    spent = (
        "asked INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, cache_hit_tokens INTEGER NOT NULL,"
        " completion_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL, cost TEXT NOT NULL"
    )
    tables = {
        "notebooks": "id TEXT PRIMARY KEY, path TEXT, origin TEXT, seen TEXT NOT NULL, "
        "moved INTEGER",
        "conversations": "id TEXT PRIMARY KEY, notebook TEXT, created TEXT NOT NULL, "
        "active TEXT NOT NULL DEFAULT 'main', opened INTEGER",
        "branches": "conversation TEXT NOT NULL, name TEXT NOT NULL, tip TEXT, "
        "PRIMARY KEY (conversation, name)",
        "taken": "conversation TEXT NOT NULL, turn TEXT NOT NULL, PRIMARY KEY (conversation, turn)",
        "turns": "key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, "
        "conversation TEXT NOT NULL, parent TEXT, cell_id TEXT, created TEXT NOT NULL, "
        "day TEXT NOT NULL, status TEXT NOT NULL, finish_reason TEXT, provider TEXT NOT NULL, "
        "model TEXT NOT NULL, served_model TEXT, request_hash TEXT, prompt_hash TEXT NOT NULL, "
        "history INTEGER NOT NULL, from_file INTEGER NOT NULL, answered INTEGER NOT NULL, "
        "tokens INTEGER NOT NULL, thinking INTEGER, prompt_tokens INTEGER, "
        "cache_hit_tokens INTEGER, completion_tokens INTEGER, reasoning_tokens INTEGER, "
        "cost TEXT, currency TEXT, owner TEXT, updated REAL NOT NULL, "
        "indexed INTEGER NOT NULL DEFAULT 0",
        "bodies": "key INTEGER PRIMARY KEY, body TEXT NOT NULL",
        "told": "notebook TEXT NOT NULL, what TEXT NOT NULL, PRIMARY KEY (notebook, what)",
        "ghost_texts": "notebook TEXT NOT NULL, day TEXT NOT NULL, model TEXT NOT NULL, "
        f"currency TEXT NOT NULL, {spent}, PRIMARY KEY (notebook, day, model, currency)",
        "answers": "key TEXT NOT NULL, whole INTEGER NOT NULL, notebook TEXT NOT NULL, "
        f"day TEXT NOT NULL, model TEXT NOT NULL, currency TEXT NOT NULL, {spent}, "
        "body TEXT NOT NULL",
    }
    indexes = {
        "notebooks_path": "notebooks(path)",
        "conversations_notebook": "conversations(notebook)",
        "turns_conversation": "turns(conversation, key)",
        "turns_day": "turns(day)",
        "turns_request": "turns(request_hash, key) WHERE request_hash IS NOT NULL",
        "turns_owner": "turns(owner) WHERE owner IS NOT NULL",
        "answers_key": "answers(key) WHERE whole",
        "answers_notebook": "answers(notebook)",
    }
    for name, columns in tables.items():
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
    for name, of in indexes.items():
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {of}")
    make_search_index(connection)


def make_search_index(connection: sqlite3.Connection) -> None:
    """An empty search index of prompts, answers and thinking: the words alone."""
    connection.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5(prompt, answer, reasoning, "
        "content='', tokenize='unicode61 remove_diacritics 2')"
    )
