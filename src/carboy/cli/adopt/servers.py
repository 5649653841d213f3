"""Servers: PostgreSQL, MySQL and MariaDB, by reflection, read in one transaction.

    address  ->  engine_for()  ->  inspect()  ->  RawTable, rows through a server's cursor

Only the default schema is read. The password of the address is never shown.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from carboy.base.errors import CarboyError, SetupError
from carboy.cli.adopt.drafts import RawColumn, RawReference, RawTable
from carboy.cli.adopt.staging import Stage, stored

if TYPE_CHECKING:
    from sqlalchemy import Connection, Inspector

__all__ = ["read_server"]

PORTION = 2_000  # rows from the server at a time
OURS = {"alembic_version", "carboy_migrations"}


def read_server(address: str, stage: Stage) -> None:
    """Stage the tables of the database at *address*.

    Raises SetupError (new.from.server) when it cannot be reached, or refuses.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from carboy.data.engines import engine_for, resolve

    shown = resolve(address)[0].render_as_string(hide_password=True)
    engine = engine_for(address, name="source")
    try:
        with engine.connect() as connection:
            _read(connection.execution_options(isolation_level="REPEATABLE READ"), stage, shown)
    except (CarboyError, SQLAlchemyError) as error:
        if isinstance(error, SetupError):
            raise
        raise _letter(shown, error) from None  # the driver's words may quote the address
    finally:
        engine.dispose()
    if not stage.sheets:
        raise SetupError(
            "new.from.empty", f"{shown} has no tables.", hint="Is it the right database?"
        )


def _letter(shown: str, error: Exception) -> SetupError:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    said = str(cause).strip().splitlines() or [type(cause).__name__]
    return SetupError(
        "new.from.server",
        f"{shown} cannot be read: {said[0]}",
        hint="Look at host, port, user, password and name of the database. Signs such as @ : /"
        " in a password are written %40 %3A %2F.",
    )


def _read(connection: Connection, stage: Stage, shown: str) -> None:
    from sqlalchemy import inspect

    found = inspect(connection)
    database = str(connection.engine.url.database or "")
    for view in found.get_view_names():
        stage.notes.append(f"{database}: {view} is a view, so it was left out")
    for schema in found.get_schema_names():
        if schema not in (
            found.default_schema_name,
            "information_schema",
            "mysql",
            "sys",
            "performance_schema",
            "public",
        ) and found.get_table_names(schema):
            stage.notes.append(f"the tables of the schema {schema} were left out")  # fmt: skip
    for name in found.get_table_names():
        if name not in OURS and not name.startswith("carboy_"):
            _table(connection, found, stage, f"{database}, table {name}", name)


def _table(connection: Connection, found: Inspector, stage: Stage, origin: str, name: str) -> None:
    from sqlalchemy import column, select, table

    raw = RawTable(name, origin)
    readers = []
    for one in found.get_columns(name):
        made, reader = _column(one)
        raw.columns.append(made)
        readers.append(reader)
    raw.key = tuple(found.get_pk_constraint(name).get("constrained_columns") or ())
    raw.uniques = [
        tuple(map(str, one["column_names"])) for one in found.get_unique_constraints(name)
    ]
    raw.references = [
        RawReference(
            tuple(one["constrained_columns"]), one["referred_table"], tuple(one["referred_columns"])
        )
        for one in found.get_foreign_keys(name)
        if one["referred_schema"] in (None, found.default_schema_name)
    ]
    raw.checks = [str(one["sqltext"]) for one in found.get_check_constraints(name)]
    columns: list[Any] = [column(one.name) for one in raw.columns]
    query = select(*columns).select_from(table(name))
    query = query.order_by(*(column(part) for part in raw.key)) if raw.key else query
    sheet = stage.sheet(raw)
    options = {"stream_results": True, "yield_per": PORTION}
    for number, row in enumerate(connection.execute(query, execution_options=options), 1):
        sheet.put(number, [read(value) for read, value in zip(readers, row, strict=True)])
    sheet.flush()


def _column(found: Any) -> tuple[RawColumn, Callable[[Any], Any]]:
    """Return what a column declares, and what stages its values."""
    from sqlalchemy import types as t

    kind, sql = found["type"], _said(found["type"])
    made = RawColumn(found["name"], sql=sql, nullable=bool(found.get("nullable", True)))
    if isinstance(kind, t.Enum):
        made.kind, made.values = "text", tuple(kind.enums)
    elif isinstance(kind, t.ARRAY):
        made.kind = "json"
    else:
        made.kind = next((word for cls, word in _kinds() if isinstance(kind, cls)), "")
    if sql.upper().startswith("TINYINT(1)"):
        made.kind = "boolean"
    if type(kind).__name__ == "LONGTEXT" and getattr(kind, "collation", "") == "utf8mb4_bin":
        made.kind = "json"  # as MariaDB shows its JSON; `infer` looks whether it is some
    if made.kind == "text" and not made.values:
        made.max_length = getattr(kind, "length", None)
    if made.kind == "decimal":
        made.digits, made.places = kind.precision, kind.scale
    return made, _stored


def _kinds() -> tuple[tuple[Any, str], ...]:
    from sqlalchemy import types as t

    return (
        (t.Boolean, "boolean"), (t.Integer, "integer"), (t.Float, "number"),
        (t.Numeric, "decimal"), (t.DateTime, "datetime"), (t.Date, "date"), (t.Time, "time"),
        (t.Uuid, "uuid"), (t.JSON, "json"), (t.LargeBinary, "bytes"), (t.String, "text"),
    )  # fmt: skip


def _said(kind: Any) -> str:
    try:
        return str(kind)
    except Exception:  # a type that only its own dialect can say
        return type(kind).__name__


def _stored(value: Any) -> Any:
    """Return *value* for the stage: what has no JSON becomes text that says it exactly."""
    how = _TEXTS.get(type(value))
    return how(value) if how else stored(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (str, int, float, bytes)) or value is None:
        return value
    if isinstance(value, dict):
        return {str(key): _inner(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_inner(one) for one in value]
    if isinstance(value, (set, frozenset)):
        return ",".join(sorted(map(str, value)))
    return str(value)


def _inner(value: Any) -> Any:
    how = _TEXTS.get(type(value))
    return how(value) if how else _plain(value)


_TEXTS: dict[type, Callable[[Any], Any]] = {
    Decimal: lambda v: format(v, "f"),
    dt.datetime: lambda v: v.isoformat(" "),
    dt.date: lambda v: v.isoformat(),
    dt.time: lambda v: v.isoformat(),
    uuid.UUID: str,
}
