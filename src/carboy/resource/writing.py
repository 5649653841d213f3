"""Writing: rows created, changed and deleted, in one transaction with what belongs to it.

    create(plan, values)        ->  the new row
    update(plan, row, values)   ->  it, changed
    delete(plan, row)           ->  gone, with what is declared to go with it

What may not be is a RequestFault: 403 for what may be seen and not changed, 404 for what
is hidden, 409 for what clashes, 422 with every broken rule. Nothing is half written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from carboy.base.errors import RequestFault
from carboy.data.db import db
from carboy.resource.may import may, refuse
from carboy.resource.plan import absent

if TYPE_CHECKING:
    from carboy.resource.plan import Plan

__all__ = ["check_version", "create", "delete", "delete_all", "find", "update"]


def find(plan: Plan, text: str, action: str = "read") -> Any:
    """Return the row with the key in an address, if *action* is allowed on it.

    Raises RequestFault 404 for what is not there or hidden, 403 for what may only be read.
    """
    key = plan.read_key(text)
    row = db.session.get(plan.model, key)
    if row is None or not _belongs(plan, key):
        raise absent(plan)
    if action != "read" and not may(row, action):
        raise refuse(plan, action)
    return row


def _belongs(plan: Plan, key: Any) -> bool:
    """Return whether the row with *key* is one of this resource, by its own conditions."""
    clauses = plan.resource.clauses()
    if not clauses:
        return True
    try:
        plan.detail.one(key, *clauses)
    except RequestFault:
        return False
    return True


def create(plan: Plan, values: Mapping[str, Any]) -> Any:
    """Return a new row with *values*, saved."""
    if not may(plan.model, "create"):
        raise refuse(plan, "create")
    resource = plan.resource
    with db.transaction() as session:
        row = plan.model(**resource.values(dict(values), None))
        session.add(row)
        session.flush()
        resource.saved(row, new=True)
    return row


def update(plan: Plan, row: Any, values: Mapping[str, Any]) -> Any:
    """Set *values* on *row* and save it."""
    resource = plan.resource
    with db.transaction() as session:
        for name, value in resource.values(dict(values), row).items():
            if getattr(row, name) != value:
                setattr(row, name, value)
        session.flush()
        resource.saved(row, new=False)
    return row


def delete(plan: Plan, row: Any) -> None:
    """Delete *row*."""
    with db.transaction() as session:
        plan.resource.deleted(row)
        session.delete(row)
        session.flush()


def check_version(plan: Plan, row: Any, version: Any) -> None:
    """Raise RequestFault 409 when *row* is no longer the one a form was made from."""
    if plan.version and version is not None and str(getattr(row, plan.version)) != str(version):
        raise RequestFault(
            409, "data.outdated",
            f"Somebody changed this {plan.singular} meanwhile.",
            hint="Look at it as it is now, then make your change again.",
        )  # fmt: skip


def delete_all(plan: Plan, rows: list[Any]) -> None:
    """Delete *rows*, all or none."""
    with db.transaction() as session:
        for row in rows:
            plan.resource.deleted(row)
            session.delete(row)
        session.flush()
