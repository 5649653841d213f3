"""What differs between a database and the models, as Alembic's operations.

    connection, tables  ->  Alembic's comparison, kept quiet  ->  checks  ->  one flat list

The order is one that every database can follow: what is in the way goes first (foreign
keys, checks, indexes), then tables and columns come or change, then constraints return,
and columns and tables that nobody needs go last.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import ops
from sqlalchemy import inspect

from carboy.data import search
from carboy.data.migrations.checks import changed_checks
from carboy.data.migrations.status import BOOKKEEPING

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData

__all__ = ["compare", "in_order"]

CAST = re.compile(r"::[\w ]+(\(\d+\))?$")
NOW = re.compile(r"(now|(current|local)_?timestamp)[()\d]*")

ORDER: tuple[type[Any], ...] = (
    ops.DropConstraintOp, ops.DropIndexOp, ops.CreateTableOp, ops.AddColumnOp,
    ops.AlterColumnOp, ops.CreateIndexOp, ops.AddConstraintOp, ops.DropColumnOp, ops.DropTableOp,
)  # fmt: skip


def compare(
    connection: Connection, tables: MetaData, *, known: Collection[str] | None = None
) -> list[Any]:
    """Return the operations that make the database what *tables* says, in order.

    known: only these tables may be dropped; None: all that no model has. Virtual tables,
    such as those of full text search, are never looked at. Nothing is changed.
    """
    aside = _set_apart(connection, tables)

    def looked_at(name: str | None, kind: str, parents: Any) -> bool:
        if name in aside:
            return False
        return kind != "table" or name in tables.tables or known is None or name in known

    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": _defaults_differ,
            "include_name": looked_at,
            "target_metadata": tables,
        },
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "autogenerate skipping")  # indexes on expressions
        warnings.filterwarnings("ignore", ".*expression-based index")
        script = produce_migrations(context, tables)
    assert script.upgrade_ops is not None
    found = [*_flat(script.upgrade_ops.ops), *_checks(connection, tables)]
    connection.rollback()
    return in_order(found)


def in_order(found: list[Any]) -> list[Any]:
    """Return operations in an order that every database can follow."""
    made = {
        _name(one) for one in found if isinstance(one, (ops.CreateIndexOp, ops.AddConstraintOp))
    }
    return sorted(found, key=lambda one: _rank(one, made))


def _rank(one: Any, made: set[str]) -> tuple[int, int]:
    place = next((n for n, kind in enumerate(ORDER) if isinstance(one, kind)), 4)
    kind = getattr(one, "constraint_type", "")
    if isinstance(one, ops.DropConstraintOp) and kind == "foreignkey":
        return place, 0  # before the index that it uses
    if isinstance(one, ops.AddConstraintOp):
        return place, int(kind == "foreignkey")
    # MariaDB keeps an index that a foreign key needs until there is another: so it goes
    # after that has come, unless that has its name.
    serves = isinstance(one, ops.DropIndexOp) or kind.startswith("unique")
    if serves and _name(one) not in made:
        return ORDER.index(ops.DropColumnOp), -1
    return place, 1


def _name(one: Any) -> str:
    return str(getattr(one, "index_name", None) or getattr(one, "constraint_name", ""))


def _flat(found: list[Any]) -> Iterator[Any]:
    for one in found:
        if isinstance(one, ops.ModifyTableOps):
            yield from one.ops
        else:
            yield one


def _checks(connection: Connection, tables: MetaData) -> Iterator[Any]:
    there = set(inspect(connection).get_table_names())
    for table in tables.sorted_tables:
        if table.name not in there:
            continue
        drop, add = changed_checks(connection, table)
        for one in drop:
            gone = ops.CreateCheckConstraintOp(str(one.name), table.name, one.sqltext)
            yield ops.DropConstraintOp(str(one.name), table.name, type_="check", _reverse=gone)
        for one in add:
            made = ops.CreateCheckConstraintOp(str(one.name), table.name, one.sqltext)
            yield made


def _set_apart(connection: Connection, tables: MetaData) -> frozenset[str]:
    """Return names that are nobody's business: our books, and what searches are kept in."""
    about = {*map(str, tables.tables), *search.existing(connection)}
    aside = BOOKKEEPING.union(*(search.names(table) for table in about))
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("PRAGMA table_list")
        aside |= {row[1] for row in rows if row[2] in ("virtual", "shadow")}
    return aside


def _defaults_differ(
    context: Any, there: Any, ours: Any, said: Any, default: Any, rendered: Any
) -> bool | None:
    """Return False for two writings of one value; None lets Alembic judge."""
    if said is None or rendered is None:
        return None
    return False if _value(said) == _value(rendered) else None


def _value(default: str) -> Any:
    """Return a default without quotes, brackets and casts; a number as a number."""
    bare = CAST.sub("", default.strip()).strip("()").strip("'\"").lower()
    if NOW.fullmatch(bare):
        return "now"
    try:
        return Decimal({"true": "1", "false": "0"}.get(bare, bare))
    except InvalidOperation:
        return bare
