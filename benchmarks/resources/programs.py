"""What answers the list: a resource of Carboy, and the programs of `benchmarks.data`.

load(name)   ->  a module with TITLE, KIND, DISTRIBUTIONS and build(url, blank)
PATHS[name]  ->  the address that answers the 20 rows
"""

from __future__ import annotations

import json
import sys
from typing import Any

from flask import request

from benchmarks.data import programs, shop
from benchmarks.programs import SECRET

__all__ = ["ORDER", "PATHS", "SERVERS", "load", "rows"]

TITLE = "Carboy, app.resource(Book)"
KIND = "wsgi"
DISTRIBUTIONS = ("carboy", "sqlalchemy")

ORDER = ("carboy", "django_drf", "fastapi_sqlmodel")
OTHERS = shop.PATHS["list"]
PATHS = {
    "carboy": f"/api/books?shelf={shop.SHELF}&sort=id&fields={','.join(shop.FIELDS)}",
    "django_drf": OTHERS,
    "fastapi_sqlmodel": OTHERS,
}
SERVERS = {
    "carboy": ("granian-wsgi",),
    "django_drf": ("granian-wsgi",),
    "fastapi_sqlmodel": ("granian-asgi", "uvicorn"),
}
"""What each is measured under; the best one counts."""


def load(name: str) -> Any:
    """Return the program."""
    return sys.modules[__name__] if name == "carboy" else programs.load(name)


def build(url: str, blank: dict[str, bytes]) -> Any:
    """Return the application of Carboy: default batteries, a model, its resource."""
    from carboy import Carboy

    app = Carboy("shop", static_folder=None)
    app.config.update(SECRET_KEY=SECRET, DATABASE_URL=url)
    app.scope_loader(lambda: int(request.headers["X-User"]))
    app.resource(shop.Book)  # type: ignore[attr-defined,unused-ignore]  # of the battery
    return app


def rows(name: str, body: bytes) -> bytes:
    """Return the rows in an answer, as a JSON array."""
    found = json.loads(body)
    return json.dumps(found["items"] if name == "carboy" else found).encode()
