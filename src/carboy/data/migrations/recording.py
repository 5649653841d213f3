"""What a migration would do, found out without a database.

    upgrade()  ->  alembic.op, ours, its connection  ->  collected, not done  ->  [Recorded, ...]

The functions of `alembic.op` end in `invoke(operation)`, and there we stand. A migration
that asks the database something cannot be followed further: that ends in an `Unclear`.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from alembic import op
from alembic.migration import MigrationContext
from alembic.operations import BatchOperations, MigrateOperation, Operations
from alembic.operations.ops import CreateTableOp, ExecuteSQLOp

from carboy.data.migrations.ops import RECORDING

if TYPE_CHECKING:
    from sqlalchemy import Dialect

__all__ = ["Recorded", "Unclear", "dialect_of", "recorded"]


class Unclear(MigrateOperation):
    """A place where the migration cannot be followed; reason: why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


@dataclass(frozen=True)
class Recorded:
    """One operation as the migration asked for it.

    autocommit: inside of `autocommit_block()`. line: of the migration's file; 0 if unknown.
    batch: "" for none, "alembic" for its batch_alter_table, "ours" for ops.alter_table.
    """

    operation: MigrateOperation
    autocommit: bool = False
    batch: str = ""
    line: int = 0


def recorded(function: Callable[[], Any], dialect_name: str) -> list[Recorded]:
    """Return what *function*, an upgrade(), does on a kind of database; nothing connects.

    dialect_name: "sqlite", "postgresql", "mariadb" or "mysql".
    """
    recorder = Recorder(function, dialect_name)
    before = vars(op).get("_proxy")
    recorder.operations._install_proxy()
    try:
        function()
    except NoDatabaseHere as stop:
        recorder.add(Unclear(str(stop)))
    except Exception as error:
        recorder.add(Unclear(f"it stopped with {type(error).__name__}: {error}"))
    finally:
        recorder.operations._remove_proxy()
        if before is not None:
            before._install_proxy()
    return recorder.found


def dialect_of(dialect_name: str) -> Dialect:
    """Return what SQLAlchemy knows of a kind of database; no driver is needed."""
    return MigrationContext.configure(dialect_name=dialect_name, opts={"as_sql": True}).dialect


class NoDatabaseHere(Exception):
    """The migration wants to know something that only a database knows."""


class Recorder:
    """Stands behind Alembic's operations and collects what is asked of them."""

    def __init__(self, function: Callable[[], Any], dialect_name: str) -> None:
        options = {"as_sql": True, "output_buffer": io.StringIO(), RECORDING: self}
        self.context = MigrationContext.configure(dialect_name=dialect_name, opts=options)
        # Not a subclass: Alembic's proxy knows its own class alone.
        self.operations = operations = Operations(self.context)
        ours = {
            "invoke": self.invoke,
            "get_bind": lambda: Statements(self),
            "batch_alter_table": self._batch_alter_table,
        }
        vars(operations).update(ours)
        vars(self.context)["autocommit_block"] = self._autocommit_block
        self.found: list[Recorded] = []
        self.autocommit = False
        self.file = getattr(getattr(function, "__code__", None), "co_filename", "")

    def add(self, operation: MigrateOperation, batch: str = "") -> None:
        """Keep *operation*, and where it was asked for."""
        self.found.append(Recorded(operation, self.autocommit, batch, self._line()))

    def invoke(self, operation: MigrateOperation) -> Any:
        """Keep *operation*; a table that it makes is returned, as Alembic does."""
        self.add(operation)
        if isinstance(operation, CreateTableOp):
            return operation.to_table(self.context)
        return None

    @contextmanager
    def _batch_alter_table(
        self, table_name: str, schema: str | None = None, *_: Any, **__: Any
    ) -> Iterator[BatchOperations]:
        with self.batch(table_name, schema=schema) as batch:
            yield batch

    @contextmanager
    def batch(
        self, table: str, *, faithful: bool = False, schema: str | None = None
    ) -> Iterator[BatchOperations]:
        """Collect operations on one table. faithful: by ops.alter_table."""
        kind = "ours" if faithful else "alembic"
        yield RecordingBatch(self, table, schema, kind)

    @contextmanager
    def _autocommit_block(self) -> Iterator[None]:
        self.autocommit = True
        try:
            yield
        finally:
            self.autocommit = False

    def _line(self) -> int:
        frame: Any = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self.file:
                return int(frame.f_lineno)
            frame = frame.f_back
        return 0


class RecordingBatch(BatchOperations):
    """Alembic's batch, collected."""

    def __init__(self, recorder: Recorder, table: str, schema: str | None, kind: str) -> None:
        place: Any = SimpleNamespace(table_name=table, schema=schema, operations=recorder)
        super().__init__(recorder.context, impl=place)
        self._recorder, self._kind = recorder, kind

    def invoke(self, operation: MigrateOperation) -> Any:
        """Keep *operation*."""
        self._recorder.add(operation, self._kind)


class Statements:
    """A connection to nothing: statements are kept, and anything else is a question."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.dialect = recorder.context.dialect

    def execute(self, statement: Any, *_: Any, **__: Any) -> Any:
        """Keep *statement*; what it returns must not be looked at."""
        self._recorder.add(ExecuteSQLOp(statement))
        return Answer()

    exec_driver_sql = scalar = scalars = execute

    def __getattr__(self, name: str) -> Any:
        raise NoDatabaseHere(f"it uses the connection's {name}")


class Answer:
    """What a statement returned: unknown."""

    def __getattr__(self, name: str) -> Any:
        raise NoDatabaseHere("it depends on what is in the database")

    def __iter__(self) -> Iterator[Any]:
        raise NoDatabaseHere("it depends on what is in the database")

    __bool__ = __iter__
