"""Who asks in a request: found out when somebody wants to know, once.

    @app.scope_loader     ->  the user of this request, or None
    current() in a view   ->  request_frame()  ->  Scope, kept on the request's context

A test says it in the environ: environ["carboy.scope"] = Scope(...). No client can: what a
server puts there is text.
"""

from __future__ import annotations

from typing import Any

from carboy.base import scope
from carboy.base.scope import VISITOR, Frame, Scope, ask, opened
from carboy.engine.seam import cv_request

__all__ = ["ENVIRON", "request_frame"]

ENVIRON = "carboy.scope"  # the key in the environ under which tests say who asks
FRAME = "carboy_frame"  # attribute of a request's context


def request_frame() -> Frame | None:
    """Return the frame of this request; None outside of a request."""
    ctx = cv_request.get(None)
    if ctx is None:
        return None
    found: Frame | None = ctx.__dict__.get(FRAME)
    if found is None:
        found = ctx.__dict__[FRAME] = opened(_who(ctx), "request")
    return found


def _who(ctx: Any) -> Scope:
    # PERF: the environ of our own context; its request would have to be made.
    environ = getattr(ctx, "environ", None) or ctx.request.environ
    if ENVIRON in environ and isinstance(environ[ENVIRON], Scope):
        return environ[ENVIRON]  # type: ignore[no-any-return]  # a Scope, as was asked
    loader = getattr(ctx.app, "who_asks", None)
    return VISITOR if loader is None else ask(loader)


scope.openers.append(request_frame)
