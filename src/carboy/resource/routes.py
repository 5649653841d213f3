"""Routes of a resource: which address leads to which view.

    /books            books.list      /api/books          books_api.list, books_api.create
    /books/new        books.create    /api/books/<key>    books_api.detail, ...

The policy decides who sees what, so the routes themselves are open.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from carboy.data.naming import label_of, table_name
from carboy.engine.app import Blueprint
from carboy.resource.may import may

if TYPE_CHECKING:
    from carboy.resource.declared import Resource

__all__ = ["add", "line"]

API = "/api/"
TEMPLATES = "carboy_resources"  # a blueprint that brings templates, for the admin too


def add(app: Any, resource: Resource) -> None:
    """Register the pages and the API of *resource*."""
    if TEMPLATES not in app.blueprints:
        app.register_blueprint(Blueprint(TEMPLATES, __name__, template_folder="templates"))
    if resource.pages:
        app.register_blueprint(import_module("carboy.resource.html").blueprint(resource))
        line(app, resource, "shop")
    if resource.api:
        app.register_blueprint(import_module("carboy.resource.rest").blueprint(resource))
        _only_problems(app)
        if "carboy_openapi" not in app.blueprints:
            app.register_blueprint(import_module("carboy.resource.openapi.routes").blueprint())
            if "look" in app.batteries:
                place = {"icon": "file", "group": "Build", "where": "workshop"}
                app.nav("API reference", "carboy_openapi.reference", **place)


def _only_problems(app: Any) -> None:
    """Answer errors below /api with problem documents, to browsers too."""
    programs = getattr(app.fault_renderer, "programs", None)
    if programs is not None and API not in programs:
        app.fault_renderer.programs = (*programs, API)


def line(app: Any, resource: Resource, shell: str, group: str = "") -> None:
    """Add *resource* to the navigation, where there is one, for who may see some of it."""
    if "look" in app.batteries and resource.nav:
        model = resource.model
        label = resource.label or model.__name__
        app.nav(
            label_of(table_name(label.title().replace(" ", ""))), f"{resource.name}.list",
            icon=resource.icon or "list", group=group, where=shell,
            visible=lambda: may(model, "read"),
        )  # fmt: skip
