"""REST: the API of a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carboy.engine.app import Blueprint

if TYPE_CHECKING:
    from carboy.resource.declared import Resource

__all__ = ["blueprint"]


def blueprint(resource: Resource) -> Blueprint:
    """Return the blueprint "books_api" with the views of /api/books."""
    return Blueprint(f"{resource.name}_api", __name__, url_prefix=f"/api{resource.path}")
