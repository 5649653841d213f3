"""Plug: put a rulebook under every engine and every session of `carboy.data`.

plug_in(Rulebook(Model.registry))     once, before the first engine is made
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from carboy.base.scope import NobodyAsking, current
from carboy.data import engines, session as sessions
from carboy.policy.filters import install
from carboy.policy.session import PolicyMixin

if TYPE_CHECKING:
    from carboy.policy.book import Rulebook

__all__ = ["plug_in", "scope_key"]


def plug_in(book: Rulebook) -> None:
    """Compile *book* into every engine made from now on, and guard every session."""
    engines.hooks.append(lambda engine: install(engine, book))
    sessions.mixins.append(type("Guarded", (PolicyMixin,), {"book": book}))
    sessions.seams.scope_key = scope_key


def scope_key() -> Hashable:
    """Return what sessions are kept apart by: who asks; None outside of every scope."""
    try:
        return current()
    except NobodyAsking:
        return None
