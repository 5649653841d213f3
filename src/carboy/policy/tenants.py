"""Tenants: what is new belongs to the tenant of who asks.

    Policy(tenant="org")    session.add(Note(...))  ->  before the flush  ->  note.org_id = 5

That everything else stays inside of a tenant is in the rules already: `tenant` is a part of
each, so that what is of another is hidden, cannot be referred to, and nothing moves there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from carboy.base.scope import frame

if TYPE_CHECKING:
    from carboy.policy.book import Rulebook

__all__ = ["fill_in"]


def fill_in(book: Rulebook, objects: Any) -> None:
    """Set the tenant of those new *objects* that have none. Runs no SQL."""
    tenant = frame().scope.tenant
    if tenant is None:
        return
    for one in objects:
        mapper = sa.inspect(one).mapper
        table = mapper.base_mapper.local_table
        name = book.governed(table).policy.tenant
        if name is None:
            continue
        column = book.place(table).column(name)
        key = mapper.get_property_by_column(column).key
        held = vars(one)
        if held.get(key) is None and held.get(name) is None:
            setattr(one, key, tenant)
