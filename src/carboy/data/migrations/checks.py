"""Check constraints compared: by name, and by what they say once a database has read it.

    models:    length(title) >= 3        database:  (char_length((title)::text) >= 3)

        plain()    brackets, quotes, casts and case away          equal?   the same
        else       the database is asked how it would write ours  equal?   the same

The second look makes a temporary table, which ends with the transaction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, MetaData, Table, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["changed_checks", "plain", "text_of"]

ASIDE = "carboy_check_read"  # the temporary table
TEXTS = re.compile(r"('(?:[^']|'')*')")
CASTS = re.compile(r"::(?:character varying|double precision|timestamp with(?:out)? time zone|\w+)"
                   r"(?:\(\d+(?:,\d+)?\))?(?:\[\])?")  # fmt: skip
SETS = re.compile(r"=any\(array\[(.*?)\]\)")
NOISE = re.compile(r"[\s\"`()]|\b_utf8mb4\b")


def changed_checks(
    connection: Connection, table: Table
) -> tuple[list[CheckConstraint], list[CheckConstraint]]:
    """Return (to drop, to add) for *table*, which exists. A changed one is in both.

    Constraints without a name are left alone: nothing tells which is which.
    """
    there = {str(one["name"]): str(one["sqltext"])
             for one in inspect(connection).get_check_constraints(table.name, table.schema)
             if one["name"]}  # fmt: skip
    ours = {str(one.name): one for one in _ours(table, connection.dialect)}
    drop = [_reflected(name, there[name]) for name in sorted(set(there) - set(ours))]
    add = [ours[name] for name in sorted(set(ours) - set(there))]
    doubtful = [
        name for name in sorted(set(ours) & set(there))
        if plain(text_of(ours[name], connection.dialect)) != plain(there[name])
    ]  # fmt: skip
    if doubtful and connection.dialect.name != "sqlite":  # SQLite keeps the text as written
        read = _as_read(connection, table)
        doubtful = [name for name in doubtful if plain(read.get(name, "")) != plain(there[name])]
    for name in doubtful:
        drop.append(_reflected(name, there[name]))
        add.append(ours[name])
    return drop, add


def text_of(constraint: CheckConstraint, dialect: Any) -> str:
    """Return the condition in SQL, values written out."""
    compiler = dialect.ddl_compiler(dialect, None)
    return str(
        compiler.sql_compiler.process(constraint.sqltext, include_table=False, literal_binds=True)
    )


def plain(condition: str) -> str:
    """Return *condition* without what databases add: brackets, quotes, casts, case.

    >>> plain("((kind)::text = ANY (ARRAY['a'::text, 'b'::text]))") == plain("kind IN ('a', 'b')")
    True
    """
    parts = TEXTS.split(condition)
    kept, texts = "", []
    for index, part in enumerate(parts):
        if index % 2:
            texts.append(part)
            kept += f"\x00{len(texts) - 1}\x00"
        else:
            kept += CASTS.sub("", part.lower())
    kept = NOISE.sub("", SETS.sub(r"in(\1)", re.sub(r"\s+", "", kept)))
    kept = SETS_BARE.sub(r"in\1", kept.replace("<>", "!="))
    return re.sub("\x00(\\d+)\x00", lambda found: texts[int(found[1])], kept)


SETS_BARE = re.compile(r"=anyarray\[(.*?)\]")


def _ours(table: Table, dialect: Any) -> list[CheckConstraint]:
    found = []
    for one in table.constraints:
        if not isinstance(one, CheckConstraint) or not one.name or not isinstance(one.name, str):
            continue
        only = one._ddl_if
        if only is None or dialect.name in _names(only.dialect):
            found.append(one)
    return found


def _names(said: Any) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said or ())


def _reflected(name: str, sql: str) -> CheckConstraint:
    return CheckConstraint(text(sql.replace(":", "\\:")), name=name)


def _as_read(connection: Connection, table: Table) -> dict[str, str]:
    """Return the texts of the table's checks as this database writes them; {} if it cannot say."""
    aside = MetaData()
    columns = [column._copy() for column in table.columns]
    for column in columns:
        column.foreign_keys.clear()
        column.constraints.clear()
    made = Table(ASIDE, aside, *columns, prefixes=["TEMPORARY"])
    for one in _ours(table, connection.dialect):
        made.append_constraint(one._copy(target_table=made))
    dialect = connection.dialect.name
    try:
        with connection.begin_nested():
            connection.execute(CreateTable(made))
            if dialect == "postgresql":
                rows = connection.execute(text(
                    "SELECT conname, pg_get_constraintdef(oid, true) FROM pg_constraint"
                    " WHERE contype = 'c' AND conrelid = 'pg_temp.carboy_check_read'::regclass"
                ))  # fmt: skip
                found = {name: said[len("CHECK ") :] for name, said in rows}
            else:
                reflected = inspect(connection).get_check_constraints(ASIDE)
                found = {str(one["name"]): str(one["sqltext"]) for one in reflected}
            connection.execute(text(f"DROP TEMPORARY TABLE {ASIDE}" if "m" in dialect[:1]
                                    else f"DROP TABLE {ASIDE}"))  # fmt: skip
    except SQLAlchemyError:
        return {}  # no right to make one: what differs in writing counts as different
    return found
