"""Column types: from a Python type to one that keeps its meaning on every database.

int        64 bits                     str       by code point, a length or unbounded
float      double                      datetime  aware; stored as UTC, comes back as UTC
Decimal    exact, also on SQLite       Enum      text: its values when all are text
UUID, date, time, bool, bytes, dict and list (JSON; changes inside are noticed)
"""

from __future__ import annotations

import decimal
import enum
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Dialect,
    Double,
    Enum,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.ext.mutable import MutableDict, MutableList
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator, TypeEngine

from carboy.data.faults import ValueFault
from carboy.data.naming import label_of
from carboy.data.stored import Reference, StoredFile, StoredImage

__all__ = ["BIG", "KINDS", "Exact", "Utc", "column_type", "stored"]

BIG = 2**63  # the first whole number that no column of ours holds
DIGITS, PLACES = 18, 2  # of a Decimal, unless said; 18 digits fit SQLite's integers
MYSQL = ("mysql", "mariadb")

AMONG = frozenset({operators.in_op, operators.not_in_op})
COMPARISONS = AMONG | {
    operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge,
}  # fmt: skip
NO_TEXT = (int, float, Decimal, bytes, list, tuple, dict, date, time, uuid.UUID)

KINDS: dict[type[Any], str] = {
    bool: "boolean", int: "integer", float: "number", Decimal: "decimal", str: "text",
    datetime: "datetime", date: "date", time: "time", uuid.UUID: "uuid", bytes: "bytes",
    dict: "json", list: "json", StoredFile: "file", StoredImage: "image",
}  # fmt: skip
"""Python type to the word that forms and APIs go by; an Enum is a "choice"."""


class Utc(TypeDecorator[datetime]):
    """A moment: aware going in, UTC in the database and coming out."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column: with a zone where there is one, with microseconds everywhere."""
        if dialect.name in MYSQL:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* in UTC; raise ValueFault when it has no zone."""
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueFault(
                422, "data.value", "A moment needs its time zone, as in 2026-05-01T12:00:00Z."
            )
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* as an aware moment in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Exact(TypeDecorator[Decimal]):
    """An exact decimal number, such as money. SQLite keeps it as a scaled integer.

    digits, places: in all, and after the point. Comparing, adding and summing work in
    SQL; so does multiplying by a plain number, not by another exact column.
    """

    impl = Numeric
    cache_ok = True
    comparator_factory = TypeDecorator.Comparator  # Numeric's would make a product a float

    def __init__(self, digits: int = DIGITS, places: int = PLACES) -> None:
        super().__init__(precision=digits, scale=places)
        self.digits, self.places = digits, places

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return NUMERIC; on SQLite, which would store a float, an integer."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Integer())
        return dialect.type_descriptor(Numeric(self.digits, self.places))

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """Factors are not scaled: twice 5.00 is 10.00."""
        if op in (operators.mul, operators.truediv):
            return _Factor()
        return self

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Return *value* as stored; raise ValueFault when it would be rounded or cut."""
        if value is None:
            return None
        exact = stored(value, self.digits, self.places)
        if exact is None:
            raise ValueFault(
                422, "data.value",
                f"A number here has at most {self.digits - self.places} digits before the"
                f" point and {self.places} after it.",
            )  # fmt: skip
        return int(exact.scaleb(self.places)) if dialect.name == "sqlite" else exact

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return the Decimal with its places."""
        if value is None or dialect.name != "sqlite":
            return value  # type: ignore[no-any-return]  # drivers give a Decimal
        return Decimal(round(value)).scaleb(-self.places)


class _Factor(TypeDecorator[Any]):
    """What an exact column is multiplied by or divided through."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return a float on SQLite, which has no decimals to calculate with."""
        kind: TypeEngine[Any] = Float() if dialect.name == "sqlite" else Numeric()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Return *value* as the driver takes it."""
        return float(value) if dialect.name == "sqlite" and value is not None else value


class _Compared(String.Comparator[str]):
    """Text is compared with text: on MariaDB 0 and false equal every text without a number.

    So a client who may send any JSON would match a token that it does not know.
    """

    def operate(self, op: Any, *other: Any, **more: Any) -> Any:
        """Raise ValueFault for a comparison with something that is no text."""
        if other and op in COMPARISONS:
            value = other[0]
            several = op in AMONG and isinstance(value, (list, tuple, set, frozenset))
            if any(isinstance(one, NO_TEXT) for one in (value if several else (value,))):
                raise ValueFault(422, "data.value", "A text can only be compared with a text.")
        return super().operate(op, *other, **more)


class Line(String):
    """Text of a bounded length."""

    comparator_factory = _Compared


class Page(Text):
    """Text of any length."""

    comparator_factory = _Compared


class TrackedDict(MutableDict[Any, Any]):
    """A dict whose changes are noticed."""

    @classmethod
    def coerce(cls, key: str, value: Any) -> Any:
        """Return a dict as one of these; raise ValueFault for anything else."""
        return super().coerce(key, value) if isinstance(value, dict) else _refuse(key, "an object")


class TrackedList(MutableList[Any]):
    """A list whose changes are noticed."""

    @classmethod
    def coerce(cls, key: str, value: Any) -> Any:
        """Return a list as one of these; raise ValueFault for anything else."""
        return super().coerce(key, value) if isinstance(value, list) else _refuse(key, "a list")


def _refuse(name: str, what: str) -> Any:
    said = f"{label_of(name)} must be {what} of JSON."  # at once: it could not be followed
    error = {"loc": [name], "msg": said, "type": "type"}
    raise ValueFault(422, "data.invalid", said, errors=[error])


def stored(value: Any, digits: int, places: int) -> Decimal | None:
    """Return *value* as it is kept with *places* decimals; None when it does not fit.

    >>> stored(Decimal("1.5"), 4, 2), stored(Decimal("1.555"), 4, 2), stored(Decimal("NaN"), 4, 2)
    (Decimal('1.50'), None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    try:
        exact = Decimal(value).quantize(Decimal(1).scaleb(-places), context=_context(digits))
    except decimal.InvalidOperation:
        return None
    return exact if exact.is_finite() and exact == value else None


def column_type(
    python: Any, *, max_length: int | None, digits: int | None, places: int | None
) -> TypeEngine[Any] | None:
    """Return the column type for a Python type, or None for one we do not know."""
    if python is str:
        return _characters(max_length)
    if python is Decimal:
        return Exact(digits or DIGITS, PLACES if places is None else places)
    if isinstance(python, type) and issubclass(python, enum.Enum):
        return _choice(python)
    return _PLAIN.get(python)


def _characters(length: int | None) -> TypeEngine[str]:
    # COLLATE "C": by code point, as on the others; see backends/postgresql.py.
    if length is not None:
        return Line(length).with_variant(String(length, collation="C"), "postgresql")
    ours = Page().with_variant(Text(collation="C"), "postgresql")
    return ours.with_variant(mysql.LONGTEXT(), *MYSQL)


def _choice(python: type[enum.Enum]) -> Enum:
    """Text, not a type of the database: those cannot lose a value in a migration."""
    values = [member.value for member in python]
    texts = all(isinstance(value, str) for value in values)
    names = values if texts else list(python.__members__)
    return Enum(
        python,
        native_enum=False,
        create_constraint=False,  # ours has a message: models.py
        length=max(len(name) for name in names),
        values_callable=(lambda cls: [member.value for member in cls]) if texts else None,
    )


def _json() -> JSON:
    return JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def _context(digits: int) -> decimal.Context:
    return decimal.Context(prec=digits, traps=[decimal.InvalidOperation])


_PLAIN: dict[Any, TypeEngine[Any]] = {
    # SQLite's own key column must be called INTEGER; it has 64 bits too.
    int: BigInteger().with_variant(Integer(), "sqlite"),
    bool: Boolean(),
    float: Double(),
    datetime: Utc(),
    date: Date(),
    time: Time().with_variant(mysql.TIME(fsp=6), *MYSQL),
    uuid.UUID: Uuid(),
    bytes: LargeBinary().with_variant(mysql.LONGBLOB(), *MYSQL),
    dict: TrackedDict.as_mutable(_json()),
    list: TrackedList.as_mutable(_json()),
    StoredFile: Reference(),
    StoredImage: Reference(StoredImage),
}
