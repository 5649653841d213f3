"""Constraints: what the database enforces, each with a stable name and one sentence.

    Field rules, unique(...), check(...)  ->  enforce()  ->  named constraints, Known
    a driver's complaint                  ->  describe() ->  that sentence

So a rule that a form missed, or a race that no form can see, ends in the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import CheckConstraint, Column, Table, UniqueConstraint
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import conv
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Integer

from carboy.base.errors import SetupError
from carboy.data.faults import describers
from carboy.data.fields import Field, message
from carboy.data.naming import constraint_name, label_of

if TYPE_CHECKING:
    from carboy.data.backends.common import Trouble
    from carboy.data.models import Model

__all__ = ["Constraint", "Known", "check", "constraint_message", "enforce", "unique"]

INDEXED = 768  # characters of utf8mb4 in an index of MariaDB: 3,072 bytes


@dataclass(frozen=True)
class Constraint:
    """A rule over several fields, declared in `constraints = (...)` of a model."""

    kind: Literal["unique", "check"]
    fields: tuple[str, ...]
    message: str
    name: str = ""
    condition: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Known:
    """A constraint as the database has it.

    kind: unique, check, required, reference. fields: whom it concerns.
    message: what to tell. in_use: the same from the other side of a reference.
    """

    kind: str
    name: str
    table: str
    columns: tuple[str, ...]
    fields: tuple[str, ...]
    message: str
    in_use: str = ""


def unique(*fields: str, message: str = "") -> Constraint:
    """Declare that no two rows agree in all of *fields*; a relation stands for its key.

    >>> unique("book", "author", message="You have reviewed this book already.").kind
    'unique'
    """
    return Constraint("unique", fields, message)


def check(
    name: str, condition: Callable[[Any], Any], message: str, *, fields: Iterable[str] = ()
) -> Constraint:
    """Declare a condition on the columns of one row.

    name: stable, part of the constraint's name. fields: where a form shows *message*.

    >>> check("order", lambda c: c.ends > c.starts, "It ends after it starts.").name
    'order'
    """
    return Constraint("check", tuple(fields), message, name, condition)


def constraint_message(name: str) -> str:
    """Return the sentence of the constraint called *name*; empty when there is none."""
    found = _by_name.get(name)
    return found.message if found else ""


def enforce(cls: type[Model], fields: dict[str, Field]) -> tuple[Known, ...]:
    """Add what *fields* and the class declare to its table; return what is known."""
    table: Table = cls.__table__  # type: ignore[assignment]  # a model is one table
    own = [f for f in fields.values() if f.column in table.c]
    known = [
        *(one for field in own for one in _of_field(table, field)),
        *(_declared(cls, table, fields, rule) for rule in vars(cls).get("constraints", ())),
    ]
    for one in known:
        if one.name:
            _by_name[one.name] = one
        _by_place[one.kind, one.table, frozenset(one.columns)] = one
    return tuple(known)


class characters(GenericFunction[int]):
    """The length of a text in characters; on MariaDB length() counts bytes."""

    type = Integer()
    name = "length"
    inherit_cache = True


@compiles(characters, "mysql", "mariadb")
def _characters(element: Any, compiler: Any, **more: Any) -> str:
    return f"char_length{compiler.process(element.clause_expr, **more)}"


def _of_field(table: Table, field: Field) -> Iterator[Known]:
    column = table.c[field.column]
    _check_index(table, column, field)
    for rule, condition, dialect in _conditions(column, field):
        yield _add_check(table, field, rule, condition, dialect)
    if field.unique:
        name = constraint_name("uq", table.name, field.column)
        table.append_constraint(UniqueConstraint(column, name=conv(name)))
        yield _known("unique", name, table, field, message(field, "unique"))
    if not field.optional:
        yield _known("required", "", table, field, message(field, "required"))
    for key in column.foreign_keys:
        name = str(getattr(key.constraint, "name", None) or "")
        used = f"This is still used by {label_of(table.name).lower()}."
        yield _known("reference", name, table, field, message(field, "exists"), used)


def _conditions(column: Column[Any], field: Field) -> Iterator[tuple[str, Any, str]]:
    """Yield (rule, condition, only on this dialect) for the rules of one field."""
    if field.ge is not None:
        yield "ge", column >= field.ge, ""
    if field.le is not None:
        yield "le", column <= field.le, ""
    if field.min_length is not None:
        yield "min_length", characters(column) >= field.min_length, ""
    if field.max_length is not None and field.kind == "text":
        # The others keep VARCHAR(n) by themselves.
        yield "max_length", characters(column) <= field.max_length, "sqlite"
    if field.choices:
        yield "choice", column.in_([value for value, _ in field.choices]), ""


def _add_check(table: Table, field: Field, rule: str, condition: Any, dialect: str) -> Known:
    name = constraint_name("ck", table.name, field.column, rule)
    constraint = CheckConstraint(condition, name=conv(name))
    if dialect:
        constraint.ddl_if(dialect=dialect)
    table.append_constraint(constraint)
    return _known("check", name, table, field, message(field, rule))


def _known(
    kind: str, name: str, table: Table, field: Field, sentence: str, in_use: str = ""
) -> Known:
    return Known(kind, name, table.name, (field.column,), (field.name,), sentence, in_use)


def _declared(cls: type[Model], table: Table, fields: dict[str, Field], rule: Constraint) -> Known:
    if not isinstance(rule, Constraint):
        raise SetupError(
            "data.constraints", f"{cls.__name__}.constraints has {rule!r} in it.",
            hint='Write  constraints = (unique("book", "author"),)  with its comma.',
        )  # fmt: skip
    members = [_named(cls, fields, name) for name in rule.fields]
    names, columns = tuple(rule.fields), tuple(member.column for member in members)
    if rule.kind == "unique":
        name = constraint_name("uq", table.name, *columns)
        made: Any = UniqueConstraint(*(table.c[c] for c in columns), name=conv(name))
        labels = " and ".join(member.label.lower() for member in members)
        sentence = rule.message or f"There is one with this {labels} already."
    else:
        assert rule.condition is not None
        name = constraint_name("ck", table.name, rule.name)
        made = CheckConstraint(rule.condition(table.c), name=conv(name))
        sentence = rule.message
    table.append_constraint(made)
    return Known(rule.kind, name, table.name, columns, names, sentence)


def _named(cls: type[Model], fields: dict[str, Field], name: str) -> Field:
    for field in fields.values():
        if name in (field.name, field.relation):
            return field
    raise SetupError(
        "data.constraints",
        f"{cls.__name__} has a constraint on {name!r}, which is no field of it.",
        hint=f"Its fields: {', '.join(fields)}.",
    )


def _check_index(table: Table, column: Column[Any], field: Field) -> None:
    """Refuse an index that MariaDB could not make."""
    indexed = field.unique or column.index or column.primary_key
    if field.kind == "text" and indexed and not 0 < (field.max_length or 0) <= INDEXED:
        raise SetupError(
            "data.index",
            f"{table.name}.{field.name} has an index, and so needs a max_length of at most"
            f" {INDEXED}.",
            hint=f"{field.name}: Mapped[str] = field(max_length=200, ...)",
        )


_by_name: dict[str, Known] = {}
_by_place: dict[tuple[str, str, frozenset[str]], Known] = {}


def describe(trouble: Trouble) -> tuple[str, tuple[str, ...]] | None:
    """Return (sentence, fields) for a broken constraint of a model, or None."""
    known = _by_name.get(trouble.constraint) or _by_place.get(
        (trouble.kind, trouble.table, frozenset(trouble.columns))
    )
    if known is not None:
        return (known.in_use, ()) if trouble.kind == "in_use" else (known.message, known.fields)
    if trouble.kind == "required" and trouble.columns:  # MariaDB names no table
        return f"{label_of(trouble.columns[0])} is needed.", trouble.columns
    return None


describers.append(describe)
