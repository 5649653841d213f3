"""Routes of a resource: which address leads to which view.

    /books            books.list      /api/books          books_api.list, books_api.create
    /books/new        books.create    /api/books/<key>    books_api.detail, ...

The policy decides who sees what, so the routes themselves are open.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carboy.resource.declared import Resource

__all__ = ["add"]


def add(app: Any, resource: Resource) -> None:
    """Register the pages and the API of *resource*."""
    if resource.pages:
        app.register_blueprint(import_module("carboy.resource.html").blueprint(resource))
    if resource.api:
        app.register_blueprint(import_module("carboy.resource.rest").blueprint(resource))
