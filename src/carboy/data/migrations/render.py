"""Operations as a migration writes them, and as people say them.

    AddColumnOp(books, pages)  ->  Change: "books gets the column pages"
                                           ops.add_column("books", sa.Column("pages", ...))
                                           and what undoes it

The functions of `ops` do each thing in the way of the database it runs on. Changes of one
table that only its rebuild can make on SQLite are put into one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from carboy.base.errors import SetupError
from carboy.data.migrations.lines import Change, Line
from carboy.data.migrations.parts import Parts, check_in
from carboy.data.migrations.renames import RenameColumn, RenameTable
from carboy.data.migrations.rendertypes import (
    as_alembic,
    condition_of,
    default_of,
    quoted,
    type_of,
)
from carboy.data.migrations.scales import narrower, rescaling

__all__ = ["Render"]


@dataclass
class Render(Parts):
    """Operations to changes; what it has to know is in Parts.

    fills: "table.column" to the source of a value for rows that exist.
    """

    fills: Mapping[str, str] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    coming: set[str] = field(default_factory=set)

    def changes(self, found: Iterable[Any]) -> list[Change]:
        """Return one Change for each operation, in order."""
        found = [*found]
        made, later = list[Change](), list[Change]()
        self.coming = {one.table_name for one in found if isinstance(one, ops.CreateTableOp)}
        for one in found:
            if isinstance(one, ops.CreateTableOp):
                self.coming.discard(one.table_name)
                self.new.add(one.table_name)
                later += self._circular(one)
            elif later:
                made += later
                later = []
            made.append(next(do for kind, do in _WRITERS if isinstance(one, kind))(self, one))
        return made + later

    # -- tables and columns --

    def create_table(self, one: Any) -> Change:
        """Write a new table whole; foreign keys to tables that come later follow it."""
        table = one.to_table()
        table = self.metadata.tables.get(table.key, table)
        return Change(
            f"new table {table.name} ({', '.join(column.name for column in table.c)})",
            table.name,
            [Line(self.table(table, later=[str(key.name) for key in self._later(table)]))],
            [Line(f"op.drop_table({quoted(table.name)})")],
        )  # fmt: skip

    def _later(self, table: sa.Table) -> list[sa.ForeignKeyConstraint]:
        """Return the foreign keys of a new table to those that come after it, in a circle."""
        return [
            key for key in table.foreign_key_constraints
            if key.elements[0].target_fullname.rpartition(".")[0] in self.coming
        ]  # fmt: skip

    def _circular(self, one: Any) -> list[Change]:
        table = self.metadata.tables.get(one.table_name)
        keys = self._later(table) if table is not None else []
        made = [ops.CreateForeignKeyOp.from_constraint(key) for key in keys]
        return [self.add_constraint(key) for key in made]

    def drop_table(self, one: Any) -> Change:
        """Write the end of a table; its reverse has the columns as earlier migrations say."""
        table = one.to_table()
        return Change(
            f"the table {table.name} goes, with all its rows", table.name,
            [Line(f"op.drop_table({quoted(table.name)})")],
            [Line(self.table(table, reflected=True))], loses=True,
        )  # fmt: skip

    def add_column(self, one: Any) -> Change:
        """Write a new column; a required one is filled before it is required."""
        table, column = one.table_name, one.column
        on, name = f"{table}.{column.name}", quoted(column.name)
        fill = self.filling(column, self.fills.get(on, ""))
        required = not column.nullable and column.server_default is None
        bare = column._copy()
        if required and fill:
            bare.nullable = True
        said = self.column(bare)
        up = [Line(f"ops.add_column({quoted(table)}, {said})")]
        if required and fill:
            up.append(Line(f"ops.backfill({quoted(table)}, {{{name}: {fill}}})"))
            up.append(Line(f"ops.set_not_null({quoted(table)}, {name})"))
        return Change(
            f"{table} gets the column {column.name}"
            + (f", {fill} in the rows there are" if required and fill else ""),
            on, up, [Line(f"table.drop_column({name})", table)],
            needs_value=required and not fill,
        )  # fmt: skip

    def drop_column(self, one: Any) -> Change:
        """Write the end of a column; its reverse makes it optional, for its values are gone."""
        table, column = one.table_name, one.to_column()
        said = self.history.column(table, column.name) or self.column(column, reflected=True)
        if not column.nullable and column.server_default is None:
            said = said.replace("nullable=False", "nullable=True")
        return Change(
            f"{table} loses the column {column.name}, with its values", f"{table}.{column.name}",
            [Line(f"table.drop_column({quoted(column.name)})", table)],
            [Line(f"ops.add_column({quoted(table)}, {said})")], loses=True,
            required=not column.nullable and column.server_default is None,
        )  # fmt: skip

    def rename_column(self, one: RenameColumn) -> Change:
        """Write a new name for a column."""
        kind = self.history.type(one.table, one.old) or type_of(
            one.column.type, self.imports, reflected=True
        )
        kept = f"existing_type={kind}, existing_nullable={one.column.nullable}"
        if default := default_of(one.column, self.imports):
            kept += f", existing_server_default={default}"

        def line(old: str, new: str) -> Line:
            names = f"{quoted(old)}, new_column_name={quoted(new)}"
            return Line(f"table.alter_column({names}, {kept})", one.table, alone=True)

        return Change(
            f"{one.table}.{one.old} is called {one.new} from now on", f"{one.table}.{one.new}",
            [line(one.old, one.new)], [line(one.new, one.old)],
        )  # fmt: skip

    def rename_table(self, one: RenameTable) -> Change:
        """Write a new name for a table."""
        return Change(
            f"the table {one.old} is called {one.new} from now on", one.new,
            [Line(f"op.rename_table({quoted(one.old)}, {quoted(one.new)})")],
            [Line(f"op.rename_table({quoted(one.new)}, {quoted(one.old)})")],
        )  # fmt: skip

    def alter_column(self, one: Any) -> Change:
        """Write what changes of a column: type, default; optional or not."""
        table, name = one.table_name, one.column_name
        column = self.metadata.tables[table].c[name]
        new, old, words, loses = [], [], [], False
        was = self.history.type(table, name) or type_of(
            one.existing_type, self.imports, reflected=True
        )
        now = type_of(column.type, self.imports) if one.modify_type is not None else was
        if one.modify_type is not None:
            new.append(f"type_={now}")
            old.append(f"type_={was}")
            words.append(f"is {_bare(now)} instead of {_bare(was)}")
            narrow = narrower(was, now)
            loses = not _wider(one.existing_type, one.modify_type) if narrow is None else narrow
        if one.modify_server_default is not False:
            new.append(f"server_default={default_of(column, self.imports) or None}")
            was_default = sa.Column("x", sa.Text, server_default=one.existing_server_default)
            old.append(f"server_default={default_of(was_default, self.imports) or None}")
            words.append("has another default")
        if one.modify_nullable:
            new.append("nullable=True")
            words.append("is optional")
        up, down = list[Line](), list[Line]()
        scaled, back = rescaling(was, now, table, name)
        changes, before = one.modify_nullable is not None, bool(one.existing_nullable)
        if new:
            up += [self._altered(one, new, was, before), *scaled]
        if old:
            down += [self._altered(one, old, now, True if changes else before), *back]
        if one.modify_nullable:
            down.append(Line(f"ops.set_not_null({quoted(table)}, {quoted(name)})"))
        if one.modify_nullable is False:
            words.append("is required")
            fill = self.filling(column, self.fills.get(f"{table}.{name}", ""))
            if fill:
                up.append(Line(f"ops.backfill({quoted(table)}, {{{quoted(name)}: {fill}}})"))
            up.append(Line(f"ops.set_not_null({quoted(table)}, {quoted(name)})"))
            down.insert(0, self._altered(one, ["nullable=True"], now, False))
        return Change(f"{table}.{name} {', '.join(words)}", f"{table}.{name}", up, down, loses)

    def _altered(self, one: Any, said: list[str], kind: str, nullable: bool) -> Line:
        """Return the call; MariaDB forgets of a column what it is not told again."""
        kept = [f"existing_type={kind}"]
        if not any(part.startswith("nullable") for part in said):
            kept.append(f"existing_nullable={nullable}")
        there = one.existing_server_default
        if there and not any(part.startswith("server_default") for part in said):
            column = sa.Column("x", sa.Text, server_default=there)
            kept.append(f"existing_server_default={default_of(column, self.imports)}")
        text = f"table.alter_column({quoted(one.column_name)}, {', '.join([*said, *kept])})"
        return Line(text, one.table_name)

    def other(self, one: Any) -> Change:
        """Write what is rare, such as a comment, in Alembic's words."""
        up, down = as_alembic(one, self.imports), as_alembic(one.reverse(), self.imports)
        words = f"{one.table_name}: {one.to_diff_tuple()[0].replace('_', ' ')}"
        return Change(words, one.table_name, [Line(up)], [Line(down)])

    # -- indexes and constraints --

    def create_index(self, one: Any) -> Change:
        """Write a new index; on a new table nobody waits, so it is made plainly."""
        index = one.to_index()
        line = self._index(one)
        down = [] if one.table_name in self.new else [self._drop_index(one)]
        columns = ", ".join(str(getattr(part, "name", part)) for part in index.expressions)
        return Change(f"{one.table_name} gets an index on {columns}", one.table_name, [line], down)

    def drop_index(self, one: Any) -> Change:
        """Write the end of an index."""
        back = [self._index(one.reverse())] if one._reverse is not None else []
        words = f"{one.table_name} loses the index {one.index_name}"
        return Change(words, one.table_name, [self._drop_index(one)], back)

    def _index(self, one: Any) -> Line:
        index = one.to_index()
        names = [getattr(part, "name", None) for part in index.expressions]
        if None in names or index.dialect_kwargs:
            parts = ", ".join(
                quoted(part.name)
                if isinstance(part, sa.Column)
                else f"sa.text({quoted(str(part))})"
                for part in index.expressions
            )
            more = "".join(f", {key}={value!r}" for key, value in index.dialect_kwargs.items())
            call = f"op.create_index({quoted(one.index_name)}, {quoted(one.table_name)}, [{parts}]"
            return Line(f"{call}{', unique=True' if index.unique else ''}{more})")
        who = "op" if one.table_name in self.new else "ops"
        unique = ", unique=True" if index.unique else ""
        columns = ", ".join(quoted(str(name)) for name in names)
        head = f"{quoted(one.index_name)}, {quoted(one.table_name)}"
        return Line(f"{who}.create_index({head}, [{columns}]{unique})")

    def _drop_index(self, one: Any) -> Line:
        return Line(f"ops.drop_index({quoted(one.index_name)}, {quoted(one.table_name)})")

    def add_constraint(self, one: Any) -> Change:
        """Write a new constraint."""
        line, words = self._constraint(one)
        name = quoted(str(one.constraint_name))
        kind = _KINDS[one.constraint_type]
        gone = Line(
            f"table.drop_constraint({name}, type_={quoted(kind)})", one_table(one), line.only
        )
        return Change(f"{one_table(one)} {words}", one_table(one), [line], [gone])

    def drop_constraint(self, one: Any) -> Change:
        """Write the end of a constraint; its reverse is what earlier migrations say."""
        if one.constraint_name is None:
            raise _nameless(one.table_name)
        name, table = str(one.constraint_name), one.table_name
        kind = _KINDS.get(one.constraint_type, one.constraint_type)
        only = self.only(table, name) if kind == "check" else ""
        gone = Line(f"table.drop_constraint({quoted(name)}, type_={quoted(kind)})", table, only)
        reverse = one._reverse
        back = self._constraint(one.reverse(), back=True)[0] if reverse is not None else None
        words = f"{table} loses the {_WORDS[kind]} {name}"
        return Change(words, table, [gone], [back] if back else [])

    def _constraint(self, one: Any, *, back: bool = False) -> tuple[Line, str]:
        name, table = quoted(str(one.constraint_name)), one_table(one)
        head = f"{name}, {quoted(table)}"
        if isinstance(one, ops.CreateForeignKeyOp):
            target, delete = one.referent_table, one.kw.get("ondelete")
            text = (
                f"ops.add_foreign_key({head}, {quoted(target)}, {_list(one.local_cols)},"
                f" {_list(one.remote_cols)}{f', on_delete={quoted(delete)}' if delete else ''})"
            )
            return Line(text), f"refers to {target} by {', '.join(one.local_cols)}"
        if isinstance(one, ops.CreateUniqueConstraintOp):
            columns = [str(getattr(column, "name", column)) for column in one.columns]
            return (
                Line(f"ops.add_unique({head}, {_list(columns)})"),
                f"has no two rows with the same {', '.join(columns)}",
            )
        return self._check(one, str(one.constraint_name), head, back)

    def _check(self, one: Any, name: str, head: str, back: bool) -> tuple[Line, str]:
        ours = None if back else check_in(self.metadata, one.table_name, name)
        told = self.history.check(name) or quoted(str(one.condition))
        said = condition_of(ours) if ours is not None else told
        only = self.only(one.table_name, name)
        return Line(f"ops.add_check({head}, {said})", "", only), f"checks {name}"


def _nameless(table: str) -> SetupError:
    return SetupError(
        "migrations.nameless",
        f"The database has a constraint on {table} without a name, which no model has.",
        hint="Nothing can drop it by name. Write  carboy db make --empty  and rebuild the table"
        " there,\nor declare it in the model as it is.",
    )


def one_table(one: Any) -> str:
    """Return the table that an operation is about."""
    return str(getattr(one, "source_table", None) or one.table_name)


_WRITERS: tuple[tuple[type[Any], Callable[[Render, Any], Change]], ...] = (
    (ops.CreateTableOp, Render.create_table), (ops.DropTableOp, Render.drop_table),
    (ops.AddColumnOp, Render.add_column), (ops.DropColumnOp, Render.drop_column),
    (ops.AlterColumnOp, Render.alter_column), (RenameColumn, Render.rename_column),
    (RenameTable, Render.rename_table), (ops.CreateIndexOp, Render.create_index),
    (ops.DropIndexOp, Render.drop_index), (ops.DropConstraintOp, Render.drop_constraint),
    (ops.AddConstraintOp, Render.add_constraint), (object, Render.other),
)  # fmt: skip

_KINDS = {
    "foreignkey": "foreignkey", "foreign_key_constraint": "foreignkey", "unique": "unique",
    "unique_constraint": "unique", "check": "check", "primary": "primary",
}  # fmt: skip
_WORDS = {
    "foreignkey": "foreign key", "unique": "unique constraint", "check": "check",
    "primary": "primary key",
}  # fmt: skip


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(quoted(str(name)) for name in names)}]"


def _bare(said: str) -> str:
    return said.removeprefix("kinds.").removeprefix("sa.").removesuffix("()")


def _wider(old: Any, new: Any) -> bool:
    """Tell whether every value of the old type is one of the new."""
    if not (isinstance(old, sa.String) and isinstance(new, sa.String)):
        return False
    return not new.length or bool(old.length and old.length <= new.length)
