"""SQLite's table rebuild, with nothing lost: what ALTER TABLE lacks is done by a copy.

    look     what Alembic's copy leaves out: AUTOINCREMENT and its count, checks without
             a name, what references do on deletion, collations, triggers, indexes on
             expressions or in descending order
    copy     foreign keys off: dropping the old table would delete the rows that refer to it
    restore  what was left out, as it was written
    prove    PRAGMA foreign_key_check, before the commit

Sources: sqlite.org/lang_altertable.html, section 7; sqlite.org/foreignkeys.html, section 5
(DROP TABLE deletes its rows first, and foreign key actions follow); autoinc.html.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, Connection, MetaData, String, Table, text
from sqlalchemy.schema import CreateIndex

from carboy.base.errors import SetupError
from carboy.data.migrations.work import Work

if TYPE_CHECKING:
    from alembic.operations import BatchOperations, Operations

__all__ = ["rebuilding"]

TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\w+|\s+|.""", re.S)
LOST = re.compile(r"\b(ON\s+CONFLICT|GENERATED\s+ALWAYS)\b", re.I)


@dataclass
class Kept:
    """What a copy by Alembic would leave out."""

    collations: dict[str, str] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    autoincrement: bool = False
    count: int | None = None
    indexes: dict[str, str] = field(default_factory=dict)
    triggers: dict[str, str] = field(default_factory=dict)


@contextmanager
def rebuilding(operations: Operations, table: str) -> Iterator[BatchOperations]:
    """Collect changes of *table*, and make them at once when the block ends.

    Runs in the transaction that is open when foreign keys are off already, as the runner
    of migrations sees to; else in one of its own. Raises SetupError (migrations.rebuild)
    when rows would refer to nothing afterwards; then nothing has changed.
    """
    work = Work(operations)
    with _foreign_keys_off(work):
        kept = _look(work.connection, table)
        whole = _reflected(work, table, kept)
        with operations.batch_alter_table(table, copy_from=whole) as batch:
            yield batch
            renamed = _take_renames(batch.impl)
            touched = _touched(batch.impl)
            _let_go(whole, touched)
            work.run("PRAGMA legacy_alter_table = ON")  # views and triggers stay as written
        try:
            _restore(work, table, kept, touched)
        finally:
            work.run("PRAGMA legacy_alter_table = OFF")
        for old, new in renamed:  # SQLite itself renames in checks, triggers and references, too
            names = f"{work.quote(old)} TO {work.quote(new)}"
            work.run(f"ALTER TABLE {work.quote(table)} RENAME COLUMN {names}")
        _prove(work.connection)


@contextmanager
def _foreign_keys_off(work: Work) -> Iterator[None]:
    """Turn foreign keys off, which SQLite does only between transactions."""
    if not work.value("PRAGMA foreign_keys"):
        yield
        return
    with work.apart() as connection:
        work.run("PRAGMA foreign_keys = OFF")
        try:
            yield
            connection.commit()
        finally:
            connection.rollback()
            work.run("PRAGMA foreign_keys = ON")


def _look(connection: Connection, table: str) -> Kept:
    kept = Kept()
    rows = connection.execute(
        text("SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :t AND sql IS NOT NULL"),
        {"t": table},
    ).all()
    for kind, name, sql in rows:
        if kind == "table":
            _read_table(kept, table, sql)
        elif kind in ("index", "trigger"):
            (kept.indexes if kind == "index" else kept.triggers)[name] = sql
    if kept.autoincrement:
        query = "SELECT seq FROM sqlite_sequence WHERE name = :t"
        kept.count = connection.execute(text(query), {"t": table}).scalar()
    return kept


def _read_table(kept: Kept, table: str, sql: str) -> None:
    """Read from CREATE TABLE what reflection does not tell."""
    lost = LOST.search(sql)
    if lost:
        raise SetupError(
            "migrations.rebuild",
            f"The table {table} has {lost[1]!r}, which a rebuild would lose.",
            hint="Rebuild it by hand, in the twelve steps of sqlite.org/lang_altertable.html.",
        )
    for words in _definitions(sql):
        capitals = [word.upper() for word in words]
        if "AUTOINCREMENT" in capitals:
            kept.autoincrement = True
        # A collation inside a check belongs to the check; a column's own stands outside.
        if "COLLATE" in capitals and capitals[0] not in ("CONSTRAINT", "CHECK", "PRIMARY"):
            place = capitals.index("COLLATE")
            kept.collations[_bare(words[0])] = _bare(words[place + 1])
        if "REFERENCES" in capitals and capitals[0] not in ("CONSTRAINT", "FOREIGN"):
            place = capitals.index("REFERENCES")
            named = capitals[place - 2] == "CONSTRAINT"
            kept.references[_bare(words[0])] = _bare(words[place - 1]) if named else ""


def _definitions(sql: str) -> Iterator[list[str]]:
    """Yield the words outside of inner parentheses of each definition in CREATE TABLE (...)."""
    depth, words = 0, list[str]()
    for word in TOKEN.findall(sql):
        if word == "(":
            depth += 1
            continue
        if word == ")":
            depth -= 1
        if (word == "," and depth == 1) or (word == ")" and depth == 0):
            if words:
                yield words
            words = []
        elif depth == 1 and word.strip() and not word.startswith("--") and word != ")":
            words.append(word)


def _bare(word: str) -> str:
    return word.strip("\"`[]'")


def _reflected(work: Work, table: str, kept: Kept) -> Table:
    """Return the table as it is, with what SQLAlchemy does not see in its definition."""

    impl: Any = work.operations.impl

    def complete(inspector: Any, table: Any, column: Any) -> None:
        collation = kept.collations.get(column["name"])
        if collation and isinstance(column["type"], String):
            column["type"].collation = collation
        impl.autogen_column_reflect(inspector, table, column)

    options: Any = {"sqlite_autoincrement": True} if kept.autoincrement else {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*reflection of expression-based index")
        whole: Table = Table(
            table, MetaData(), autoload_with=work.connection, resolve_fks=False,
            listeners=[("column_reflect", complete)],
            **options,
        )  # fmt: skip
    _complete_references(work.connection, whole, kept)
    return whole


def _complete_references(connection: Connection, whole: Table, kept: Kept) -> None:
    """Add names and actions of references that are written beside their column."""
    pragma = f"PRAGMA foreign_key_list({connection.dialect.identifier_preparer.quote(whole.name)})"
    rows = connection.exec_driver_sql(pragma).all()
    for key in whole.foreign_key_constraints:
        columns = key.column_keys
        if len(columns) != 1 or columns[0] not in kept.references:
            continue
        key.name = key.name or kept.references[columns[0]] or None
        for _, _, _, column, _, on_update, on_delete, *_ in rows:
            if column == columns[0]:
                key.onupdate, key.ondelete = _action(on_update), _action(on_delete)


def _action(said: str) -> str | None:
    return None if said == "NO ACTION" else said


def _take_renames(collected: Any) -> list[tuple[str, str]]:
    """Return (old, new) for the columns to be renamed; the copy leaves their names alone."""
    renamed = []
    for _, arguments, options in collected.batch:
        new = options.pop("name", None)
        if new is not None and new != arguments[1]:
            renamed.append((arguments[1], new))
    return renamed


def _touched(collected: Any) -> set[str]:
    """Return the names of what goes: columns, indexes, constraints."""
    names: set[str] = set()
    for verb, arguments, _ in collected.batch:
        if verb == "drop_column":
            names.add(arguments[1].name)
        elif verb in ("drop_index", "drop_constraint"):
            names.add(arguments[0].name)
    return names


def _let_go(whole: Table, touched: set[str]) -> None:
    """Let the checks and indexes that name a dropped column go with it, as elsewhere."""
    for check in [c for c in whole.constraints if isinstance(c, CheckConstraint)]:
        if check.name not in touched and _words(str(check.sqltext)) & touched:
            whole.constraints.discard(check)
    for index in list(whole.indexes):
        if index.name not in touched and _words(str(CreateIndex(index))) & touched:
            whole.indexes.discard(index)


def _words(sql: str) -> set[str]:
    return {_bare(word) for word in TOKEN.findall(sql) if not word.startswith("'")}


def _restore(work: Work, table: str, kept: Kept, touched: set[str]) -> None:
    """Make again, as they were written, the indexes and triggers, and the count of keys."""
    present: dict[str, str] = dict(
        work.connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE tbl_name = :t AND sql IS NOT NULL"),
            {"t": table},
        ).all()
    )
    for name, sql in kept.indexes.items():
        if name in touched or _words(sql) & touched or present.get(name) == sql:
            continue
        work.run(f"DROP INDEX IF EXISTS {work.quote(name)}")
        work.run(sql)
    for name, sql in kept.triggers.items():
        if name not in present:
            work.run(sql)
    if kept.count is not None:
        _count_on(work.connection, table, kept.count)


def _count_on(connection: Connection, table: str, count: int) -> None:
    """Let the keys go on where they were: the row with the last one may be gone."""
    # Alembic copied into a table of another name; renaming took its count along.
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :t"), {"t": table})
    query = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:t, :n)")
    connection.execute(query, {"t": table, "n": count})


def _prove(connection: Connection) -> None:
    broken = connection.execute(text("PRAGMA foreign_key_check")).first()
    if broken is not None:
        raise SetupError(
            "migrations.rows",
            f"Row {broken[1]} of {broken[0]} refers to a row of {broken[2]} that is not there.",
            hint="Correct such rows first; `PRAGMA foreign_key_check` lists them.",
        )
