"""Plug: the guard that holds the places of `carboy.data` to the policies.

guard(closed=True)    models without a policy show no rows
guard(closed=False)   ... are open; for applications that adopt policies one by one
govern(Base)          also plain SQLAlchemy models: rules for the tables of their registry
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from carboy.base.scope import NobodyAsking, current
from carboy.data.fields import providers
from carboy.data.models import Model
from carboy.policy.book import Rulebook
from carboy.policy.errors import denied
from carboy.policy.filters import install
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone
from carboy.policy.session import PolicyMixin

if TYPE_CHECKING:
    from sqlalchemy import Engine, orm

providers["current_user"] = lambda: current().user  # belongs_to(default="current_user")
providers["current_tenant"] = lambda: current().tenant

__all__ = ["Guarding", "denied", "govern", "guard"]

_guards: dict[bool, Guarding] = {}
_plain: list[orm.registry] = []


class Guarding:
    """Holds engines and sessions to *book*; see `carboy.data.guards.Guard`."""

    def __init__(self, book: Rulebook) -> None:
        self.book = book
        self.mixin = type("Guarded", (PolicyMixin,), {"book": book})

    def install(self, engine: Engine) -> None:
        """Compile the rules into every statement of *engine*."""
        install(engine, self.book)

    def scope_key(self) -> Hashable:
        """Return who asks; None outside of every scope: that session refuses when used."""
        try:
            return current()
        except NobodyAsking:
            return None


def guard(closed: bool = True) -> Guarding:
    """Return the guard for all models, the same one each time.

    closed: whether a model without a policy shows nobody anything.
    """
    if closed not in _guards:
        default = None if closed else Policy(read=everyone, write=everyone)
        book = Rulebook(Model.registry, *_plain, undeclared=default)
        _guards[closed] = Guarding(book)
    return _guards[closed]


def govern(base: Any) -> None:
    """Take in the models of another declarative base, or registry.

    Their classes state `policy = Policy(...)` as ours do; a bare Table has
    info={"policy": Policy(...)}.
    """
    registry = getattr(base, "registry", base)
    if registry not in _plain:
        _plain.append(registry)
    for one in _guards.values():
        one.book.add(registry)
