"""Types, defaults and conditions as a migration writes them: for every database at once.

String(200) that compares by code point   ->  kinds.text(200)
VARCHAR(200), as a database tells it      ->  kinds.text(200)
price >= 0.5, scaled on SQLite            ->  kinds.sql("price >= 0.5", sqlite="price >= 50")
a type of somebody else's                 ->  as Alembic writes it, and its import
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import render
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from sqlalchemy import types
from sqlalchemy.dialects import mysql

from carboy.data.migrations.checks import text_of
from carboy.data.stored import Reference
from carboy.data.types import Exact, Utc

__all__ = ["Imports", "as_alembic", "condition_of", "default_of", "quoted", "type_of"]

Imports = set[str]
"""Lines such as "from sqlalchemy.dialects import mysql" that what was rendered needs."""

DIALECTS = ("postgresql", "sqlite", "mariadb")  # the first one's text is the usual one


def quoted(value: str) -> str:
    """Return *value* as a Python literal, in double quotes where that is readable.

    >>> quoted("it's"), quoted('a "b"')
    ('"it\\'s"', '\\'a "b"\\'')
    """
    plain = repr(value)
    return (
        f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in value and "'" not in value else plain
    )


def type_of(kind: Any, imports: Imports, *, reflected: bool = False) -> str:
    """Return the source of a column type. reflected: as a database told it."""
    found = _told(kind) if reflected else _ours(kind)
    return found or _others(kind, imports)


def default_of(column: Any, imports: Imports) -> str:
    """Return the source of a server default; "" when there is none."""
    default = column.server_default
    if default is None:
        return ""
    arg = getattr(default, "arg", None)
    if isinstance(arg, str):
        return quoted(arg)
    if isinstance(arg, sa.TextClause):
        return f"sa.text({quoted(arg.text)})"
    if arg is not None and str(arg) in ("now()", "CURRENT_TIMESTAMP"):
        return "sa.func.now()"
    if isinstance(arg, (sa.sql.elements.True_, sa.sql.elements.False_)):
        return f"sa.{str(arg).lower()}()"
    return str(render._render_server_default(default, _context(imports)))


def condition_of(constraint: sa.CheckConstraint) -> str:
    """Return the source of a condition, with the texts of databases that write it differently."""
    only = constraint._ddl_if
    names = DIALECTS if only is None else (str(only.dialect),)
    texts = {name: text_of(constraint, _dialect(name)) for name in names}
    usual, *_ = texts.values()
    others = {name: said for name, said in texts.items() if said != usual}
    if not others and ":" not in usual and "%" not in usual:
        return quoted(usual)
    said = "".join(f", {name}={quoted(one)}" for name, one in others.items())
    return f"kinds.sql({quoted(usual)}{said})"


@cache
def _dialect(name: str) -> Any:
    dialect: Any = sa.make_url(f"{name}://").get_dialect()
    return dialect(paramstyle="named")  # no doubled percent signs


def _ours(kind: Any) -> str:
    """Return what a type of `carboy.data.types` is called; "" for others."""
    variants = getattr(kind, "_variant_mapping", {})
    if isinstance(kind, Exact):
        return f"kinds.decimal({kind.digits}, {kind.places})"
    if isinstance(kind, Reference):
        return "kinds.json()"
    if isinstance(kind, Utc):
        return "kinds.datetime()"
    if isinstance(kind, sa.Enum):
        return "" if kind.native_enum or kind.create_constraint else f"kinds.choice({kind.length})"
    if isinstance(kind, sa.String) and getattr(variants.get("postgresql"), "collation", "") == "C":
        return f"kinds.text({kind.length or ''})"
    if type(kind) in _BARE:
        return _BARE[type(kind)]
    needed = _VARIED.get(type(kind))
    return f"kinds.{needed[1]}()" if needed and needed[0] in variants else ""


_BARE = {
    sa.Boolean: "kinds.boolean()",
    sa.Double: "kinds.number()",
    sa.Date: "kinds.date()",
    sa.Uuid: "kinds.uuid()",
}
_VARIED = {
    sa.BigInteger: ("sqlite", "integer"),
    sa.Time: ("mariadb", "time"),
    sa.LargeBinary: ("mariadb", "binary"),
    sa.JSON: ("postgresql", "json"),
}


def _told(kind: Any) -> str:
    """Return what a reflected type is called, where it is one that our types become."""
    length = getattr(kind, "length", None)
    if isinstance(kind, mysql.TINYINT):
        return "kinds.boolean()"
    if isinstance(kind, types.CHAR):
        return "kinds.uuid()" if length == 32 else ""
    if isinstance(kind, sa.String):
        return f"kinds.text({length or ''})"
    if isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float):
        return f"kinds.decimal({kind.precision}, {kind.scale})" if kind.scale is not None else ""
    return next((f"kinds.{word}()" for known, word in _TOLD if isinstance(kind, known)), "")


_TOLD: tuple[tuple[type[Any], str], ...] = (
    (sa.JSON, "json"), (sa.Uuid, "uuid"), (sa.Boolean, "boolean"), (sa.Float, "number"),
    (sa.DateTime, "datetime"), (sa.Date, "date"), (sa.Time, "time"), (types._Binary, "binary"),
    (sa.Integer, "integer"),
)  # fmt: skip


def as_alembic(operation: Any, imports: Imports) -> str:
    """Return the source of an operation as Alembic writes it."""
    return "\n".join(render.render_op(_context(imports), operation))


def _others(kind: Any, imports: Imports) -> str:
    context = _context(imports)
    said = render._repr_type(kind, context)
    module = type(kind).__module__
    if not module.startswith("sqlalchemy"):
        imports.add(f"import {module}")
    return str(said)


def _context(imports: Imports) -> AutogenContext:
    """Return what Alembic's renderer wants to know; its imports go to *imports*."""
    options = {"sqlalchemy_module_prefix": "sa.", "alembic_module_prefix": "op.",
               "user_module_prefix": None, "render_item": None}  # fmt: skip
    context = AutogenContext(
        MigrationContext.configure(dialect_name="sqlite"), opts=options, autogenerate=False
    )
    context.imports = imports
    return context
