"""The condition inside `where(...)`: any SQL for the database, a provable part for Python.

    where(Book.year > 1900)  ->  adopted(): columns and constants made movable
                             ->  kleene():  True, False, None (SQL's NULL), or Unprovable

Python decides only what was measured to agree with SQLite and PostgreSQL: equality and
`in` on int, bool, str, date, Decimal in scale, time in UTC, UUID and enum; order on
int, Decimal, date and time. Everything else asks the database.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import operator
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.sql import elements, operators, visitors

from carboy.base.errors import SetupError
from carboy.policy.binds import PolicyBind, asking, constant

if TYPE_CHECKING:
    from carboy.base.scope import Scope

__all__ = ["Unprovable", "adopted", "element_of", "kleene", "moved"]

Values = Callable[[str], Any]
"""Column key to value; raises Unprovable when the value is not known."""

_ORDER = {
    operators.lt: operator.lt,
    operators.le: operator.le,
    operators.gt: operator.gt,
    operators.ge: operator.ge,
}
_MEMBERSHIP = (operators.in_op, operators.not_in_op)
_ORDERED = (int, decimal.Decimal, dt.date, dt.datetime)


class Unprovable(Exception):  # no error: it means "ask the database"
    """Python cannot prove what the database would answer."""


def adopted(expr: ColumnElement[Any], place: str) -> ColumnElement[Any]:
    """Return *expr* with its constants made ours, so that no caller can override them.

    Raises SetupError for text, which nobody can check, and for binds without a value.
    """
    for part in visitors.iterate(expr):
        if isinstance(part, elements.TextClause) or getattr(part, "is_literal", False):
            raise SetupError(
                "policy.rule_text",
                f"The rule at {place} contains SQL text.",
                hint="Write the condition with columns; text cannot be explained or checked.",
            )

    def ours(part: Any, **_: Any) -> Any:
        if isinstance(part, PolicyBind):
            # Named anew: it carries the type of the column it met.
            return part if part.source == "constant" else asking(part.source, part.type)
        if isinstance(part, elements.BindParameter):
            if part.required or part.callable:
                raise SetupError(
                    "policy.rule_bind",
                    f"The rule at {place} has the bind {part.key!r}, whose value is not fixed.",
                    hint="Compare with asker.user or asker.tenant, or with a constant.",
                )
            return constant(part.value, part.type, expanding=part.expanding)
        return _folded(part)

    return cast("ColumnElement[Any]", visitors.replacement_traverse(expr, {}, cast("Any", ours)))


def foreign_columns(expr: ColumnElement[Any], table: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns of other tables that *expr* needs in its FROM; subqueries have theirs."""
    found = []
    stack: list[Any] = [expr]
    while stack:
        part = stack.pop()
        if isinstance(part, (sa.ScalarSelect, sa.Exists)):
            continue
        if isinstance(part, sa.Column) and part.table != table:
            found.append(part)
        stack.extend(part.get_children())
    return found


def _folded(part: Any) -> Any:
    """Return what `x IN ()` is; None for anything else.

    PostgreSQL gets a CAST for it, which is wrong for a column with a collation.
    """
    if isinstance(part, elements.BinaryExpression) and part.operator in _MEMBERSHIP:
        given = part.right
        if isinstance(given, elements.BindParameter) and given.expanding and given.value == []:
            return sa.true() if part.operator is operators.not_in_op else sa.false()
    return None


def moved(
    expr: ColumnElement[Any], table: sa.Table, columns: Mapping[str, ColumnElement[Any]]
) -> ColumnElement[Any]:
    """Return *expr* about *columns* (by key) in place of those of *table*."""

    def swap(part: Any, **_: Any) -> Any:
        if isinstance(part, sa.Column) and part.table == table:
            return columns[part.key]
        return None

    return cast("ColumnElement[Any]", visitors.replacement_traverse(expr, {}, cast("Any", swap)))


def kleene(expr: Any, table: sa.Table, values: Values, scope: Scope) -> bool | None:
    """Return what the database would make of *expr*: True, False or None for NULL.

    Raises Unprovable for what is outside of the provable language.
    """
    if isinstance(expr, elements.Grouping):
        return kleene(expr.element, table, values, scope)
    if isinstance(expr, elements.True_ | elements.False_):
        return isinstance(expr, elements.True_)
    if isinstance(expr, elements.BooleanClauseList):
        results = [_attempt(part, table, values, scope) for part in expr.clauses]
        return _joined(results, decisive=expr.operator is operators.or_)
    if isinstance(expr, elements.UnaryExpression):
        return _unary(expr, table, values, scope)
    if isinstance(expr, elements.BinaryExpression):
        return _compared(expr, table, values, scope)
    if isinstance(expr, sa.Column) and isinstance(expr.type, sa.Boolean):
        found: bool | None = _typed(expr, table, values, bool)
        return found
    raise Unprovable


def provable(value: Any, type_: Any) -> bool:
    """Tell whether *value* is of the very type whose comparison was measured to agree."""
    kind = type(value)
    if isinstance(type_, sa.Boolean):
        return kind is bool
    if isinstance(type_, sa.Enum):
        return isinstance(value, enum.Enum) or kind is str
    if isinstance(type_, sa.Integer):
        return kind is int and -(2**63) <= value < 2**63
    if isinstance(type_, sa.Uuid):
        return kind is uuid.UUID or (kind is str and not type_.as_uuid)
    if isinstance(type_, sa.String):
        return kind is str and not isinstance(type_, sa.CHAR) and type_.collation is None
    if isinstance(type_, sa.DateTime):
        return kind is dt.datetime and _is_utc(value, bool(type_.timezone))
    if isinstance(type_, sa.Date):
        return kind is dt.date
    if isinstance(type_, sa.Numeric) and not isinstance(type_, sa.Float):
        return kind is decimal.Decimal and _in_scale(value, type_.scale)
    return False


def _attempt(part: Any, table: sa.Table, values: Values, scope: Scope) -> bool | Unprovable | None:
    try:
        return kleene(part, table, values, scope)
    except Unprovable as unknown:
        return unknown


def _joined(results: list[bool | Unprovable | None], *, decisive: bool) -> bool | None:
    """AND (decisive False) and OR (decisive True) of SQL; one decisive part is enough."""
    if any(result is decisive for result in results):
        return decisive
    for result in results:
        if isinstance(result, Unprovable):
            raise result
    return None if any(result is None for result in results) else not decisive


def _unary(expr: Any, table: sa.Table, values: Values, scope: Scope) -> bool | None:
    result = kleene(expr.element, table, values, scope)
    if expr.operator in (operators.inv, operators.is_false):
        return None if result is None else not result
    if expr.operator is operators.is_true:
        return result
    raise Unprovable


def _compared(expr: Any, table: sa.Table, values: Values, scope: Scope) -> bool | None:
    column, other, op = expr.left, expr.right, expr.operator
    if not isinstance(column, sa.Column) or column.table != table:
        raise Unprovable
    if isinstance(other, elements.Null) and op in (operators.is_, operators.is_not):
        return (values(column.key) is None) == (op is operators.is_)
    if not isinstance(other, PolicyBind):
        raise Unprovable
    given = other.now(scope)
    if op in (operators.in_op, operators.not_in_op):
        return _in(column, given, table, values, negated=op is operators.not_in_op)
    value = _typed(column, table, values, object)
    if value is None or given is None:
        return None
    return _plain(value, given, column.type, op)


def _plain(value: Any, given: Any, type_: Any, op: Any) -> bool:
    """Compare two values that are not NULL."""
    if type(value) is not type(given) or not provable(given, type_):
        raise Unprovable
    if op in (operators.eq, operators.ne):
        return bool((value == given) == (op is operators.eq))
    if op in _ORDER and type(value) in _ORDERED and not isinstance(type_, sa.Enum):
        return bool(_ORDER[op](value, given))
    raise Unprovable


def _in(column: Any, given: Any, table: sa.Table, values: Values, *, negated: bool) -> bool | None:
    if not isinstance(given, list | tuple):
        raise Unprovable
    if not given:
        return negated  # x NOT IN () is true, even for NULL
    value = _typed(column, table, values, object)
    if value is None:
        return None
    known = [one for one in given if one is not None]
    if any(_plain(value, one, column.type, operators.eq) for one in known):
        return not negated
    return None if len(known) < len(given) else negated


def _typed(column: Any, table: sa.Table, values: Values, kind: type) -> Any:
    """Return the row's value of *column*, None for NULL, when it is provable."""
    if column.table != table:
        raise Unprovable
    value = values(column.key)
    if value is not None and (not isinstance(value, kind) or not provable(value, column.type)):
        raise Unprovable
    return value


def _is_utc(value: dt.datetime, aware: bool) -> bool:
    if value.tzinfo is None:
        return not aware
    return aware and value.utcoffset() == dt.timedelta(0)


def _in_scale(value: decimal.Decimal, scale: int | None) -> bool:
    exponent = value.as_tuple().exponent
    return scale is not None and isinstance(exponent, int) and -exponent <= scale


def element_of(expr: Any, place: str) -> ColumnElement[Any]:
    """Return the column element that *expr* stands for: an attribute of a mapped class."""
    element = expr.__clause_element__() if hasattr(expr, "__clause_element__") else None
    if isinstance(element, ColumnElement):
        return element
    raise SetupError(
        "policy.no_condition",
        f"where({expr!r}) of {place} is no condition.",
        hint="For example where(lambda book: book.year > 1900).",
    )
