"""The directory: people as the system sees them, whoever asks.

    look_up(email), add(...), all_people()          rows
    keep_hash, keep_roles, rename                   one column each
    new_link(user), use_link(token)                 a secret that works once

Nothing here decides whether it may be done; who calls has decided.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from carboy.auth.emails import plain
from carboy.auth.models import User, UserLink, role_names
from carboy.auth.session import ID_BYTES, TOKEN, hashed
from carboy.auth.store import reading, settle_views, writing
from carboy.base.scope import finding
from carboy.data.db import db
from carboy.data.mixins import now

__all__ = [
    "LINK_FOR", "Known", "add", "all_people", "keep_hash", "keep_roles", "look_up", "new_link",
    "rename", "use_link",
]  # fmt: skip

LINK_FOR = timedelta(hours=1)

_U: Any = User.__table__
_L: Any = UserLink.__table__


class Known(NamedTuple):
    """A person, with the hash of their password."""

    id: Any
    email: str
    name: str
    password_hash: str | None
    roles: list[str]
    active: bool


_KNOWN = sa.select(*(_U.c[name] for name in Known._fields))


def look_up(email: str) -> Known | None:
    """Return the person with that address, written in any case."""
    with reading() as execute:
        row = execute(_KNOWN.where(_U.c.email == plain(email)), {}).first()
    return None if row is None else Known(*row)


def by_id(user_id: Any) -> Known | None:
    """Return the person with that key."""
    with reading() as execute:
        row = execute(_KNOWN.where(_U.c.id == user_id), {}).first()
    return None if row is None else Known(*row)


def all_people() -> list[Known]:
    """Return everybody, by address."""
    with reading() as execute:
        return [Known(*row) for row in execute(_KNOWN.order_by(_U.c.email), {})]


def add(email: str, name: str, password_hash: str | None, roles: Iterable[str] = ()) -> Any:
    """Add a person; return their key.

    Raises InvalidRow (422) for values that the model refuses, ConstraintFault (409) for an
    address that somebody has.
    """
    with finding("carboy.auth"), db.transaction() as session:
        user = User(
            email=email, name=name, password_hash=password_hash, roles=role_names(roles),
            password_changed_at=now() if password_hash else None,
        )  # fmt: skip
        session.add(user)
        session.flush()
        return user.id


def keep_hash(user_id: Any, password_hash: str, *, changed: bool = True) -> None:
    """Keep the hash of a password. changed: it is another one, not only hashed anew."""
    values: dict[str, Any] = {"password_hash": password_hash}
    if changed:
        values["password_changed_at"] = now()
    _update(user_id, values)


def keep_roles(user_id: Any, roles: Iterable[str]) -> list[str]:
    """Keep the roles of a person; return them sorted. They count from the next request on."""
    names = role_names(roles)
    _update(user_id, {"roles": names})
    return names


def rename(user_id: Any, name: str) -> None:
    """Keep another name. Raises InvalidRow (422) for one that the model refuses."""
    settle_views()
    with finding("carboy.auth"), db.transaction() as session:
        user = session.get(User, user_id)
        if user is not None:
            user.name = name


def new_link(user_id: Any, purpose: str = "sign-in") -> str:
    """Return a secret that works once, within an hour; only its hash is kept."""
    token = secrets.token_urlsafe(ID_BYTES)
    row = {"id": hashed(token), "user_id": user_id, "purpose": purpose}
    with writing() as connection:
        connection.execute(sa.delete(_L).where(_L.c.expires_at <= now()))
        connection.execute(sa.insert(_L).values(**row, expires_at=now() + LINK_FOR))
    return token


def use_link(token: str, purpose: str = "sign-in") -> Any:
    """Return whose link that is, and use it up; None when it is no good any more."""
    if not TOKEN.fullmatch(token):
        return None
    good = sa.and_(
        _L.c.id == hashed(token), _L.c.purpose == purpose, _L.c.expires_at > now()
    )  # fmt: skip
    settle_views()
    with writing() as connection:
        user_id = connection.scalar(sa.select(_L.c.user_id).where(good))
        # Of two who come at once, one deletes the row.
        return user_id if connection.execute(sa.delete(_L).where(good)).rowcount else None


def _update(user_id: Any, values: dict[str, Any]) -> None:
    settle_views()
    with writing() as connection:
        connection.execute(sa.update(_U).where(_U.c.id == user_id).values(values))
