"""The people of an application, where they are signed in, and their one-use links.

users           who they are; everyone may read a name, only themselves and admins the rest
user_sessions   one row for each browser that has something to remember
user_links      one-use links, such as the first admin's; hashed, with an end

Importing this module is what gives an application people.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, validates

from carboy.auth import people
from carboy.auth.emails import LONGEST, plain
from carboy.base.errors import RequestFault
from carboy.data.fields import field
from carboy.data.mixins import now
from carboy.data.models import Model
from carboy.data.relations import belongs_to
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import everyone, nobody, owner, role
from carboy.web.i18n.texts import _

__all__ = ["HASHED", "User", "UserLink", "UserSession", "name_flaw", "role_names"]

HASHED = 64  # characters of a SHA-256 in hexadecimal
NAME = 80  # characters of a name as it is shown
JOINERS = str.maketrans("", "", "\u200c\u200d")  # invisible, and needed to write Persian
ROLE = 40  # characters of the longest role's name
ROLES = 50  # roles of one person

_admin = role("admin")
_own = Field(read=owner("id") | _admin, write=_admin)


class User(Model):
    """Somebody who may sign in.

    email: kept in lower case. roles: their names, such as "staff". password_hash: None for
    somebody who signs in by link only. active: False keeps them out, at once.
    """

    email: Mapped[str] = field(
        label="E-mail address", max_length=LONGEST, unique=True, widget="email",
        pattern=r"[^@\s]+@[^@\s]+", message="E-mail address must look like ada@example.org.",
    )  # fmt: skip
    name: Mapped[str] = field(max_length=NAME)
    password_hash: Mapped[str | None] = field(max_length=500, api="hidden", write="never")
    roles: Mapped[list[str]] = field(default=list)
    active: Mapped[bool] = field(default=True)
    created_at: Mapped[datetime] = field(default=now, write="never", label="Created")
    password_changed_at: Mapped[datetime | None] = field(write="never", label="Password changed")

    policy = Policy(
        read=everyone,
        create=_admin,
        update=owner("id") | _admin,
        delete=_admin,
        fields={
            "email": _own,
            "roles": _own,
            "active": _own,
            "created_at": Field(read=owner("id") | _admin, write=nobody),
            "password_changed_at": Field(read=owner("id") | _admin, write=nobody),
            "password_hash": Field(read=nobody, write=nobody),
        },
    )

    @validates("email")
    def _one_spelling(self, key: str, value: Any) -> Any:
        return plain(value) if isinstance(value, str) else value

    @validates("name")
    def _sayable(self, key: str, value: Any) -> Any:
        if isinstance(value, str) and (said := name_flaw(value)):
            errors = [{"loc": ["name"], "msg": said, "type": "name"}]
            raise RequestFault(422, "accounts.name", said, errors=errors)
        return value

    @validates("roles")
    def _names_only(self, key: str, value: Any) -> Any:
        return role_names(value) if isinstance(value, (list, tuple, set, frozenset)) else value

    def __str__(self) -> str:
        return self.name


class UserSession(Model):
    """What one browser is remembered by. Nobody sees these but the system.

    id: the SHA-256 of the cookie's value. data: JSON. version: counts the changes of data.
    stamp: the roles that the id was given for. expires_at: by itself, idle or absolute.
    """

    id: Mapped[str] = field(max_length=HASHED, key=True)
    user: Mapped[User | None] = belongs_to(on_delete="cascade")
    data: Mapped[str] = field(api="hidden")
    version: Mapped[int] = field(default=0)
    stamp: Mapped[str] = field(max_length=HASHED)
    created_at: Mapped[datetime] = field()
    seen_at: Mapped[datetime] = field()
    expires_at: Mapped[datetime] = field(index=True)
    agent: Mapped[str] = field(max_length=200)
    address: Mapped[str] = field(max_length=45)

    policy = Policy()


class UserLink(Model):
    """A link that may be used once. Nobody sees these but the system.

    id: the SHA-256 of what stands in the link. purpose: what it is good for.
    """

    id: Mapped[str] = field(max_length=HASHED, key=True)
    user: Mapped[User] = belongs_to(on_delete="cascade")
    purpose: Mapped[str] = field(max_length=20)
    expires_at: Mapped[datetime] = field(index=True)

    policy = Policy()


def name_flaw(name: str) -> str:
    """Return why *name* cannot be shown beside what somebody writes; "" if it can.

    Characters that cannot be seen, or turn the direction of the text, are refused: with
    them one person looks like another.

    >>> name_flaw("Ada"), name_flaw("Ada\\u202e")
    ('', 'A name has no invisible characters in it.')
    """
    if not name.strip():
        return _("A name is needed.")
    if len(name) > NAME:
        return _("A name has at most %(count)s characters.", count=NAME)
    visible = name.translate(JOINERS).isprintable()
    return "" if visible else _("A name has no invisible characters in it.")


def role_names(names: Any) -> list[str]:
    """Return *names* sorted, each once. Raises a RequestFault (422) for what is no name.

    A name is 1 to 40 letters, digits, "-", "_", "." and ":".

    >>> role_names(["staff", "admin", "staff"])
    ['admin', 'staff']
    """
    found = {name for name in names if _is_name(name)}
    if len(found) != len(set(map(str, names))) or len(found) > ROLES:
        said = f"Roles must be at most {ROLES} names of letters, digits, '-', '_', '.' and ':'."
        errors = [{"loc": ["roles"], "msg": said, "type": "roles"}]
        raise RequestFault(422, "accounts.roles", said, errors=errors)
    return sorted(found)


def _is_name(name: Any) -> bool:
    if not isinstance(name, str) or not 0 < len(name) <= ROLE:
        return False
    return name.isascii() and all(letter.isalnum() or letter in "-_.:" for letter in name)


people.arrived()
