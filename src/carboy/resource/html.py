"""Pages of a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carboy.engine.app import Blueprint

if TYPE_CHECKING:
    from carboy.resource.declared import Resource

__all__ = ["blueprint"]


def blueprint(resource: Resource) -> Blueprint:
    """Return the blueprint "books" with the views of /books."""
    return Blueprint(resource.name, __name__, url_prefix=resource.path)
