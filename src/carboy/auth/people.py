"""Whether this program has people: it has once the model `User` is imported.

    carboy.auth.models is imported  ->  arrived()  ->  every application that asked is told

Until then nothing of accounts exists: no routes, no tables, Flask's own session. An
application may import `User` before it makes its `Carboy`, or after.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["arrived", "imported", "tell"]

imported = False
"""Whether the model User is there. Tests of applications without people set it to False."""

_waiting: list[Callable[[], object]] = []


def tell(method: Callable[[Any], None], app: Any) -> None:
    """Call *method* with *app* once there are people: at once, or when `User` is imported.

    method: bound; neither its owner nor the application is kept alive.
    """
    if imported:
        method(app)
        return
    weak, ref = weakref.WeakMethod(method), weakref.ref(app)

    def later() -> None:
        found, alive = weak(), ref()
        if found is not None and alive is not None:
            found(alive)

    _waiting.append(later)


def arrived() -> None:
    """Tell everybody who waits; the models call it when they are complete."""
    global imported
    imported = True
    while _waiting:
        _waiting.pop(0)()
