"""SQLite: an FTS5 table beside the table, kept in step by three triggers.

    key is one integer    FTS5 reads the text from the table itself (external content)
    any other key         FTS5 keeps no text; ..._search_keys numbers the keys

An implicit rowid may change when the file is vacuumed, so it is not relied upon.
Source: sqlite.org/fts5.html, sections 4.4.2 to 4.4.4.
"""

# ruff: noqa: S608  # every name is quoted, and values are binds

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Integer, Table

from carboy.data.fulltext.common import DIALECTS, Quote, keys_of, language_of, search_name
from carboy.data.fulltext.trust import ON, needed

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["condition", "create_sql", "drop_sql", "existing", "rank"]

ROW = "carboy_row"  # the number of a key in ..._search_keys
TOKENIZE = "unicode61 remove_diacritics 2"
NOTE = "/* language=%s */"  # in the trigger: only PostgreSQL minds, but a comparison finds it
NOTED = re.compile(r"UPDATE OF /\* (language=\w+) \*/")
WEIGHTS = (8.0, 4.0, 2.0, 1.0)  # by the order of the fields, as PostgreSQL's A to D
FOUND = """
SELECT "table".name, words.name, "trigger".sql FROM sqlite_master AS words
JOIN sqlite_master AS "trigger" ON "trigger".type = 'trigger'
  AND "trigger".name = words.name || '_update'
JOIN sqlite_master AS "table" ON "table".type = 'table' AND "table".name = "trigger".tbl_name
WHERE words.type = 'table' AND words.sql LIKE 'CREATE VIRTUAL TABLE %'
  AND EXISTS (SELECT 1 FROM sqlite_master WHERE name = words.name || '_insert')
  AND EXISTS (SELECT 1 FROM sqlite_master WHERE name = words.name || '_delete')
"""

q = Quote("sqlite")


def create_sql(table: Table, columns: Sequence[str]) -> list[str]:
    """Return the statements that make the words of *columns* searchable, and fill them in."""
    names, language = language_of(columns)
    texts = [str(table.c[name].name) for name in names]
    made = _external(table, texts) if is_numbered(table) else _numbered(table, texts)
    if language:
        said = f"AFTER UPDATE OF {NOTE % language}"
        made = [sql.replace("AFTER UPDATE OF", said, 1) for sql in made]
    return [*([ON] if needed() else []), *drop_sql(str(table.name)), *made]


def drop_sql(table_name: str) -> list[str]:
    """Return the statements that remove it, whatever of it is there."""
    own = search_name(table_name)
    events = ("insert", "update", "delete")
    return [
        *(f"DROP TRIGGER IF EXISTS {q(f'{own}_{event}')}" for event in events),
        f"DROP TABLE IF EXISTS {q(own)}",
        f"DROP TABLE IF EXISTS {q(f'{own}_keys')}",
    ]


def existing(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return the columns that are searchable, by table; only where all triggers are there."""
    found = connection.exec_driver_sql(FOUND).all()
    return {
        name: (*_columns(connection, words), *NOTED.findall(sql))
        for name, words, sql in found
        if words == search_name(name)
    }


def is_numbered(table: Table) -> bool:
    """Tell whether SQLite's own row number is the key of *table*."""
    keys = keys_of(table)
    return len(keys) == 1 and isinstance(keys[0].type.dialect_impl(DIALECTS["sqlite"]), Integer)


def condition(table: Table, columns: Sequence[str], keys: Sequence[str], query: str) -> str:
    """Return SQL that is true for rows with the words. keys, query: SQL of both."""
    own = q(search_name(str(table.name)))
    if is_numbered(table):
        return f"{keys[0]} IN (SELECT rowid FROM {own} WHERE {own} MATCH {query})"
    names = q.all([key.name for key in keys_of(table)], "k.")
    row = f"({', '.join(keys)})" if len(keys) > 1 else keys[0]
    return f"{row} IN (SELECT {names} {_joined(own, query)})"


def rank(table: Table, columns: Sequence[str], keys: Sequence[str], query: str) -> str:
    """Return SQL of a number that is greater the better a row fits."""
    own = q(search_name(str(table.name)))
    weights = ", ".join(str(weight) for weight in WEIGHTS[: len(columns)])
    best = f"-bm25({own}, {weights})"
    if is_numbered(table):
        return f"(SELECT {best} FROM {own} WHERE {own} MATCH {query} AND rowid = {keys[0]})"
    same = " AND ".join(
        f"k.{q(key.name)} = {text}" for key, text in zip(keys_of(table), keys, strict=True)
    )
    return f"(SELECT {best} {_joined(own, query)} AND {same})"


def _columns(connection: Connection, words: str) -> list[str]:
    found = connection.exec_driver_sql(f"PRAGMA table_info({q(words)})")
    return [row[1] for row in found]


def _joined(own: str, query: str) -> str:
    numbers = f"{own[:-1]}_keys{own[-1]}"
    return f"FROM {own} JOIN {numbers} AS k ON k.{q(ROW)} = {own}.rowid WHERE {own} MATCH {query}"


def _external(table: Table, texts: list[str]) -> list[str]:
    """Return the statements for a table whose key is SQLite's row number."""
    own, key = q(search_name(str(table.name))), q(str(keys_of(table)[0].name))
    names = q.all(texts)
    kept = f"content={q(str(table.name))}, content_rowid={key}, tokenize='{TOKENIZE}'"
    remove = (
        f"INSERT INTO {own}({own}, rowid, {names})"
        f" VALUES ('delete', old.{key}, {q.all(texts, 'old.')});"
    )
    add = f"INSERT INTO {own}(rowid, {names}) VALUES (new.{key}, {q.all(texts, 'new.')});"
    return [
        f"CREATE VIRTUAL TABLE {own} USING fts5({names}, {kept})",
        *_triggers(table, texts, add, remove, remove + " " + add),
        f"INSERT INTO {own}({own}) VALUES ('rebuild')",
    ]


def _numbered(table: Table, texts: list[str]) -> list[str]:
    """Return the statements for a table with another key: its keys get numbers."""
    own, source = search_name(str(table.name)), q(str(table.name))
    columns = keys_of(table)
    keys, row, names = [str(c.name) for c in columns], q(ROW), q.all(texts)
    numbers, words = q(f"{own}_keys"), q(own)
    typed = ", ".join(
        f"{q(c.name)} {c.type.compile(dialect=DIALECTS['sqlite'])} NOT NULL" for c in columns
    )
    old, new = (_same(keys, f"{side}.") for side in ("old", "new"))
    number = f"(SELECT {row} FROM {numbers} WHERE {{}})"
    remove = (
        f"INSERT INTO {words}({words}, rowid, {names})"
        f" VALUES ('delete', {number.format(old)}, {q.all(texts, 'old.')});"
    )
    add = (
        f"INSERT INTO {words}(rowid, {names})"
        f" VALUES ({number.format(new)}, {q.all(texts, 'new.')});"
    )
    enter = f"INSERT INTO {numbers}({q.all(keys)}) VALUES ({q.all(keys, 'new.')});"
    leave = f"DELETE FROM {numbers} WHERE {old};"
    moved = ", ".join(f"{q(key)} = new.{q(key)}" for key in keys)
    move = f"UPDATE {numbers} SET {moved} WHERE {old};"
    joined = " AND ".join(f"k.{q(key)} = t.{q(key)}" for key in keys)
    return [
        f"CREATE TABLE {numbers} ({row} INTEGER PRIMARY KEY, {typed}, UNIQUE ({q.all(keys)}))",
        f"CREATE VIRTUAL TABLE {words} USING fts5({names}, content='', tokenize='{TOKENIZE}')",
        *_triggers(table, texts, f"{enter} {add}", f"{remove} {leave}", f"{remove} {move} {add}"),
        f"INSERT INTO {numbers}({q.all(keys)}) SELECT {q.all(keys)} FROM {source}",
        (
            f"INSERT INTO {words}(rowid, {names}) SELECT k.{row}, {q.all(texts, 't.')}"
            f" FROM {source} AS t JOIN {numbers} AS k ON {joined}"
        ),
    ]


def _triggers(table: Table, texts: list[str], add: str, remove: str, change: str) -> list[str]:
    own, source = search_name(str(table.name)), q(str(table.name))
    watched = q.all([*(str(key.name) for key in keys_of(table)), *texts])
    events: dict[str, tuple[str, str]] = {
        "insert": ("INSERT", add),
        "delete": ("DELETE", remove),
        "update": (f"UPDATE OF {watched}", change),
    }
    return [
        f"CREATE TRIGGER {q(f'{own}_{name}')} AFTER {event} ON {source} BEGIN {body} END"
        for name, (event, body) in events.items()
    ]


def _same(keys: Sequence[str], before: str) -> str:
    return " AND ".join(f"{q(key)} = {before}{q(key)}" for key in keys)
