"""One program per way to answer the two requests, all with the same interface.

TITLE, KIND and DISTRIBUTIONS as in `benchmarks.programs`; build(url, blank) returns the
application: *blank* maps "list" and "one" to the finished bytes that /blank/... answers, once it
has found out who asks.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["ORDER", "load", "moment"]

ORDER = (
    "raw",
    "carboy_raw",
    "carboy_read",
    "carboy_orm",
    "sqlalchemy_orm",
    "flask_sqlalchemy",
    "django_drf",
    "fastapi_sqlmodel",
)


def load(name: str) -> Any:
    """Import program *name*."""
    return importlib.import_module(f"{__name__}.{name}")


def moment(value: Any) -> str:
    """Return a moment as JSON shows it, where a program must do it by hand."""
    return str(value.isoformat())


def bare(answers: dict[str, Any], blank: dict[str, bytes]) -> Any:
    """Return a bare WSGI application.

    answers: "list" and "one" to functions of (environ, number in the path) that return bytes.
    """

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        parts, me = environ["PATH_INFO"].split("/"), int(environ["HTTP_X_USER"])
        if parts[1] == "blank":
            body = blank[parts[2]]
        elif parts[1] == "shelves":
            body = answers["list"](me, int(parts[2]))
        else:
            body = answers["one"](me, int(parts[2]))
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    return app
