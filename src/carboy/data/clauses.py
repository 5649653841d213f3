"""Clauses: conditions that vary from call to call, compiled once for each of their forms.

    Clause(form, build, values)
        form      what the SQL depends on        part of the key of what was compiled
        build     columns -> condition           called when that form is met for the first time
        values    what the binds stand for       taken at each call, processed by the bind's type

A value never gets into the text of a statement, so texts stay few and nobody's input is SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam
from sqlalchemy.sql.visitors import replacement_traverse

from carboy.base.errors import SetupError

__all__ = ["Clause", "Columns", "place", "placed_name"]


class Columns(Protocol):
    """What a condition is built from.

    model: the class that is read. dialect: SQLAlchemy's name of the database's kind.
    columns["title"] is a column of the model by its attribute, columns["author.name"]
    one of a row that it refers to. Raises SetupError for an unknown name.
    """

    model: Any
    dialect: str

    def __getitem__(self, path: str) -> ColumnElement[Any]:
        """Return the column at *path*."""


@dataclass(frozen=True, eq=False, slots=True)
class Clause:
    """One condition of a call.

    form: equal forms have equal SQL. Whatever is not in *values* belongs here: the name
        of the column, the operator, how many values a list has.
    build: makes the condition; each variable value is a `bindparam(name)` whose name is
        a key of *values*. Two clauses of one call may use the same names.
    values: by name. Lists are one bind for each member.

        Clause(("stars", ">="), lambda c: c["stars"] >= bindparam("least"), {"least": 3})
    """

    form: Hashable
    build: Callable[[Columns], ColumnElement[bool]]
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def equal(cls, **values: Any) -> Clause:
        """Return the condition that columns have these values: `Clause.equal(notebook_id=7)`.

        Raises ValueError for None, which nothing is equal to.
        """
        names = tuple(values)
        if not names or None in values.values():
            raise ValueError("Clause.equal() needs values; write a Clause of your own for NULL.")

        def build(columns: Columns) -> ColumnElement[bool]:
            return and_(*(columns[name] == bindparam(name) for name in names))

        return cls(("equal", *names), build, values)


def place(clause: Clause, position: int, columns: Columns) -> ColumnElement[bool]:
    """Return the condition of the clause at *position*, with names of binds of its own.

    Raises SetupError (data.clause) for a bind without a value, and for one that expands.
    """
    values = clause.values

    def renamed(element: Any, **_: Any) -> Any:
        if not isinstance(element, BindParameter):
            return None
        if element.key in values and not element.expanding:
            return bindparam(
                placed_name(element.key, position), None, type_=element.type, required=False
            )
        if element.required or (element.key in values and element.expanding):
            raise _no_value(clause, element)
        return None

    return replacement_traverse(clause.build(columns), {}, renamed)


def placed_name(name: str, position: int) -> str:
    """Return what the bind *name* of the clause at *position* is called in the statement."""
    return f"clause{position}_{name}"


def _no_value(clause: Clause, bind: BindParameter[Any]) -> SetupError:
    problem = "expands to a list" if bind.expanding else "has no value"
    return SetupError(
        "data.clause",
        f"The bind {bind.key!r} of the clause {clause.form!r} {problem}.",
        hint="Give a value for each bind by its name; a list is one bind for each member,"
        " and its length a part of the form.",
    )
