"""Constraints that were broken under a scope: what may be said of them, and to whom.

    driver's error  ->  Backend.trouble()  ->  told()  ->  Conflict, with a sentence or without
        required, check    a value of one's own: the sentence of the model, the field named; 422
        unique             "is taken already", the field named; 409
        reference          what it refers to is absent or hidden: one sentence for both; 422
        in use             something refers to it: what does is not said; 409
        anything else      the one message for all clashes; 409

SECURITY: the driver's text quotes values of the row that is there, also of a hidden one; it
is dropped, with the statement. That *some* row has a value is told by every unique
constraint, with or without a sentence: to name the field tells no more, as whoever may try
values one at a time finds out which it was. (Make constraints unique per tenant.) Not so
where the field is hidden by a field rule: its own value would be told; there, and for keys
that nobody described, it is the one message for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.exc import IntegrityError

from carboy.base.scope import NobodyAsking, frame
from carboy.data.engines import BACKENDS
from carboy.data.faults import describers
from carboy.policy.errors import CLASH, Conflict

if TYPE_CHECKING:
    import sqlalchemy as sa

    from carboy.data.backends.common import Trouble
    from carboy.policy.book import Rulebook
    from carboy.policy.rules import Columns, Shape

__all__ = ["absent", "told"]

SENTENCES = {
    "check": "A value is not allowed.",
    "required": "A value is missing.",
    "reference": "This refers to something that does not exist.",
    "in_use": "This is still in use elsewhere.",
}
"""What is said where the model says nothing, or may not."""

WITHHELD = "(The driver's words are withheld: they may quote a row that is hidden.)"


def told(book: Rulebook, context: sa.ExceptionContext) -> Conflict | None:
    """Return what may be told of a broken constraint; None when it is none, or all may be told."""
    error = context.original_exception
    made = getattr(context, "chained_exception", None) or context.sqlalchemy_exception
    if not isinstance(made, IntegrityError):
        return None
    try:
        shape = book.shape(frame())
    except NobodyAsking:
        return None  # no row of a governed table was written
    if shape.system:
        return None
    backend = BACKENDS.get(context.dialect.name)
    trouble = None if backend is None else backend.trouble(error, context.statement or "")
    fault = Conflict() if trouble is None else _said(book, shape, trouble)
    fault.orig = Exception(fault.message)
    # It will be the cause of ours, and printed with it.
    error.args = tuple(WITHHELD if isinstance(part, str) else part for part in error.args)
    return fault


def absent(about: str) -> Conflict:
    """Return what is said of a reference to what is hidden: the same as of one to nothing."""
    return Conflict(422, "data.reference", SENTENCES["reference"], about=about)


def _said(book: Rulebook, shape: Shape, trouble: Trouble) -> Conflict:
    if trouble.kind in ("reference", "in_use"):
        status = 422 if trouble.kind == "reference" else 409
        return _conflict(status, trouble, SENTENCES[trouble.kind], ())
    described = _described(trouble)
    if trouble.kind not in ("check", "required", "unique"):
        return Conflict(about=trouble.table)
    table, columns = _place(book, trouble)
    if _any_masked(book, shape, table, columns):
        return Conflict(about=trouble.table)
    if trouble.kind == "unique":
        if described is None or table is None:
            return Conflict(about=trouble.table)
        return _conflict(409, trouble, *described)
    message, fields = described or (SENTENCES[trouble.kind], tuple(trouble.columns))
    return _conflict(422, trouble, message, fields)


def _conflict(status: int, trouble: Trouble, message: str, fields: Iterable[str]) -> Conflict:
    errors = [{"loc": [name], "msg": message, "type": trouble.kind} for name in fields]
    made = Conflict(
        status, f"data.{trouble.kind}", message or CLASH, errors=errors, about=trouble.table
    )
    made.constraint, made.kind = trouble.constraint, trouble.kind
    return made


def _described(trouble: Trouble) -> tuple[str, tuple[str, ...]] | None:
    for describe in describers:
        found = describe(trouble)
        if found is not None:
            return found
    return None


def _place(book: Rulebook, trouble: Trouble) -> tuple[sa.Table | None, frozenset[str]]:
    """Return the table and the columns of a constraint, as far as anybody can know."""
    for governed in book.tables():
        for constraint in governed.table.constraints:
            if trouble.constraint and constraint.name == trouble.constraint:
                return governed.table, _columns_of(constraint)
        if trouble.table == governed.table.name:
            return governed.table, frozenset(trouble.columns)
    return None, frozenset(trouble.columns)


def _columns_of(constraint: Any) -> frozenset[str]:
    return frozenset(column.name for column in getattr(constraint, "columns", ()))


def _any_masked(
    book: Rulebook, shape: Shape, table: sa.Table | None, names: frozenset[str]
) -> bool:
    """Tell whether a field rule hides one of the columns; of an unknown table: any such."""
    tables = book.tables() if table is None else [book.governed(table)]
    for governed in tables:
        masked = governed.masks(cast("Columns", governed.table.c), shape)
        if any(governed.table.c[key].name in names for key in masked):
            return True
    return False
