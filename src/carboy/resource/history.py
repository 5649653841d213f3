"""History: what was changed, when, and by whom; written with the change itself.

    flush of a recorded model  ->  one row of `carboy_changes` per row, same transaction
    changes_of(plan, key)      ->  the newest first, for who may see the row

The values of hidden and protected fields are never kept, only that they changed. What Core
statements and other programs write is not seen here.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.orm import Mapped  # noqa: TC002  # read when the class is mapped

from carboy.base.scope import NobodyAsking, current, finding
from carboy.data import session as sessions
from carboy.data.db import db
from carboy.data.fields import field
from carboy.data.mixins import now
from carboy.data.models import Model
from carboy.engine.seam import cv_app
from carboy.policy.policies import Policy
from carboy.policy.rules import nobody

if TYPE_CHECKING:
    from carboy.resource.plan import Plan

__all__ = ["Change", "Entry", "changes_of", "newest", "record"]

LONG = 500  # characters of a value that are kept
SHOWN = 50

recorded: WeakSet[type[Any]] = WeakSet()


class Change(Model):
    """One row that was added, changed or deleted."""

    __tablename__ = "carboy_changes"

    model: Mapped[str] = field(max_length=100)
    key: Mapped[str] = field(max_length=200)
    title: Mapped[str] = field(max_length=200, default="")
    action: Mapped[str] = field(max_length=10)
    who: Mapped[str | None] = field(max_length=64)
    at: Mapped[dt.datetime] = field(default=now, index=True)
    values: Mapped[dict[str, Any]] = field(default=dict)

    __table_args__ = (sa.Index("ix_carboy_changes_row", "model", "key"),)
    policy = Policy(read=nobody, write=nobody)


@dataclass(frozen=True)
class Entry:
    """A change as it is shown. parts: (label, before, after); texts, or None for nothing."""

    model: str
    key: str
    title: str
    action: str
    who: str | None
    at: dt.datetime
    parts: tuple[tuple[str, Any, Any], ...]


def record(model: type[Any]) -> None:
    """Keep the history of *model* from now on."""
    recorded.add(model)


class Recording:
    """Mixin of sessions: writes the history of each flush."""

    def after_flush(self, context: Any) -> None:
        """Write one row for each recorded row of the flush."""
        super().after_flush(context)  # type: ignore[misc]  # DataSession has it
        session: Any = self
        found = [*_found(session)] if _has_admin() else []
        if not found:
            return
        moment, who = now(), _who()
        rows = [{**one, "at": moment, "who": who} for one in found]
        with finding(__name__):
            connection = session.connection(bind_arguments={"mapper": sa.inspect(Change)})
            connection.execute(sa.insert(Change), rows)


sessions.mixins.append(Recording)


def changes_of(plan: Plan, key: str) -> list[Entry]:
    """Return the newest changes of one row; call it only for a row that may be seen."""
    with finding(__name__):
        query = sa.select(Change).where(Change.model == plan.model.__name__, Change.key == key)
        rows = db.session.scalars(query.order_by(Change.id.desc()).limit(SHOWN)).all()
        return [_entry(one, plan) for one in rows]


def newest(plans: dict[str, Plan], count: int) -> list[Entry]:
    """Return the newest changes of all models, for the admin. plans: by name of the model."""
    with finding(__name__):
        query = sa.select(Change).where(Change.model.in_(list(plans)))
        rows = db.session.scalars(query.order_by(Change.id.desc()).limit(count)).all()
        return [_entry(one, plans[one.model]) for one in rows]


def _has_admin() -> bool:
    """Whether the application at work is one that shows history; a process may have several."""
    context = cv_app.get(None)
    return context is not None and "carboy.admin" in context.app.extensions


def _entry(row: Change, plan: Plan) -> Entry:
    fields = plan.model.facts().fields
    parts = tuple(
        (fields[name].label if name in fields else name, before, after)
        for name, (before, after) in row.values.items()
    )
    return Entry(row.model, row.key, row.title, row.action, row.who, row.at, parts)


def _found(session: Any) -> Iterator[dict[str, Any]]:
    for rows, action in ((session.new, "added"), (session.dirty, "changed"),
                         (session.deleted, "deleted")):  # fmt: skip
        for row in rows:
            if type(row) not in recorded or (action == "changed" and row in session.deleted):
                continue
            values = {} if action == "deleted" else dict(_changed(row, action))
            if action != "changed" or values:
                yield {
                    "model": type(row).__name__, "key": _key(row), "title": _title(row),
                    "action": action, "values": values,
                }  # fmt: skip


def _changed(row: Any, action: str) -> Iterator[tuple[str, list[Any]]]:
    state = sa.inspect(row)
    protected = getattr(getattr(type(row), "policy", None), "fields", None) or {}
    for name, one in type(row).facts().fields.items():
        history = state.attrs[name].history
        if not history.has_changes() or one.write == "never" or one.key:
            continue
        before = history.deleted[0] if history.deleted else None
        after = history.added[0] if history.added else None
        if one.api == "hidden" or name in protected:
            yield name, ["…", "…"]
        elif action == "changed" or after is not None:
            yield name, [_kept(before), _kept(after)]


def _kept(value: Any) -> Any:
    """Return *value* as JSON keeps it, and not too long."""
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float | Decimal | UUID):
        return str(value)
    text = value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
    return text if len(text) <= LONG else text[: LONG - 1] + "…"


def _key(row: Any) -> str:
    identity = sa.inspect(row).identity or sa.inspect(type(row)).primary_key_from_instance(row)
    return ",".join(map(str, identity))[:200]


def _title(row: Any) -> str:
    for name in ("title", "name", "label", "email"):
        if isinstance(value := row.__dict__.get(name), str):
            return value[:200]
    return ""


def _who() -> str | None:
    try:
        user = current().user
    except NobodyAsking:
        return None
    return None if user is None else str(user)[:64]
