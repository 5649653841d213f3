"""Set-up mistakes that Flask notices at run time, told in our voice.

Each is also the exception that Flask raises, so code that catches Flask's
still does.
"""

from __future__ import annotations

import inspect
from typing import Any

from carboy.base.errors import SetupError

__all__ = [
    "DuplicateEndpoint",
    "NothingReturned",
    "duplicate_endpoint",
    "nothing_returned",
    "place",
]


class DuplicateEndpoint(SetupError, AssertionError):
    """Two different views claim one endpoint."""


class NothingReturned(SetupError, TypeError):
    """A view ended without a return value. about: the view."""

    about: Any = None


def place(function: Any) -> str:
    """Return "file.py:12 (name)" for *function*, as far as it can be known."""
    inner = inspect.unwrap(function) if callable(function) else function
    code = getattr(inner, "__code__", None)
    name = getattr(inner, "__qualname__", repr(inner))
    return f"{code.co_filename}:{code.co_firstlineno} ({name})" if code else name


def duplicate_endpoint(endpoint: str, first: Any, second: Any) -> DuplicateEndpoint:
    """Return the error for *second* being registered where *first* already is."""
    return DuplicateEndpoint(
        "routes.endpoint.twice",
        f"Two views want the endpoint {endpoint!r}:\n  {place(first)}\n  {place(second)}",
        hint="Usually two functions share a name, or a decorator above @app.route hides it"
        " (add functools.wraps there). Rename one, or give it its own:"
        f' @app.route(..., endpoint="{endpoint}_2").',
    )


def nothing_returned(ctx: Any) -> NothingReturned:
    """Return the error for a view (or error handler) that returned None."""
    view = ctx.app.view_functions.get(ctx.lane.endpoint)
    where = f"\n  {place(view)}" if view is not None else ""
    error = NothingReturned(
        "view.nothing",
        f"The view for {ctx.lane.endpoint!r} ({ctx.lane.pattern}) did not return a response:"
        f" it returned None or ended without a return statement.{where}",
        hint="Return text, a dict, a template, a redirect or a Response."
        ' For an answer without a body: return "", 204.',
    )
    error.about = view
    return error
