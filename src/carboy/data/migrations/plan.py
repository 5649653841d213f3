"""The plan: what would change, in words and in statements.

    database or history  ->  compare  ->  renames that were said  ->  Render  ->  Plan

Compared with: on SQLite an empty database in memory with all migrations applied, so that
a development database that ran ahead does not matter; elsewhere the database itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.operations import ops

from carboy.base.errors import SetupError
from carboy.base.scope import unscoped
from carboy.data import search
from carboy.data.engines import engine_for
from carboy.data.migrations.compare import compare
from carboy.data.migrations.history import History
from carboy.data.migrations.lines import Change, Line
from carboy.data.migrations.renames import RenameTable, Suspect, resolve
from carboy.data.migrations.render import Render
from carboy.data.migrations.rendertypes import quoted
from carboy.data.migrations.runner import engine_of, run_all
from carboy.data.migrations.scales import unseen
from carboy.data.migrations.status import applied, check_history, waiting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from carboy.data.migrations.project import Target

__all__ = ["Plan", "Said", "drafted", "history_of", "plan"]


@dataclass(frozen=True)
class Said:
    """What the developer has said.

    renamed: {"books.name": "title", "books": "works"}. dropped: {"books.name"}.
    fills: {"books.pages": "0"}, SQL or a value for the rows there are.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: Collection[str] = ()
    fills: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Plan:
    """Changes in order, and what nobody has said yet."""

    changes: list[Change]
    imports: set[str]
    unclear: list[Suspect]

    @property
    def moves_data(self) -> bool:
        """Whether it changes values, too, so that it cannot be noted instead of applied."""
        return any("op.execute(" in line.text for c in self.changes for line in c.up)


def drafted(target: Target, said: Said | None = None) -> Plan:
    """Return what the models have and the migrations lack.

    Raises SetupError (migrations.pending) where only the database can tell, and it has
    not applied all of them.
    """
    with unscoped("migration"), _as_migrated(target) as connection:
        return plan(connection, target.metadata, history_of(target), said)


def plan(
    connection: Connection,
    metadata: sa.MetaData,
    history: History,
    said: Said | None = None,
    *,
    only_known: bool = True,
) -> Plan:
    """Return what makes the database at *connection* what *metadata* says.

    only_known: a table that no migration made is not ours to drop.
    """
    with warnings.catch_warnings():  # tables that refer to each other in a circle: see Render
        warnings.filterwarnings("ignore", "Cannot correctly sort tables")
        return _plan(connection, metadata, history, said or Said(), only_known)


def _plan(
    connection: Connection, metadata: sa.MetaData, history: History, said: Said, only_known: bool
) -> Plan:
    tables = {old: new for old, new in said.renamed.items() if "." not in old}
    known = history.tables if only_known else None
    found = compare(connection, _under_old_names(metadata, tables), known=known)
    found = _renamed_tables(found, tables)
    found, left = resolve(found, connection.dialect, renamed=said.renamed, dropped=said.dropped)
    if only_known and connection.dialect.name == "sqlite":
        found = unseen(metadata, history, found)
    render = Render(metadata, history, fills=said.fills)
    changes = render.changes(found)
    first, last = _searches(connection, metadata, tables)
    return Plan([*first, *changes, *last], render.imports, left)


def history_of(target: Target) -> History:
    """Return what the migrations of *target* say."""
    return History(target.folder.all())


@contextmanager
def _as_migrated(target: Target) -> Iterator[Connection]:
    """Yield a connection to a database with all migrations applied and nothing else."""
    if target.engine.dialect.name == "sqlite":
        engine = engine_for("sqlite://")
        try:
            with engine.connect() as connection:
                run_all(connection, target.folder.all())
                yield connection
        finally:
            engine.dispose()
        return
    engine, close = engine_of(target)
    try:
        with engine.connect() as connection:
            done = applied(connection, target.folder)
            check_history(target.folder, done)
            left = waiting(target.folder, done)
            connection.rollback()
            if left:
                raise SetupError(
                    "migrations.pending",
                    f"The database {target.name!r} has not applied"
                    f" {', '.join(one.revision for one in left)}.",
                    hint="What differs can only be told after that: carboy db upgrade",
                )
            yield connection
    finally:
        close()


def _under_old_names(metadata: sa.MetaData, tables: Mapping[str, str]) -> sa.MetaData:
    """Return *metadata* with renamed tables under their old names, too."""
    for old, new in tables.items():
        if new not in metadata.tables:
            raise SetupError(
                "migrations.said",
                f"The table {old} cannot become {new}: no model has a table of that name.",
                hint=f"Tables of models: {', '.join(sorted(metadata.tables))}.",
            )
    if not tables:
        return metadata
    whole = sa.MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.tables.values():
        names = [table.name, *(old for old, new in tables.items() if new == table.name)]
        ours = {one.name: one._ddl_if for one in table.constraints}
        indexes = {_indexed(index): index.name for index in table.indexes}
        for name in names:
            made = table.to_metadata(whole, name=name)
            for one in made.constraints:
                one._ddl_if = ours.get(one.name)
            for index in made.indexes:  # the copy's are named after the old table
                index.name = indexes[_indexed(index)]
    return whole


def _indexed(index: sa.Index) -> tuple[str, ...]:
    return tuple(str(getattr(part, "name", part)) for part in index.expressions)


def _renamed_tables(found: list[Any], tables: Mapping[str, str]) -> list[Any]:
    """Put RenameTable first; what else there is to do uses the new names."""
    if not tables:
        return found
    new = set(tables.values())
    moved = {
        (one.source_table, str(one.constraint_name))
        for one in found
        if isinstance(one, ops.CreateForeignKeyOp) and one.referent_table in new
    }
    kept = []
    for one in found:
        if isinstance(one, (ops.CreateTableOp, ops.CreateIndexOp)) and one.table_name in new:
            continue
        if _follows(one, moved):
            continue  # the reference follows its table by itself
        kept.append(_with_names(one, tables))
    return [*(RenameTable(old, name) for old, name in tables.items()), *kept]


def _follows(one: Any, moved: set[tuple[str, str]]) -> bool:
    table = getattr(one, "source_table", None) or getattr(one, "table_name", None)
    kinds = (ops.CreateForeignKeyOp, ops.DropConstraintOp)
    return isinstance(one, kinds) and (table, str(one.constraint_name)) in moved


def _with_names(one: Any, tables: Mapping[str, str]) -> Any:
    """Return an operation, and its reverse, on tables under their new names."""
    part = one
    while part is not None:
        for name in ("table_name", "source_table", "referent_table"):
            if vars(part).get(name) in tables:
                setattr(part, name, tables[vars(part)[name]])
        part = getattr(part, "_reverse", None)
    return one


def _searches(
    connection: Connection, metadata: sa.MetaData, renamed: Mapping[str, str]
) -> tuple[list[Change], list[Change]]:
    """Return (to do first, to do last) for full-text search."""
    now, before = search.wanted(metadata), search.existing(connection)
    connection.rollback()
    gone = [t for t, columns in before.items() if now.get(t) != columns or t in renamed]
    new = [t for t, columns in now.items() if before.get(t) != columns]
    return (
        [_search(table, before[table], "drop") for table in gone],
        [_search(table, now[table], "create") for table in new],
    )


def _search(table: str, columns: tuple[str, ...], verb: str) -> Change:
    def line(verb: str) -> Line:
        names = ", ".join(quoted(name) for name in columns)
        return Line(f"ops.{verb}_search({quoted(table)}, [{names}])")

    words = "gets" if verb == "create" else "loses"
    other = "drop" if verb == "create" else "create"
    said = f"{table} {words} full-text search in {', '.join(columns)}"
    return Change(said, table, [line(verb)], [line(other)])
