"""One row of values, read for an INSERT by a function that is generated per model.

    {"title": "Emma", "author": jane}
        ->  Reader.read()     (shape, {"title": "Emma", "author_id": 7}), or Wrong
        ->  Reader.errors()   everything that is wrong with it

The generated part takes what is right at sight; everything else goes to
`validity.broken_rule`, so that both judge alike. Defaults are as at a flush: also None
asks for one.
"""

from __future__ import annotations

import datetime as dt
import enum
import inspect as signatures
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from carboy.base.errors import SetupError
from carboy.data.fields import Field, message
from carboy.data.types import BIG
from carboy.data.validity import broken_rule

if TYPE_CHECKING:
    from sqlalchemy import Column

    from carboy.data.models import Model

__all__ = ["Reader", "Wrong"]

LEFT_OUT: Any = object()
"""Stands for a value that the column fills by itself when it is not in the INSERT."""


class Wrong(Exception):
    """A row cannot be written; `Reader.errors` tells why."""


class Reader:
    """What reads rows of one model. Make it once.

    Raises SetupError (data.bulk) for a model that is kept in several tables.
    """

    read: Callable[[Any], tuple[int, dict[str, Any]]]
    """Return (shape, parameters by column) of a row; raise Wrong when it breaks a rule.

    shape: equal for rows that give the same columns, and so fit one statement.
    """

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self.mapper = inspect(model)
        if len(self.mapper.tables) != 1:
            raise SetupError(
                "data.bulk",
                f"{model.__name__} is kept in several tables; db.bulk writes to one.",
                hint="Add objects instead: db.session.add_all([...]).",
            )
        self.fields = model.facts().fields
        self.names = {name: field for field in self.fields.values() for name in _names(field)}
        self.fixed = _fixed(self.mapper)
        self._readers = {
            name: _reader(field, self.mapper.columns[name], self.fixed)
            for name, field in self.fields.items()
        }
        self.read = _generated(self)

    def errors(self, row: Any) -> Iterator[dict[str, Any]]:
        """Yield what is wrong with *row*: loc (the field), msg, type."""
        if not isinstance(row, Mapping):
            yield {"loc": [], "msg": "A row is a mapping of names to values.", "type": "type"}
            return
        for name in row:
            if name not in self.names:
                said = f"There is no field {str(name)[:40]!r}; known are {', '.join(self.fields)}."
                yield {"loc": [name], "msg": said, "type": "unknown"}
        for name, field in self.fields.items():
            try:
                self._readers[name](_given(field, row))
            except Wrong as wrong:
                rule = str(wrong)
                yield {"loc": [name], "msg": message(field, rule), "type": rule}

    def attributes(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return what to make an object of the model with; objects become their keys."""
        found = {}
        for name in row:
            field = self.names[name]
            value = _given(field, row)
            found[field.name] = value if value is None else self._readers[field.name](value)
        return found


def _names(field: Field) -> tuple[str, ...]:
    return (field.name, field.relation) if field.relation else (field.name,)


def _given(field: Field, row: Mapping[str, Any]) -> Any:
    """Return the value of a field; an object says more than its key."""
    if field.relation and field.relation in row:
        return row[field.relation]
    return row.get(field.name)


def _reader(field: Field, column: Column[Any], fixed: dict[str, Any]) -> Callable[[Any], Any]:
    """Return what judges any value of a field; it returns what to store, or LEFT_OUT."""
    if column.key in fixed:
        return lambda value: fixed[column.key]
    fill, by_itself = _default(column), _by_itself(field, column)

    def read(value: Any) -> Any:
        if value is None:
            if fill is not None:
                return fill()
            if by_itself:
                return LEFT_OUT
            if not field.optional:
                raise Wrong("required")
            return None
        if field.relation and hasattr(value, "_sa_instance_state"):
            value = _key_of(field, column, value)
        if rule := broken_rule(field, value):
            raise Wrong(rule)
        return value

    return read


def _default(column: Column[Any]) -> Callable[[], Any] | None:
    """Return what makes the column's default; None when only SQLAlchemy or the database can."""
    default: Any = column.default
    if default is None:
        return None
    if default.is_scalar:
        value = default.arg
        return lambda: value
    if default.is_callable and not _takes_context(default.arg):
        make = default.arg
        return lambda: make(None)  # SQLAlchemy has wrapped it to take its context
    return None


def _takes_context(function: Any) -> bool:
    try:
        return bool(signatures.signature(function).parameters)
    except ValueError:  # such as dict
        return False


def _by_itself(field: Field, column: Column[Any]) -> bool:
    """Tell whether a column that is left out of the INSERT gets a value."""
    return field.automatic or column.default is not None or column.server_default is not None


def _key_of(field: Field, column: Column[Any], value: Any) -> Any:
    """Return the key of the object that a relation is given."""
    state = inspect(value)
    (reference,) = column.foreign_keys
    target = reference.column
    if target.table not in state.mapper.tables or state.identity is None:
        raise Wrong("exists")  # of another model, or not saved yet
    return getattr(value, state.mapper.get_property_by_column(target).key)


def _generated(reader: Reader) -> Callable[[Any], Any]:
    """Return the function that reads a row, made for the fields of the model."""
    known: dict[str, Any] = {
        "LEFT_OUT": LEFT_OUT, "Wrong": Wrong, "Mapping": Mapping, "NAMES": frozenset(reader.names),
    }  # fmt: skip
    lines = [
        "def read(row):",
        " if row.__class__ is not dict and not isinstance(row, Mapping): raise Wrong",
        " if not row.keys() <= NAMES: raise Wrong",
        " get = row.get",
    ]
    always: list[tuple[str, str]] = []
    sometimes: list[tuple[str, str]] = []
    for at, (name, field) in enumerate(reader.fields.items()):
        column = reader.mapper.columns[name]
        if column.key in reader.fixed:
            continue
        value = f"v{at}"
        known[f"slow{at}"] = reader._readers[name]
        fills = _by_itself(field, column)
        lines += _taking(at, field, fills, known)
        left_out = fills and _default(column) is None
        (sometimes if left_out else always).append((column.key, value))
    entries = [f"{key!r}: {value}" for key, value in always]
    for at, (key, fixed) in enumerate(reader.fixed.items()):
        known[f"fixed{at}"] = fixed
        entries.append(f"{key!r}: fixed{at}")
    lines += [f" params = {{{', '.join(entries)}}}", " shape = 0"]
    for at, (key, value) in enumerate(sometimes):
        lines += [f" if {value} is not LEFT_OUT:"]
        lines += [f"  params[{key!r}] = {value}", f"  shape |= {1 << at}"]
    lines.append(" return shape, params")
    # SECURITY: the text is made of our own words and repr() of the model's names.
    exec("\n".join(lines), known)  # noqa: S102  # see above
    made: Callable[[Any], Any] = known["read"]
    return made


def _taking(at: int, field: Field, fills: bool, known: dict[str, Any]) -> list[str]:
    """Return the lines that take one value: at sight, or through the slow reader."""
    value = f"v{at}"
    lines = [f" {value} = get({field.name!r})"]
    if field.relation:
        lines.append(f" if {field.relation!r} in row: {value} = row[{field.relation!r}]")
    at_sight = _at_sight(value, field, known)
    if at_sight:
        empty = f"{value} is None or " if field.optional and not fills else ""
        lines.append(f" if not ({empty}{at_sight}):")
    return [*lines, f"{'  ' if at_sight else ' '}{value} = slow{at}({value})"]


def _at_sight(value: str, field: Field, known: dict[str, Any]) -> str:
    """Return a condition under which a value is right for certain; "" when there is none."""
    if field.pattern or (field.choices and not _all_members(field)):
        return ""
    test = _KINDS.get(field.kind, "")
    if field.kind == "choice":
        test = f"{value}.__class__ is python{value}"
        known[f"python{value}"] = field.python
    known.update(_TYPES)
    tests = [test.format(v=value)] if test else []
    if field.kind == "text":
        tests += [f"{field.min_length} <= len({value})"] if field.min_length is not None else []
        tests += [f"len({value}) <= {field.max_length}"] if field.max_length is not None else []
    for bound, sign in ((field.ge, ">="), (field.le, "<=")):
        if bound is not None:
            name = f"bound{len(known)}"
            known[name] = bound
            tests.append(f"{value} {sign} {name}")
    return " and ".join(tests) if test else ""


def _all_members(field: Field) -> bool:
    """Tell whether every member of an Enum is a choice."""
    if not (isinstance(field.python, type) and issubclass(field.python, enum.Enum)):
        return False
    return {value for value, _ in field.choices} >= set(field.python)


def _fixed(mapper: Any) -> dict[str, Any]:
    """Return the columns that the mapper fills: the first version, the kind of row."""
    found = {}
    if mapper.version_id_col is not None and mapper.version_id_generator is not False:
        found[mapper.version_id_col.key] = mapper.version_id_generator(None)
    kind = mapper.polymorphic_on
    if kind is not None and kind.key in mapper.local_table.c:
        found[kind.key] = mapper.polymorphic_identity
    return found


_KINDS = {
    "text": "{v}.__class__ is str and {v}.isascii() and '\\0' not in {v}",
    "integer": f"{{v}}.__class__ is int and {-BIG} <= {{v}} < {BIG}",
    "number": f"{{v}}.__class__ is float and {-sys.float_info.max!r} <= {{v}}"
    f" <= {sys.float_info.max!r}",
    "reference": f"{{v}}.__class__ is int and {-BIG} <= {{v}} < {BIG}",
    "boolean": "({v} is True or {v} is False)",
    "datetime": "{v}.__class__ is datetime and {v}.tzinfo is not None",
    "date": "{v}.__class__ is date",
    "time": "{v}.__class__ is time and {v}.tzinfo is None",
    "uuid": "{v}.__class__ is UUID",
    "bytes": "{v}.__class__ is bytes",
}
_TYPES = {"datetime": dt.datetime, "date": dt.date, "time": dt.time, "UUID": uuid.UUID}
