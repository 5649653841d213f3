"""SQLite files: tables with what they declare, read without touching the file.

    PRAGMA table_list, table_xinfo, index_list, foreign_key_list  ->  RawTable
    SELECT                                                        ->  rows

SQLite keeps any value in any column; so what a column declares is a hint, and what its
values are decides.
"""

# SECURITY: SQL is put together from names that are our own or quoted; values are bound.
# ruff: noqa: S608

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from carboy.base.errors import SetupError
from carboy.cli.adopt.drafts import RawColumn, RawReference, RawTable
from carboy.cli.adopt.staging import BYTES, HALVES, Stage

__all__ = ["MAGIC", "declared", "read_sqlite"]

MAGIC = b"SQLite format 3\x00"  # sqlite.org/fileformat.html, section 1.3.1
OURS = {"alembic_version"}
GENERATED, HIDDEN = (2, 3), 1  # of table_xinfo


def read_sqlite(path: Path, stage: Stage) -> None:
    """Stage the tables of *path*. Raises SetupError (new.from.sqlite) when it is broken."""
    address = f"file:{_quoted_path(path)}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as con:
            con.text_factory = _text
            con.execute("BEGIN")  # one moment for all tables
            for name, without_rowid in _tables(con, stage, path):
                _table(con, stage, path, name, without_rowid)
    except sqlite3.DatabaseError as error:
        raise SetupError(
            "new.from.sqlite",
            f"{path} cannot be read as a SQLite database: {error}.",
            hint="Is it whole? Copy it with: sqlite3 file.db '.backup copy.db'",
        ) from error
    if not stage.sheets:
        raise SetupError("new.from.empty", f"{path} has no tables.", hint="Is it the right file?")


def declared(sql: str) -> dict[str, Any]:
    """Return what a declared type says, as arguments of RawColumn.

    >>> declared("VARCHAR(40)")["max_length"], declared("DECIMAL(10,2)")["places"]
    (40, 2)
    """
    text = sql.upper()
    sizes = [int(size) for size in re.findall(r"\d{1,4}(?=\s*[,)])", text)]
    kind = next((kind for word, kind in _WORDS if word in text), "")
    found: dict[str, Any] = {"kind": kind, "sql": sql}
    if kind == "text" and sizes and sizes[0] > 0:
        found["max_length"] = sizes[0]
    if kind == "decimal" and sizes:
        found["digits"], found["places"] = sizes[0], (sizes[1:] or [0])[0]
    return found


_WORDS = (
    ("BOOL", "boolean"), ("DATETIME", "datetime"), ("TIMESTAMP", "datetime"), ("DATE", "date"),
    ("TIME", "time"), ("DECIMAL", "decimal"), ("NUMERIC", "decimal"), ("MONEY", "decimal"),
    ("JSON", "json"), ("UUID", "uuid"), ("CHAR", "text"), ("CLOB", "text"), ("TEXT", "text"),
    ("INT", "integer"), ("REAL", "number"), ("FLOA", "number"), ("DOUB", "number"),
    ("BLOB", "bytes"), ("BINARY", "bytes"),
)  # fmt: skip


def _tables(con: sqlite3.Connection, stage: Stage, path: Path) -> Iterator[tuple[str, bool]]:
    """Yield (name, whether it is WITHOUT ROWID) of the tables, as they were made."""
    order = [name for (name,) in con.execute("SELECT name FROM sqlite_master ORDER BY rowid")]
    kinds = {
        row[1]: (row[2], bool(row[4]))
        for row in con.execute("PRAGMA table_list")
        if row[0] == "main"
    }
    for name in order:
        kind, without_rowid = kinds.get(name, ("", False))
        if kind == "table" and not name.lower().startswith("sqlite_") and name not in OURS:
            yield name, without_rowid
        elif kind in ("view", "virtual"):
            word = "a view" if kind == "view" else "a virtual table"
            stage.notes.append(f"{path.name}: {name} is {word}, so it was left out")


def _table(
    con: sqlite3.Connection, stage: Stage, path: Path, name: str, without_rowid: bool
) -> None:
    raw = RawTable(name, f"{path.name}, table {name}")
    key: dict[int, str] = {}
    for _, column, sql, notnull, _, part, hidden in con.execute(
        f"PRAGMA table_xinfo({_quoted(name)})"
    ):
        if hidden == HIDDEN:
            continue
        more = declared(sql)
        raw.columns.append(RawColumn(column, nullable=not (notnull or part), **more))
        if part:
            key[part] = column
        if hidden in GENERATED:
            raw.notes.append(f"{column} is calculated over there; here it is a plain column")
    raw.key = tuple(key[part] for part in sorted(key))
    _rules(con, raw)
    columns = [one.name for one in raw.columns]
    sheet = stage.sheet(raw)
    order = ", ".join(map(_quoted, raw.key)) if without_rowid else _rowid(columns)
    names = ", ".join(map(_quoted, columns))
    query = f"SELECT {names} FROM {_quoted(name)} ORDER BY {order or '1'}"
    for number, row in enumerate(con.execute(query), 1):
        sheet.put(number, [BYTES + v if type(v) is bytes else _marked(v) for v in row])
    sheet.flush()


def _rules(con: sqlite3.Connection, raw: RawTable) -> None:
    """Take over what the table enforces."""
    for _, index, unique, origin, partial in con.execute(f"PRAGMA index_list({_quoted(raw.name)})"):
        columns = [row[2] for row in con.execute(f"PRAGMA index_info({_quoted(index)})")]
        if unique and origin in "uc" and not partial and None not in columns:
            raw.uniques.append(tuple(columns))
    raw.uniques.reverse()  # the last one comes first
    found: dict[int, list[tuple[str, str, str | None]]] = {}
    for number, _, table, column, target, *_ in con.execute(
        f"PRAGMA foreign_key_list({_quoted(raw.name)})"
    ):
        found.setdefault(number, []).append((table, column, target))
    for _, parts in sorted(found.items(), reverse=True):
        targets = tuple(target or "" for _, _, target in parts)  # "" is the key over there
        raw.references.append(RawReference(tuple(p[1] for p in parts), parts[0][0], targets))
    ((sql,),) = con.execute("SELECT sql FROM sqlite_master WHERE name = ?", (raw.name,))
    raw.checks = list(_checks(sql or ""))


def _checks(sql: str) -> Iterator[str]:
    """Yield the conditions of CHECK (...) in a CREATE TABLE."""
    for found in re.finditer(r"\bCHECK\s*\(", sql, re.IGNORECASE):
        depth, at = 1, found.end()
        while at < len(sql) and depth:
            depth += {"(": 1, ")": -1}.get(sql[at], 0)
            at += 1
        yield " ".join(sql[found.end() : at - 1].split())


def _rowid(columns: list[str]) -> str:
    """Return the name of the row's number, which a column may have taken."""
    taken = {column.lower() for column in columns}
    return next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), "")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted_path(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


class _Halves(str):
    """Text whose bytes are no UTF-8."""


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return _Halves(raw.decode("utf-8", "backslashreplace"))


def _marked(value: Any) -> Any:
    return HALVES + value.encode() if type(value) is _Halves else value
