"""The dashboard: how many there are of each, and how many came lately.

Two statements per resource, through the policy of who looks: a count that stops at ten
thousand, and the last thirty days by day where rows carry the moment they were made.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from carboy.data.db import db
from carboy.data.mixins import now

if TYPE_CHECKING:
    from carboy.resource.plan import Plan

__all__ = ["Tile", "board"]

MOST = 10_000  # counting more takes long, and nobody acts on the difference
DAYS = 30


@dataclass(frozen=True)
class Tile:
    """One resource. count: at most `MOST`; more: there are others. days: (date, rows), the last 30.

    lately, before: rows of the last seven days, and of the seven before them.
    """

    plan: Plan
    count: int
    more: bool
    days: tuple[tuple[dt.date, int], ...] = ()

    @property
    def lately(self) -> int:
        """Rows of the last seven days."""
        return sum(count for _, count in self.days[-7:])

    @property
    def before(self) -> int:
        """Rows of the seven days before."""
        return sum(count for _, count in self.days[-14:-7])


def board(plans: list[Plan]) -> list[Tile]:
    """Return the tiles of the dashboard."""
    return [_tile(plan) for plan in plans]


def _tile(plan: Plan) -> Tile:
    some = sa.select(getattr(plan.model, plan.key[0])).limit(MOST + 1).subquery()
    count = db.session.scalar(sa.select(sa.func.count()).select_from(some)) or 0
    return Tile(plan, min(count, MOST), count > MOST, tuple(_days(plan)))


def _days(plan: Plan) -> list[tuple[dt.date, int]]:
    field = plan.fields.get("created_at")
    if field is None or field.kind != "datetime":
        return []
    today = now().date()
    first = today - dt.timedelta(days=DAYS - 1)
    column: Any = getattr(plan.model, "created_at")  # noqa: B009  # no member of every model
    day = sa.func.date(column)
    since = dt.datetime.combine(first, dt.time(), dt.UTC)
    rows = db.session.execute(sa.select(day, sa.func.count()).where(column >= since).group_by(day))
    counts = {str(found): count for found, count in rows}
    every = (first + dt.timedelta(days=n) for n in range(DAYS))
    return [(one, counts.get(one.isoformat(), 0)) for one in every]
