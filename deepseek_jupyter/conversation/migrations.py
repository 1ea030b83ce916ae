"""The journal's schema, as the steps that made it.

A function decorated with `migration` is one step; its name is its id, and the order in this file
is the order in which they run. (The idea is that of simonw/llm's ``migrations.py``.) Published
steps are never edited: a change is a new step, and it only adds, so that an older version of this
package in another environment can go on using the same journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


@contextmanager
def suppress_missing_fts5() -> Iterator[None]:
    """Pass over a statement that needs FTS5 or the index, where there is none."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if str(error) not in ("no such module: fts5", "no such table: search"):
            raise


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
def m001_notebooks_and_conversations(connection: sqlite3.Connection) -> None:
    """A notebook has conversations; a conversation has branches, named pointers to a tip."""
    connection.execute(
        "CREATE TABLE notebooks (id TEXT PRIMARY KEY, path TEXT, origin TEXT, seen TEXT NOT NULL)"
    )
    connection.execute("CREATE INDEX notebooks_path ON notebooks(path)")
    connection.execute(
        "CREATE TABLE conversations (id TEXT PRIMARY KEY, notebook TEXT, created TEXT NOT NULL, "
        "active TEXT NOT NULL DEFAULT 'main', origin TEXT, origin_until TEXT)"
    )
    connection.execute("CREATE INDEX conversations_notebook ON conversations(notebook)")
    connection.execute(
        "CREATE TABLE branches (conversation TEXT NOT NULL, name TEXT NOT NULL, tip TEXT, "
        "PRIMARY KEY (conversation, name)) WITHOUT ROWID"
    )


@migration
def m002_turns(connection: sqlite3.Connection) -> None:
    """What is asked of many turns lies in `turns`, what is read of one in `bodies`.

    Apart, so that opening a conversation of ten thousand turns reads no answer. `owner` is the
    process that is writing the turn, null once it is finished; `tokens` an estimate of what the
    turn adds to the messages; `key` is never used twice, so it can name the turn in the search
    index.
    """
    connection.execute(
        "CREATE TABLE turns (key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, "
        "conversation TEXT NOT NULL, parent TEXT, cell_id TEXT, created TEXT NOT NULL, "
        "day TEXT NOT NULL, status TEXT NOT NULL, finish_reason TEXT, provider TEXT NOT NULL, "
        "model TEXT NOT NULL, served_model TEXT, request_hash TEXT, prompt_hash TEXT NOT NULL, "
        "history INTEGER NOT NULL, from_file INTEGER NOT NULL, answered INTEGER NOT NULL, "
        "tokens INTEGER NOT NULL, prompt_tokens INTEGER, cache_hit_tokens INTEGER, "
        "completion_tokens INTEGER, reasoning_tokens INTEGER, cost TEXT, currency TEXT, "
        "owner TEXT, updated REAL NOT NULL, indexed INTEGER NOT NULL DEFAULT 0)"
    )
    connection.execute("CREATE INDEX turns_conversation ON turns(conversation, key)")
    connection.execute("CREATE INDEX turns_day ON turns(day)")
    connection.execute(
        "CREATE INDEX turns_request ON turns(request_hash, key) WHERE request_hash IS NOT NULL"
    )
    connection.execute("CREATE INDEX turns_owner ON turns(owner) WHERE owner IS NOT NULL")
    connection.execute("CREATE TABLE bodies (key INTEGER PRIMARY KEY, body TEXT NOT NULL)")


@migration
def m003_search(connection: sqlite3.Connection) -> None:
    """Full text of prompts, answers and thinking; the words alone, the text is in `bodies`.

    FTS5 is part of every SQLite that CPython is distributed with; a home-made one may lack it, and
    then goes without search.
    """
    with suppress_missing_fts5():
        make_search_index(connection)


@migration
def m004_ghost_texts_and_opened(connection: sqlite3.Connection) -> None:
    """What ghost text cost, a row for each notebook, day, model and currency; no text of it.

    And the order in which conversations were opened last, by being begun or gone back to: a number
    that grows, for clocks are set back. Null for one that was begun before there was this column.
    """
    connection.execute(
        "CREATE TABLE ghost_texts (notebook TEXT NOT NULL, day TEXT NOT NULL, model TEXT NOT NULL, "
        "currency TEXT NOT NULL, asked INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, "
        "cache_hit_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, "
        "reasoning_tokens INTEGER NOT NULL, cost TEXT NOT NULL, "
        "PRIMARY KEY (notebook, day, model, currency)) WITHOUT ROWID"
    )
    connection.execute("ALTER TABLE conversations ADD COLUMN opened INTEGER")


@migration
def m005_thinking(connection: sqlite3.Connection) -> None:
    """An estimate of the thinking in a turn's messages; null in rows from before this step."""
    connection.execute("ALTER TABLE turns ADD COLUMN thinking INTEGER")


@migration
def m006_taken_along(connection: sqlite3.Connection) -> None:
    """Which turns a conversation has taken along from others; for which state of a notebook's file
    the user was last offered what only the journal holds; and up to which `opened` conversations
    were there when the notebook was renamed.

    A copy used to name the conversation it goes on from instead: it takes along that one's turns.
    """
    connection.execute(
        "CREATE TABLE taken (conversation TEXT NOT NULL, turn TEXT NOT NULL, "
        "PRIMARY KEY (conversation, turn)) WITHOUT ROWID"
    )
    connection.execute(
        "WITH RECURSIVE line(copy, id, until) AS (SELECT id, origin, coalesce(origin_until, '~') "
        "FROM conversations WHERE origin IS NOT NULL UNION "
        "SELECT line.copy, c.origin, min(coalesce(c.origin_until, '~'), line.until) "
        "FROM conversations c JOIN line ON line.id = c.id WHERE c.origin IS NOT NULL) "
        "INSERT OR IGNORE INTO taken SELECT line.copy, t.id FROM line "
        "JOIN turns t ON t.conversation = line.id AND t.created <= line.until"
    )
    connection.execute("ALTER TABLE notebooks ADD COLUMN offered TEXT")
    connection.execute("ALTER TABLE notebooks ADD COLUMN moved INTEGER")


@migration
def m007_told(connection: sqlite3.Connection) -> None:
    """What the user was told or has decided of the turns in a notebook's file, each state once."""
    connection.execute(
        "CREATE TABLE told (notebook TEXT NOT NULL, what TEXT NOT NULL, "
        "PRIMARY KEY (notebook, what)) WITHOUT ROWID"
    )
    connection.execute("INSERT INTO told SELECT id, offered FROM notebooks WHERE offered NOTNULL")


@migration
def m008_answers(connection: sqlite3.Connection) -> None:
    """Answers to the requests of jobs, by the hash of what was sent; see `answers`."""
    connection.execute(
        "CREATE TABLE answers (key TEXT NOT NULL, whole INTEGER NOT NULL, notebook TEXT NOT NULL, "
        "day TEXT NOT NULL, model TEXT NOT NULL, currency TEXT NOT NULL, asked INTEGER NOT NULL, "
        "prompt_tokens INTEGER NOT NULL, cache_hit_tokens INTEGER NOT NULL, "
        "completion_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL, "
        "cost TEXT NOT NULL, body TEXT NOT NULL)"
    )
    connection.execute("CREATE INDEX answers_key ON answers(key) WHERE whole")
    connection.execute("CREATE INDEX answers_notebook ON answers(notebook)")


def make_search_index(connection: sqlite3.Connection) -> None:
    """An empty search index."""
    connection.execute(
        "CREATE VIRTUAL TABLE search USING fts5(prompt, answer, reasoning, content='', "
        "tokenize='unicode61 remove_diacritics 2')"
    )
