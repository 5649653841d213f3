"""The page of one row: its facts, what refers to it, and what would go with it.

detailed(plan, key)   ->  the row, its cells, lists of related rows
going(plan, row)      ->  how many rows of which kind a delete takes along, or unlinks
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import RelationshipDirection

from carboy.data.clauses import Clause
from carboy.data.db import db
from carboy.data.naming import label_of
from carboy.resource.cells import shower
from carboy.resource.may import may
from carboy.resource.writing import find

if TYPE_CHECKING:
    from markupsafe import Markup

    from carboy.resource.plan import Column, Plan, Related

__all__ = ["Going", "Near", "detailed", "going"]

SHOWN = 5  # related rows on the page


@dataclass(frozen=True)
class Near:
    """The newest rows that refer to this one. more: whether there are others."""

    related: Related
    headings: tuple[Column, ...]
    rows: tuple[tuple[str, str, tuple[Markup, ...]], ...]
    more: bool
    may_create: bool


@dataclass(frozen=True)
class Going:
    """Rows that hang on one that is to be deleted. how: "deleted", "kept" or "refused"."""

    label: str
    count: int
    how: str


def detailed(plan: Plan, key: str) -> dict[str, Any]:
    """Return what `resource/detail.html` shows. Raises RequestFault 404 for a hidden row."""
    row = plan.detail.one(plan.read_key(key), *plan.resource.clauses())
    entity = find(plan, key)
    short: list[tuple[str, Markup]] = []
    long: list[tuple[str, Markup]] = []
    for one in plan.details:
        into = long if one.field.kind == "text" and one.field.widget == "textarea" else short
        into.append((one.label, shower(one, whole=True)(row)))
    return {
        "row": row, "key": key, "title": plan.title_of(row), "facts": short, "texts": long,
        "may_update": may(entity, "update"), "may_delete": may(entity, "delete"),
        "near": [_near(one, plan.read_key(key)) for one in plan.related],
    }  # fmt: skip


def _near(related: Related, key: Any) -> Near:
    plan = related.resource.plan
    fields = plan.model.facts().fields
    columns = tuple(one for one in plan.columns if one.name != related.by)[:4]
    rows = plan.listing.rows(Clause.equal(**{related.by: key}), limit=SHOWN + 1)
    showers = [shower(one) for one in columns]
    made = tuple(
        (plan.key_text(row), plan.title_of(row), tuple(show(row) for show in showers))
        for row in rows[:SHOWN]
    )
    settable = fields[related.by].write == "always"
    return Near(related, columns, made, len(rows) > SHOWN, settable and may(plan.model, "create"))


def going(plan: Plan, row: Any) -> list[Going]:
    """Return what a delete of *row* takes along, keeps without the link, or is refused for."""
    found = []
    for prop in plan.model.__mapper__.relationships:
        if prop.direction is not RelationshipDirection.ONETOMANY or prop.viewonly:
            continue
        (local, remote), *more = prop.local_remote_pairs
        if more:
            continue
        value = getattr(row, plan.model.__mapper__.get_property_by_column(local).key)
        target = prop.mapper.class_
        attribute = getattr(target, prop.mapper.get_property_by_column(remote).key)
        count = db.session.scalar(
            sa.select(sa.func.count()).select_from(target).where(attribute == value)
        )
        if count:
            found.append(Going(label_of(prop.key), count, _how(prop, remote)))
    return found


def _how(prop: Any, remote: Any) -> str:
    rules = {(key.ondelete or "").upper() for key in remote.foreign_keys}
    if prop.cascade.delete or "CASCADE" in rules:
        return "deleted"
    return "kept" if "SET NULL" in rules else "refused"
