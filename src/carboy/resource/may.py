"""May: what who asks may do, for buttons, forms and clear refusals.

    may(Book, "create")           whether it can ever be: no SQL
    may(book, "update")           of one row; SQL only when the rule needs the database
    those(plan, keys, "update")   of the rows of a page: one statement at most
    settable(model, names)        fields who asks may set in some row

Nothing is protected by these: the data layer is, whatever a page shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from carboy.base.scope import frame
from carboy.data.db import db
from carboy.engine.seam import cv_app
from carboy.policy.book import as_sql
from carboy.policy.decide import allowed
from carboy.policy.errors import NotPermitted

if TYPE_CHECKING:
    from carboy.policy.book import Governed, Rulebook
    from carboy.policy.rules import Columns, Condition
    from carboy.resource.plan import Plan

__all__ = ["may", "refuse", "settable", "those"]


def may(what: Any, action: str) -> bool:
    """Return whether who asks may do *action*.

    what: a row, or a model: then whether there can be a row for which they may.
    action: "read", "create", "update" or "delete".
    """
    book = _book()
    if book is None or frame().scope.system:
        return True
    if isinstance(what, type):
        return _condition(book, what, action) is not False
    return allowed(db.session, book, what, action)


def those(plan: Plan, keys: Sequence[Any], action: str) -> set[Any]:
    """Return those of *keys* whose rows who asks may *action*."""
    book = _book()
    if book is None or not keys or frame().scope.system:
        return set(keys)
    condition = _condition(book, plan.model, action)
    if isinstance(condition, bool):
        return set(keys) if condition else set()
    columns = [getattr(plan.model, name) for name in plan.key]
    among = (
        columns[0].in_(keys)
        if len(columns) == 1
        else sa.or_(
            *(sa.and_(*(c == v for c, v in zip(columns, key, strict=True))) for key in keys)
        )
    )
    found = db.session.execute(sa.select(*columns).where(among, as_sql(condition)))
    return {row[0] if len(columns) == 1 else tuple(row) for row in found}


def settable(model: Any, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of *names* that who asks may set, in some row at least."""
    book = _book()
    if book is None or frame().scope.system:
        return tuple(names)
    governed = _governed(book, model)
    columns, shape = cast("Columns", governed.table.c), book.shape(frame())
    return tuple(
        name for name in names
        if False not in governed.setting({_column(model, name)}, columns, shape)
    )  # fmt: skip


def refuse(plan: Plan, action: str) -> NotPermitted:
    """Return the error for a row that may be seen, and not changed so."""
    words = {"create": "add", "update": "change", "delete": "delete"}
    return NotPermitted(
        f"You may not {words.get(action, action)} this {plan.singular}.",
        code=f"policy.{action}", action=action, about=plan.model.__name__,
    )  # fmt: skip


def _book() -> Rulebook | None:
    """Return the rules of the application; None when it has no policy battery."""
    battery = cv_app.get().app.extensions.get("carboy.policy")
    return None if battery is None else cast("Rulebook", battery.guard.book)


def _governed(book: Rulebook, model: Any) -> Governed:
    return book.governed(sa.inspect(model).base_mapper.local_table)


def _condition(book: Rulebook, model: Any, action: str) -> Condition:
    governed = _governed(book, model)
    columns, shape = cast("Columns", governed.table.c), book.shape(frame())
    if action == "create":
        return governed.rules["create"].condition(columns, shape)
    return governed.condition(action, columns, shape)


def _column(model: Any, name: str) -> str:
    return str(sa.inspect(model).columns[name].key)
