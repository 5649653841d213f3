"""Monitoring agents that wrap `Flask.wsgi_app` on the class, with our flow inside.

    agent's wrapper  ->  Flask's own wsgi_app, on a stand-in  ->  flow.serve

Agents replace the method of Flask itself, which an application of ours would
never call: it has its own. So Flask's method is called after all, wrapper and
everything, with a stand-in for the application that has nothing to open, nothing
to close, and our flow for a dispatch. Relies on the shape of Flask.wsgi_app 3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

__all__ = ["through_agent"]

PRESERVE = "werkzeug.debug.preserve_context"

Serve = Callable[[Any, Any], Iterable[bytes]]


def through_agent(app: Any, serve: Serve) -> Serve:
    """Return *serve* as the agent's wrapper of Flask.wsgi_app would have it called."""
    stand_in: Any = _StandIn(app, serve)
    return lambda environ, start_response: Flask.wsgi_app(stand_in, environ, start_response)


class _StandIn:
    """The application, to whoever looks; to Flask.wsgi_app a request without steps."""

    def __init__(self, app: Any, serve: Serve) -> None:
        self.__dict__.update(_app=app, _serve=serve)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._app, name, value)

    @property  # type: ignore[misc]  # isinstance() shall see the application
    def __class__(self) -> Any:
        return type(self._app)

    def request_context(self, environ: Any) -> _Nothing:
        """Return a context that opens nothing; the flow opens the real one."""
        return _Nothing()

    def full_dispatch_request(self) -> Serve:
        """Return what Flask calls as the response."""
        return self._answer

    def _answer(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        try:
            body: Iterable[bytes] = self._serve(environ, start_response)
        finally:
            environ.pop(PRESERVE, None)  # the flow has handed its contexts over already
        return body


class _Nothing:
    def push(self) -> None:
        """Open nothing."""

    def pop(self, error: BaseException | None) -> None:
        """Close nothing."""
