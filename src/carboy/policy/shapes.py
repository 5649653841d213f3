"""Shapes: what compiled SQL may depend on, folded from who asks before it is made."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Shape"]


class Shape(NamedTuple):
    """All that a compiled condition may depend on besides bind values.

    version: of the rulebook, which rises when models are added.
    roles, tokens: only those that some rule mentions, so that shapes stay few.
    """

    version: int
    system: bool
    signed_in: bool
    has_tenant: bool
    roles: frozenset[str]
    tokens: frozenset[str] | None
