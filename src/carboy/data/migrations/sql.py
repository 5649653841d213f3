"""What an upgrade would say to the database, as SQL, without saying it.

    SQLite       runs in memory, on empty tables, and is written down
    the others   Alembic's offline mode; our steps as they are written when nothing is in the way

The text is for reading and for handing to somebody. `carboy db upgrade` looks at the
database between its statements, waits for locks and can go on after a failure; SQL cannot.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.operations.ops import AddColumnOp, CreateUniqueConstraintOp
from sqlalchemy.exc import SQLAlchemyError

from carboy.base.scope import unscoped
from carboy.data import search
from carboy.data.engines import engine_for
from carboy.data.migrations.failures import Journal
from carboy.data.migrations.ops import RECORDING, WAYS
from carboy.data.migrations.runner import perform, run_all
from carboy.data.migrations.status import APPLIED
from carboy.data.migrations.steps import (
    AddColumn,
    AddUnique,
    Backfill,
    CreateSearch,
    DropSearch,
    OurStep,
)
from carboy.data.migrations.work import MYSQL, Work

if TYPE_CHECKING:
    from alembic.operations import BatchOperations
    from sqlalchemy import Connection, Engine

    from carboy.data.migrations.folder import Migration

__all__ = ["statements", "statements_of"]


def statements(engine: Engine, done: Sequence[Migration], todo: Sequence[Migration]) -> list[str]:
    """Return what applying *todo* after *done* would run, with a comment before each file."""
    said = []
    for place, one in enumerate(todo):
        said.append(f"-- {one.revision}: {one.title}")
        said += statements_of(engine, [*done, *todo[:place]], one.load().upgrade)
        row = f"'{one.revision}', '{one.digest}', CURRENT_TIMESTAMP"
        said.append(f"INSERT INTO {_BOOKS} VALUES ({row})")  # noqa: S608  # names of files
    return said


def statements_of(engine: Engine, done: Sequence[Migration], work: Callable[[], None]) -> list[str]:
    """Return what *work*, an upgrade(), would run on a database that has applied *done*."""
    with unscoped("migration"):
        if engine.dialect.name != "sqlite":
            return _written(engine, work)
        aside = engine_for("sqlite://")
        try:
            with aside.connect() as connection:
                run_all(connection, done)
                return _noted(connection, work)
        finally:
            aside.dispose()


def _noted(connection: Connection, work: Callable[[], None]) -> list[str]:
    done: list[str] = []

    def noting() -> None:
        here: Any = op._proxy  # type: ignore[attr-defined]  # the Operations behind alembic.op
        journal = Journal(connection)
        with journal, _instead(here, lambda step: _note(here, step, journal)):
            work()
        done.extend(map(_with_values, journal.done, journal.values))

    perform(connection, noting, "as SQL")
    return done


def _note(here: Operations, step: Any, journal: Journal) -> Any:
    """Do *step*; note a backfill, which finds no rows here, as the statement it comes to."""
    if not isinstance(step, Backfill):
        return Operations.invoke(here, step)
    journal.done.append(_update(step, here.migration_context.dialect))
    journal.values.append(())
    return None


@contextmanager
def _instead(here: Any, invoke: Callable[[Any], Any]) -> Iterator[None]:
    """Let everything that `alembic.op` is asked for go through *invoke*."""
    here.invoke = invoke
    here._install_proxy()
    try:
        yield
    finally:
        del here.invoke
        here._install_proxy()


def _update(step: Backfill, dialect: Any) -> str:
    """Return a backfill as one UPDATE."""
    target = sa.table(step.table, *(sa.column(name) for name in step.values))
    missing = sa.or_(*(target.c[name].is_(None) for name in step.values))
    said = sa.text(step.where) if isinstance(step.where, str) else step.where
    values = {name: _expression(value) for name, value in step.values.items()}
    statement = sa.update(target).values(**values)
    statement = statement.where(missing if said is None else said)
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _expression(value: Any) -> Any:
    return value if hasattr(value, "compile") else sa.literal(value)


def _with_values(statement: str, values: Any) -> str:
    """Return a statement of SQLite with its values in it; of many rows, the first."""
    first = values[0] if values and isinstance(values, list) else values
    if not isinstance(first, tuple) or statement.count("?") != len(first):
        return " ".join(statement.split())
    parts = " ".join(statement.split()).split("?")
    literals = [_literal(value) for value in first]
    return "".join(f"{part}{value}" for part, value in zip(parts, [*literals, ""], strict=True))


def _literal(value: Any) -> str:
    if value is None or isinstance(value, (int, float)):
        return "NULL" if value is None else str(value)
    return "'{}'".format(str(value).replace("'", "''"))


def _written(engine: Engine, work: Callable[[], None]) -> list[str]:
    buffer = io.StringIO()
    options = {"as_sql": True, "output_buffer": buffer, RECORDING: _Plainly()}
    context = MigrationContext.configure(dialect=engine.dialect, opts=options)
    with Operations.context(context) as here, _instead(here, lambda step: _write(here, step)):
        work()
    parts = buffer.getvalue().split(";\n")
    return [" ".join(part.split()) for part in parts if part.strip()]


_BOOKS = f"{APPLIED.name} (revision, digest, applied_at)"


def _write(here: Operations, step: Any) -> Any:
    """Write one step; one that has to look at the database first is a comment."""
    if isinstance(step, AddColumn):
        return Operations.invoke(here, AddColumnOp(step.table, step.column))
    if not isinstance(step, OurStep):
        return Operations.invoke(here, step)
    pen = _Pen(here)
    if isinstance(step, Backfill):
        return pen.run(_update(step, pen.dialect))
    do: Any = WAYS[pen.dialect.name].get(type(step), _search)
    if isinstance(step, AddUnique) and pen.dialect.name in MYSQL:
        return Operations.invoke(
            here, CreateUniqueConstraintOp(step.name, step.table, list(step.columns))
        )
    try:
        return do(pen, step)
    except (AttributeError, TypeError, SQLAlchemyError):
        what = f"{step.table} {getattr(step, 'column', getattr(step, 'name', ''))}".strip()
        return pen.run(f"-- {type(step).__name__} of {what}: `carboy db upgrade` looks first")


class _Plainly:
    """What `ops.alter_table` turns to here: Alembic's own block, which waits for nobody."""

    def batch(self, table: str, *, faithful: bool) -> AbstractContextManager[BatchOperations]:
        """Return the block for the changes of one table."""
        return op.batch_alter_table(table)


class _Pen(Work):
    """A step at work where there is no database: it finds nothing, and writes what it would run."""

    def run(self, statement: str) -> None:
        """Write a statement."""
        self.context.impl.static_output(f"{statement};\n")

    def value(self, query: str, **values: Any) -> Any:
        """Return None: nothing is there yet."""
        return None

    def locking(self, table: str, *statements: str) -> None:
        """Write statements."""
        for statement in statements:
            self.run(statement)

    @contextmanager
    def apart(self) -> Iterator[Any]:
        """Write that a transaction ends before, and begins after."""
        self.run("COMMIT")
        yield self.context.connection
        self.run("COMMIT")

    @contextmanager
    def autocommit(self) -> Iterator[None]:
        """Write that the statements are in no transaction."""
        self.run("COMMIT")
        yield


def _search(pen: _Pen, step: CreateSearch | DropSearch) -> None:
    if isinstance(step, CreateSearch):
        raise TypeError("what it makes depends on the columns that are there")
    pen.locking(step.table, *search.drop_sql(step.table, step.columns, pen.dialect.name))
