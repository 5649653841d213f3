"""Shapes: what compiled SQL may depend on, folded from who asks before it is made.

    Scope(user=7, roles={"staff", "chess"})  ->  Shapes.of  ->  Shape(signed_in, {"staff"})

Compiled statements are kept per shape, so shapes are few: only what some rule mentions
counts, and of those only the ones in use are remembered.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carboy.base.scope import Scope

__all__ = ["MOST", "Shape", "Shapes"]

MOST = 256  # shapes remembered; with twenty roles a million could be asked for


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """All that a compiled condition may depend on besides bind values.

    Compared by identity: a rulebook hands out one object for each (`Rulebook.shape`).

    version: of the rulebook, which rises when models are added.
    roles, tokens: only those that some rule mentions, so that shapes stay few.
    """

    version: int
    system: bool
    signed_in: bool
    has_tenant: bool
    roles: frozenset[str]
    tokens: frozenset[str] | None


class Shapes:
    """The shapes in use, one object for each; the longest unused is forgotten first.

    A scope that is entered still holds a shape that was forgotten: what was compiled for
    it stays good, until the compiled cache lets it go. Thread-safe.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._known: OrderedDict[Hashable, Shape] = OrderedDict()
        self._common: list[Shape | None] = [None] * 4  # of no role that counts; never forgotten
        self._lock = threading.Lock()

    def of(self, who: Scope, version: int, mentioned: frozenset[str]) -> Shape:
        """Return the shape of *who*. mentioned: roles and tokens that rules ask for."""
        signed_in, has_tenant = who.user is not None, who.tenant is not None
        roles = who.roles and who.roles & mentioned
        tokens = None if who.tokens is None else who.tokens & mentioned
        # PERF: for most people two questions decide: 0.6 us instead of 1.8, at each request.
        common = signed_in + 2 * has_tenant if not (roles or who.system) and tokens is None else -1
        if common >= 0:
            shape = self._common[common]
            if shape is not None and shape.version == version:
                return shape
        parts = (version, who.system, signed_in, has_tenant, frozenset(roles), tokens)
        with self._lock:
            shape = self._known.get(parts)
            if shape is None:
                shape = self._known[parts] = Shape(*parts)
            self._known.move_to_end(parts)
            while len(self._known) > self.most:
                self._known.popitem(last=False)
            if common >= 0:
                self._common[common] = shape
        return shape

    def __len__(self) -> int:
        return len(self._known)
