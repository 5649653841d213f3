"""Tables and columns as a migration writes them.

Table  ->  op.create_table(..., constraints, **kinds.options())
Column ->  sa.Column("pages", kinds.integer(), nullable=False)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from carboy.data.fields import INFO, UNSET
from carboy.data.migrations.rendertypes import (
    Imports,
    condition_of,
    default_of,
    quoted,
    type_of,
)
from carboy.data.models import Model
from carboy.data.types import Exact, Utc

if TYPE_CHECKING:
    from carboy.data.migrations.history import History

__all__ = ["Parts", "check_in", "only_of"]


@dataclass
class Parts:
    """What is known while source is written.

    metadata: the models' tables. history: what earlier migrations say. imports: grows.
    """

    metadata: sa.MetaData
    history: History
    imports: Imports = field(default_factory=set, kw_only=True)

    def table(
        self, table: sa.Table, *, reflected: bool = False, later: Collection[str] = ()
    ) -> str:
        """Return op.create_table(...) with columns, constraints and options, a line each.

        later: names of foreign keys that are made afterwards.
        """
        parts = [quoted(table.name)]
        parts += [
            (reflected and self.history.column(table.name, column.name))
            or self.column(column, reflected=reflected)
            for column in table.c
        ]
        rest = sorted(table.constraints, key=lambda c: (_PLACES.get(type(c), 9), str(c.name)))
        rest = [one for one in rest if one.name not in later]
        parts += [said for one in rest if (said := self._inline(table, one, reflected))]
        told = self.history.options(table.name) if reflected else ""
        inner = ",\n    ".join([*parts, *([f"**{told}"] if told else _options(table))])
        return f"op.create_table(\n    {inner},\n)"

    def _inline(self, table: sa.Table, one: Any, reflected: bool) -> str:
        name = f", name={quoted(str(one.name))}" if one.name else ""
        columns = ", ".join(quoted(column.name) for column in one.columns)
        if isinstance(one, sa.PrimaryKeyConstraint):
            return f"sa.PrimaryKeyConstraint({columns}{name})" if columns else ""
        if isinstance(one, sa.UniqueConstraint):
            return f"sa.UniqueConstraint({columns}{name})"
        if isinstance(one, sa.ForeignKeyConstraint):
            targets = ", ".join(quoted(part.target_fullname) for part in one.elements)
            delete = f", ondelete={quoted(one.ondelete)}" if one.ondelete else ""
            update = f", onupdate={quoted(one.onupdate)}" if one.onupdate else ""
            return f"sa.ForeignKeyConstraint([{columns}], [{targets}]{name}{delete}{update})"
        if isinstance(one, sa.CheckConstraint) and not getattr(one, "_type_bound", False):
            told = self.history.check(str(one.name)) if reflected else ""
            said = f"sa.CheckConstraint({told or condition_of(one)}{name})"
            only = self.only(table.name, str(one.name))
            return f"kinds.only({quoted(only)}, {said})" if only else said
        return ""

    def column(self, column: Any, *, reflected: bool = False) -> str:
        """Return sa.Column(...) without what constraints say."""
        parts = [quoted(column.name), type_of(column.type, self.imports, reflected=reflected)]
        if default := default_of(column, self.imports):
            prefix = "" if default.startswith(("sa.Identity", "sa.Computed")) else "server_default="
            parts.append(f"{prefix}{default}")
        if column.autoincrement is True:
            parts.append("autoincrement=True")
        if not column.primary_key or column.table is None:
            parts.append(f"nullable={bool(column.nullable)}")
        if column.comment:
            parts.append(f"comment={quoted(column.comment)}")
        return f"sa.Column({', '.join(parts)})"

    def only(self, table: str, name: str) -> str:
        """Return the one database that a check is for; "" for all.

        The one for the length of a text is SQLite's alone; when no model has it any more,
        its name tells.
        """
        ours = check_in(self.metadata, table, name)
        if ours is not None:
            return only_of(ours)
        return "sqlite" if name.startswith("ck_") and name.endswith("_max_length") else ""

    def filling(self, column: Any, said: str = "") -> str:
        """Return the source of a value for rows that exist; "" when none is known.

        said: what the developer said. Else the default in Python, where it is plain; now
        for a moment, empty for JSON.
        """
        rules = column.info.get(INFO)
        default = getattr(column.default, "arg", None) if column.default is not None else None
        if rules is not None and rules.default is not UNSET:
            default = rules.default
        if isinstance(column.type, Exact) and (said or isinstance(default, (int, Decimal))):
            return self._exact(column, said or str(default))
        if said:
            return said
        if isinstance(column.type, sa.Enum) and default is not None:
            return quoted(default.value if column.type.values_callable else default.name)
        if isinstance(column.type, Utc) and callable(default):
            return "sa.func.now()"
        if isinstance(default, type) and default in (dict, list):
            return f"sa.literal({default()!r}, kinds.json())"
        if isinstance(default, str):
            return quoted(default)
        return repr(default) if isinstance(default, (bool, int, float)) else ""

    def _exact(self, column: Any, said: str) -> str:
        """Return an exact number as one, for SQLite keeps it scaled; SQL stays SQL."""
        if said.startswith("sa."):
            return said
        self.imports.add("from decimal import Decimal")
        return f"sa.literal(Decimal({quoted(said)}), {type_of(column.type, self.imports)})"


_PLACES: dict[type[Any], int] = {
    sa.PrimaryKeyConstraint: 0, sa.ForeignKeyConstraint: 1, sa.UniqueConstraint: 2,
    sa.CheckConstraint: 3,
}  # fmt: skip


def only_of(constraint: Any) -> str:
    """Return the one dialect that a constraint is for; "" for all."""
    only = constraint._ddl_if
    return str(only.dialect) if only is not None else ""


def check_in(metadata: sa.MetaData, table: str, name: str) -> sa.CheckConstraint | None:
    """Return the check of that name in a table of the models, if there is one."""
    found = metadata.tables.get(table)
    for one in found.constraints if found is not None else ():
        if isinstance(one, sa.CheckConstraint) and str(one.name) == name:
            return one
    return None


def _options(table: sa.Table) -> list[str]:
    """Return the options of a table; those of all models by one word."""
    given: dict[str, Any] = {k: v for k, v in table.kwargs.items() if str(k).isidentifier()}
    if all(given.get(key) == value for key, value in Model.__table_options__.items()):
        own = "autoincrement=True" if given.pop("sqlite_autoincrement", False) else ""
        given = {k: v for k, v in given.items() if k not in Model.__table_options__}
        return [*(f"{key}={value!r}" for key, value in given.items()), f"**kinds.options({own})"]
    return [f"{key}={value!r}" for key, value in given.items()]
