"""Guards: what stands between a session and the rows, put in by an upper floor.

    a program declares policies  ->  `source` names the module that enforces them
    Places(..., guard=...)       ->  every engine and every session of theirs is guarded

Data know nothing of policies, but they know when one was declared: then they are never
opened without.
"""

from __future__ import annotations

import importlib
from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import registry

__all__ = ["Guard", "declared", "guard_for"]

source = ""
"""The module with `guard(closed) -> Guard`; set by whoever lets policies be declared."""


class Guard(Protocol):
    """What is put around the engines and sessions of some places.

    mixin: a class put before DataSession.
    """

    mixin: type

    def install(self, engine: Engine) -> None:
        """Guard *engine*, before its first statement."""

    def scope_key(self) -> Hashable:
        """Return who asks: sessions are kept apart by it. Runs at each `db.session`."""


def declared(models: registry) -> bool:
    """Tell whether any model of a registry states a policy."""
    return any(getattr(mapper.class_, "policy", None) is not None for mapper in models.mappers)


def guard_for(models: registry) -> Guard | None:
    """Return the guard for work without an application; None when no policy is declared."""
    if not (source and declared(models)):
        return None
    made: Guard = importlib.import_module(source).guard()
    return made
