"""People in the admin: who there is, what they may, and whether they are let in.

A password is nobody's to set for another: `carboy users link` gives a one-use link.
"""

from __future__ import annotations

from typing import Any

from carboy.auth.models import User
from carboy.base.scope import finding
from carboy.data.db import db
from carboy.resource.declared import Resource, declare

__all__ = ["People", "people"]


class People(Resource):
    """Accounts, for admins."""

    model = User
    name = "users"
    label = "User"
    icon = "user"
    columns = ("name", "email", "roles", "active", "created_at")
    details = ("name", "email", "roles", "active", "created_at", "password_changed_at")
    fields = ("name", "email", "roles", "active")
    pages = api = False


def people(app: Any) -> Resource:
    """Return the resource of accounts; the history of the admin calls people by their names."""
    app.extensions["carboy.people"] = _name_of
    return declare(People, {})


def _name_of(key: str) -> str | None:
    """Return the name of the person who is kept under *key* in the history."""
    if not key.isdecimal():
        return None
    with finding(__name__):
        found = db.session.get(User, int(key))
        return None if found is None else found.name
