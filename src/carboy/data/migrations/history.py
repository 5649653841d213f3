"""What earlier migrations say, read from their source: how a thing was declared.

    op.create_table("books", sa.Column("price", kinds.decimal(10, 2), ...))
        ->  column("books", "price")  ->  'sa.Column("price", kinds.decimal(10, 2), ...)'

A database tells INTEGER for that, on SQLite. So what undoes a change is written in the
words that people have reviewed; where there are none, from what the database tells.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carboy.data.migrations.folder import Migration

__all__ = ["History"]

SPACES = re.compile(r"\s*\n\s*")


class History:
    """Columns, checks and tables as migrations leave them behind."""

    def __init__(self, migrations: Iterable[Migration] = ()) -> None:
        self.tables: set[str] = set()
        self._columns: dict[tuple[str, str], tuple[str, str]] = {}  # source, source of its type
        self._checks: dict[str, str] = {}
        self._options: dict[str, str] = {}
        for one in migrations:
            source = one.path.read_text("utf-8")
            for node in ast.parse(source).body:
                if isinstance(node, ast.FunctionDef) and node.name == "upgrade":
                    self._read(node.body, source, "")

    def column(self, table: str, name: str) -> str:
        """Return the source of sa.Column(...) as it was last declared; "" when it never was."""
        return self._columns.get((table, name), ("", ""))[0]

    def type(self, table: str, name: str) -> str:
        """Return the source of a column's type; "" when it never was declared."""
        return self._columns.get((table, name), ("", ""))[1]

    def options(self, table: str) -> str:
        """Return the source of what follows ** in op.create_table; "" when there is none."""
        return self._options.get(table, "")

    def check(self, name: str) -> str:
        """Return the source of a check's condition; "" when it never was declared."""
        return self._checks.get(name, "")

    def _read(self, body: list[ast.stmt], source: str, table: str) -> None:
        """Take in statements, in order. table: of the block around them."""
        for statement in body:
            if isinstance(statement, ast.With):
                call = statement.items[0].context_expr
                inner = _text(call.args[0]) if isinstance(call, ast.Call) and call.args else ""
                self._read(statement.body, source, inner)
            elif isinstance(statement, ast.If):
                self._read(statement.body, source, table)
            elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                self._take(statement.value, source, table)

    def _take(self, call: ast.Call, source: str, table: str) -> None:
        verb = getattr(call.func, "attr", "")
        texts = [_text(argument) for argument in call.args]
        first, second = [*texts, "", ""][:2]
        said = {word.arg: word.value for word in call.keywords}
        if verb == "create_table":
            self.tables.add(first)
            self._options[first] = _source(said[None], source) if None in said else ""
            for argument in call.args[1:]:
                self._declare(first, argument, source)
        elif verb == "add_column":
            self._declare(first if len(call.args) > 1 else table, call.args[-1], source)
        elif verb == "rename_table":
            self._rename_table(first, second)
        elif verb == "alter_column":
            where, name = (table, first) if table else (first, second)
            self._alter(where, name, said, source)
        elif verb in ("add_check", "create_check_constraint") and len(call.args) > 1:
            self._checks[first] = _source(call.args[-1], source)
        elif verb == "set_not_null":
            self._replace(first, second, "nullable=True", "nullable=False")

    def _declare(self, table: str, argument: ast.expr, source: str) -> None:
        """Remember a column or a check that stands in a call."""
        if not isinstance(argument, ast.Call):
            return
        kind = getattr(argument.func, "attr", getattr(argument.func, "id", ""))
        if kind == "only":
            self._declare(table, argument.args[1], source)
        elif kind == "Column" and len(argument.args) > 1:
            place = (table, _text(argument.args[0]))
            self._columns[place] = (_source(argument, source), _source(argument.args[1], source))
        elif kind == "CheckConstraint":
            name = next((_text(word.value) for word in argument.keywords if word.arg == "name"), "")
            self._checks[name] = _source(argument.args[0], source)

    def _alter(self, table: str, name: str, said: dict[Any, ast.expr], source: str) -> None:
        whole, kind = self._columns.get((table, name), ("", ""))
        if "type_" in said and whole:
            new = _source(said["type_"], source)
            self._columns[table, name] = (whole.replace(kind, new, 1), new)
        if "nullable" in said and getattr(said["nullable"], "value", False):
            self._replace(table, name, "nullable=False", "nullable=True")
        if "new_column_name" in said and (table, name) in self._columns:
            new = _text(said["new_column_name"])
            whole, kind = self._columns.pop((table, name))
            self._columns[table, new] = (whole.replace(f'"{name}"', f'"{new}"', 1), kind)

    def _rename_table(self, old: str, new: str) -> None:
        self.tables.discard(old)
        self.tables.add(new)
        self._options[new] = self._options.pop(old, "")
        for table, name in [*self._columns]:
            if table == old:
                self._columns[new, name] = self._columns.pop((old, name))

    def _replace(self, table: str, name: str, old: str, new: str) -> None:
        whole, kind = self._columns.get((table, name), ("", ""))
        if whole:
            self._columns[table, name] = (whole.replace(old, new), kind)


def _text(node: ast.expr) -> str:
    value = getattr(node, "value", "")
    return value if isinstance(value, str) else ""


def _source(node: ast.expr, source: str) -> str:
    return SPACES.sub(" ", ast.get_source_segment(source, node) or "")
