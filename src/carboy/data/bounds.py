"""What a call of a read may ask for: how many rows, sorted by what, which one.

limit_of(None, 0)       the limit that stands for all; 400 for numbers that are none
order_of_names(Book, ("-title",))    the names, when rows can be sorted by them
parts_of(Book)(7)       the values of a key, None when no row can have it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from carboy.base.errors import RequestFault, SetupError
from carboy.data import selections
from carboy.data.types import BIG
from carboy.data.validity import broken_rule

if TYPE_CHECKING:
    from carboy.data.models import Model

__all__ = ["LIMIT", "MOST_ROWS", "MOST_SKIPPED", "limit_of", "order_of_names", "parts_of"]

LIMIT = 100  # rows, unless said: a page, not a table
MOST_ROWS = 10_000  # in one answer; more is an export, and is read in pages
MOST_SKIPPED = 2**31  # OFFSET must fit everywhere; no list is that long
ALL = 2**63 - 1  # a LIMIT that is none: MariaDB has no OFFSET without


def limit_of(limit: Any, offset: Any) -> int:
    """Return the limit that None stands for. Raises RequestFault for numbers that are none."""
    if limit is None and type(offset) is int and 0 <= offset <= MOST_SKIPPED:
        return ALL
    raise RequestFault(
        400, "data.limit",
        f"limit must be a whole number from 1 to {MOST_ROWS}, and offset from 0 to {MOST_SKIPPED}.",
    )  # fmt: skip


def order_of_names(model: type[Model], order: Any) -> tuple[str, ...]:
    """Return *order* when it can be, as far as classes are there yet."""
    if isinstance(order, str):
        raise SetupError(
            "data.order", f"order={order!r} is a text; it is a list of names.",
            hint=f"Write  order=({order!r},).",
        )  # fmt: skip
    for path in selections.split([name.removeprefix("-") for name in order], model):
        selections.check(model, path, hidden=True, order=True)
    return tuple(order)


def parts_of(model: type[Model]) -> Callable[[Any], tuple[Any, ...] | None]:
    """Return what takes a key apart; None for one that no row can have."""
    mapper = inspect(model)
    names = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    fields = [model.facts().fields[name] for name in names]
    field = fields[0]
    number = field.kind == "integer" and field.ge is None and field.le is None

    def of_number(key: Any) -> tuple[Any, ...] | None:
        # PERF: what a whole number must be, without asking the field
        return (key,) if type(key) is int and -BIG <= key < BIG else None

    def of_any(key: Any) -> tuple[Any, ...] | None:
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) != len(fields) or None in parts or any(map(broken_rule, fields, parts)):
            return None
        return parts

    return of_number if number and len(fields) == 1 else of_any
