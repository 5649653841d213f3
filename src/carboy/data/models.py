"""Models: a typed declarative base that knows its fields, rules and messages.

    class Book(Model): title: Mapped[str] = field(max_length=200, unique=True)

    declare   name of the table, key, relations          before SQLAlchemy maps it
    map       Mapped[...] to a column type               types.py
    finish    constraints with names and messages, Field records

No application is needed to import or to use one.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, get_origin
from weakref import WeakKeyDictionary

from sqlalchemy import Column, MetaData, Table, event, inspect
from sqlalchemy.orm import (
    ColumnProperty,
    DeclarativeBase,
    MappedColumn,
    TypeResolve,
    mapped_column,
    registry,
)

import carboy.data.search  # noqa: F401  # makes and drops what search needs, with the tables
from carboy.data.constraints import Constraint, Known, enforce
from carboy.data.fields import INFO, Field, Rules
from carboy.data.naming import constraint_name, label_of, table_name
from carboy.data.reads import Reading, newest
from carboy.data.relations import Link, link_up, pair
from carboy.data.types import KINDS, Exact, column_type

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

__all__ = ["Facts", "Model"]

FIRST = -1_000  # sort order: the key is the first column
BINARY = {"mariadb": "utf8mb4_nopad_bin", "mysql": "utf8mb4_0900_bin"}


@dataclass(frozen=True)
class Facts:
    """What is known of a model: forms, APIs, policies and checks read it.

    name, label, table: of the class. fields: by attribute, in order.
    links: relations by attribute. constraints: what the database enforces.
    """

    name: str
    label: str
    table: str
    fields: Mapping[str, Field]
    links: Mapping[str, Link]
    constraints: tuple[Known, ...]


def _index_name(constraint: Any, table: Any) -> str:
    return constraint_name(str(table.name), *(column.name for column in constraint.columns))


CONVENTION: Any = {  # ours have names; these are for what is declared the plain way
    "carboy": _index_name,
    "ix": "ix_%(carboy)s",
    "uq": "uq_%(carboy)s",
    "fk": "fk_%(carboy)s",
    "pk": "pk_%(table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Model(DeclarativeBase):
    """The base of an application's models.

    The table is named after the class, in the plural (`__tablename__` says otherwise);
    the key is a 64-bit `id` that is never given twice, unless a field has key=True.
    constraints: a tuple of `unique(...)` and `check(...)` over several fields.
    database: the name of the database it lives in, when there are several.

        class Planet(Model):
            name: Mapped[str] = field(max_length=20, unique=True)

    is the table `planets` with the columns id and name.
    """

    metadata = MetaData(naming_convention=CONVENTION)
    constraints: ClassVar[tuple[Constraint, ...]] = ()
    database: ClassVar[str] = ""
    __table_options__: ClassVar[dict[str, Any]] = {
        "mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": BINARY["mysql"],
        "mariadb_engine": "InnoDB", "mariadb_charset": "utf8mb4",
        "mariadb_collate": BINARY["mariadb"],
    }  # fmt: skip
    __links__: ClassVar[dict[str, Link]] = {}
    __facts__: ClassVar[Facts]

    if TYPE_CHECKING:
        id: Any

    def __init_subclass__(cls, **more: Any) -> None:
        if vars(cls).get("__abstract__"):
            super().__init_subclass__(**more)
            return
        _declare(cls)
        super().__init_subclass__(**more)
        _finish(cls)

    @classmethod
    def facts(cls) -> Facts:
        """Return what is known of this model."""
        return cls.__facts__

    @classmethod
    def read(
        cls, *names: str, where: Any = (), order: Sequence[str] = (), hidden: bool = False
    ) -> Reading:
        """Declare a read of this model: a selection that is compiled once; see `Reading`.

        names: fields, also along relations: "author.name", "tags.word"; without any, all
        fields that may leave the application. where: a condition that always holds, or
        several. order: names, "-" before one for descending; the key completes it.
        hidden: allow fields with api="hidden".
        Declare it once, beside the model or the view: a new one is compiled anew.
        Raises SetupError for names that are not known, hidden, or lead too far.

            BOOKS = Book.read("id", "title", "author.name", order=("-published",))
        """
        return Reading(cls, names, where=where, order=order, hidden=hidden)

    @classmethod
    def newest(cls, count: int) -> list[Any]:
        """Return the *count* newest rows, to be read only: by `created_at`, else by key."""
        return newest(cls, count)

    def __repr__(self) -> str:
        # Not the fields: a repr ends in logs, and loading one could run SQL.
        key = inspect(self).identity or ()
        return f"<{type(self).__name__} {', '.join(map(str, key))}>"


def _declare(cls: type[Model]) -> None:
    """Add what need not be written: table name, key, columns of relations."""
    cls.__annotations__ = vars(cls).get("__annotations__", {})
    if _parent(cls) is None and "__table__" not in vars(cls):
        if "__tablename__" not in vars(cls):
            cls.__tablename__ = table_name(cls.__name__)
        options = dict(cls.__table_options__)
        if not _has_key(cls):
            cls.id = mapped_column(INTEGER, primary_key=True, sort_order=FIRST)
            options["sqlite_autoincrement"] = True  # no id is given twice, as elsewhere
        cls.__table_args__ = _with_options(vars(cls).get("__table_args__", ()), options)
    waiting = _waiting_in(cls.registry)
    cls.__links__ = {**cls.__links__, **link_up(cls)}
    waiting.extend(link for link in cls.__links__.values() if link.owner is cls)


def _finish(cls: type[Model]) -> None:
    """Name what is enforced, and keep what is known."""
    parent = _parent(cls)
    inherited = dict(parent.facts().fields) if parent else {}
    relations = {f"{name}_id": link for name, link in cls.__links__.items() if link.kind == "one"}
    own = {
        name: _field(cls, name, column, relations.get(name))
        for name, column in _columns(cls)
        if name not in inherited
    }
    # Single-table inheritance adds columns to the parent's table: only the new ones count.
    if cls.database and isinstance(cls.__table__, Table):
        cls.__table__.info["database"] = cls.database  # for statements on the bare table
    known = enforce(cls, own) if own or "constraints" in vars(cls) else ()
    before = parent.facts().constraints if parent else ()
    cls.__facts__ = Facts(
        cls.__name__, label_of(cls.__name__), str(cls.__table__.name),  # type: ignore[attr-defined]  # a Table

        {**inherited, **own}, cls.__links__, (*before, *known),
    )  # fmt: skip


def _columns(cls: type[Model]) -> list[tuple[str, Column[Any]]]:
    """Return (attribute, column) of a model, in the order of its own table."""
    order = {column: at for at, column in enumerate(cls.__table__.c)}
    found = [
        (prop.key, prop.columns[0])
        for prop in cls.__mapper__.iterate_properties
        if isinstance(prop, ColumnProperty) and isinstance(prop.columns[0], Column)
    ]
    own = [pair for pair in found if pair[1] in order]  # a joined child has its parent's too
    return sorted(own, key=lambda pair: order[pair[1]])


def _field(cls: type[Model], name: str, column: Column[Any], link: Link | None) -> Field:
    """Return the record of one column."""
    rules: Rules = column.info.get(INFO) or Rules()
    python = _types.pop((cls, name), None) or _python_of(column)
    said = {**rules.__dict__, "label": rules.label or label_of(name)}
    if isinstance(python, type) and issubclass(python, enum.Enum) and not rules.choices:
        said["choices"] = tuple((member, label_of(member.name)) for member in python)
    if isinstance(column.type, Exact):
        said["digits"], said["places"] = column.type.digits, column.type.places
    generated = column is column.table._autoincrement_column
    counted = column is cls.__mapper__.version_id_col
    return Field(
        **said, name=name, column=column.name, python=python,
        kind="reference" if link else _kind(python), optional=bool(column.nullable),
        target=link.target if link else "", relation=link.name if link else "",
        key=column.primary_key,
        automatic=bool(generated or counted or column.default or column.server_default),
    )  # fmt: skip


def _kind(python: Any) -> str:
    if isinstance(python, type) and issubclass(python, enum.Enum):
        return "choice"
    return KINDS.get(python, "other")


def _python_of(column: Column[Any]) -> Any:
    """Return the Python type of a column that was given its SQL type by hand."""
    try:
        return object if column.foreign_keys else column.type.python_type
    except NotImplementedError:
        return object


def _parent(cls: type[Model]) -> type[Model] | None:
    """Return the model that *cls* inherits its mapping from."""
    for base in cls.__mro__[1:]:
        if "__mapper__" in vars(base):
            return base
    return None


def _has_key(cls: type[Model]) -> bool:
    """Tell whether the class or a mixin declares a primary key."""
    declared = [value for base in cls.__mro__ for value in vars(base).values()]
    columns = [c.column if isinstance(c, MappedColumn) else c for c in declared]
    return any(isinstance(c, Column) and c.primary_key for c in columns)


def _with_options(given: Any, options: dict[str, Any]) -> Any:
    """Return __table_args__ as written, with our options under the author's."""
    if isinstance(given, dict):
        return {**options, **given}
    *parts, last = [*given] or [{}]
    if not isinstance(last, dict):
        parts, last = [*parts, last], {}
    return (*parts, {**options, **last})


INTEGER = column_type(int, max_length=None, digits=None, places=None)

_types: dict[tuple[type, str], Any] = {}  # from being mapped to being finished
_waiting: WeakKeyDictionary[registry, list[Link]] = WeakKeyDictionary()


def _waiting_in(where: registry) -> list[Link]:
    """Return the links of a registry that are not paired yet; listens to a new registry."""
    if where not in _waiting:
        _waiting[where] = []
        event.listen(where, "resolve_type_annotation", _resolve)
        event.listen(where, "before_configured", _pair)
    return _waiting[where]


def _resolve(asked: TypeResolve) -> TypeEngine[Any] | None:
    """Return the column type for `Mapped[...]`, with the lengths that `field` was told."""
    python: Any = get_origin(asked.resolved_type) or asked.resolved_type
    declared = getattr(asked.cls, asked.key, None)
    rules = declared.column.info.get(INFO) if isinstance(declared, MappedColumn) else None
    rules = rules or Rules()
    _types[asked.cls, asked.key] = python
    return column_type(
        python, max_length=rules.max_length, digits=rules.digits, places=rules.places
    )


def _pair(where: registry) -> None:
    """Let relations find their other sides, once all classes are there."""
    pair(_waiting[where])  # what cannot be paired stays, and is said again
    _waiting[where].clear()
