"""Carboy with its default batteries, for both of its ways to read."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from benchmarks.programs import SECRET
from carboy import Carboy
from carboy.base.scope import current

__all__ = ["application"]


def application(url: str, blank: dict[str, bytes], several: Any, one: Any) -> Any:
    """Return the application; several, one: the two views."""
    app = Carboy(__name__, static_folder=None)
    app.config.update(SECRET_KEY=SECRET, DATABASE_URL=url)
    app.scope_loader(lambda: int(request.headers["X-User"]))
    app.get("/shelves/<int:shelf>/books", endpoint="several")(several)
    app.get("/books/<int:key>", endpoint="one")(one)

    def nothing(name: str) -> Response:
        assert current().user
        return Response(blank[name], mimetype="application/json")

    app.get("/blank/<name>", endpoint="blank")(nothing)
    return app
