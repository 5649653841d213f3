"""The admin as the application meets it.

    app.resource(Book)  ->  Admin.take()  ->  the same pages at /admin/books, in the workshop
    /admin              ->  counts, charts, the newest changes, search over all

Who has none of the roles in ADMIN_ROLES sees nothing of it. The policies of the models hold
here too: the admin shows and changes what its user may see and change.
"""

from __future__ import annotations

import importlib
import weakref
from typing import Any

from carboy.auth import people
from carboy.base.battery import Battery
from carboy.base.options import Names, Option

__all__ = ["EXTENSION", "Admin"]

EXTENSION = "carboy.admin"  # app.extensions: the battery


class Admin(Battery):
    """The workshop at /admin. twins: the resources as they are there, by name."""

    name = "admin"
    needs = ("resources",)
    options = (
        Option(
            "ADMIN_ROLES", Names, default=["admin"],
            help="Let people with one of these roles into /admin; what they see and change"
            " there, the policies of the models decide.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self._ref: Any = None
        self.twins: dict[str, Any] = {}

    def init(self, app: Any) -> None:
        """Wait for resources, and for people."""
        self._ref = weakref.ref(app)
        app.extensions[EXTENSION] = self
        people.tell(self.welcome, app)

    def welcome(self, app: Any) -> None:
        """Let the admin look after people and their roles, once there are any."""
        self.take(importlib.import_module("carboy.resource.admin.users").people(app))

    def take(self, resource: Any) -> None:
        """Give *resource* its pages in the admin; the first one brings the admin itself."""
        views = importlib.import_module("carboy.resource.admin.views")
        app = self._ref()
        if not self.twins:
            views.begin(app, self)
        twin = views.twin(resource)
        self.twins[twin.name] = twin
        app.register_blueprint(views.blueprint(twin))
        group = "People" if twin.model.__name__ == "User" else "Data"
        importlib.import_module("carboy.resource.routes").line(app, twin, "workshop", group)

    def seal(self, app: Any) -> None:
        """Make the plans of the twins: their links stay in the admin."""
        if self.twins:
            make = importlib.import_module("carboy.resource.plan").make
            known: dict[Any, Any] = {}
            for one in self.twins.values():
                known.setdefault(one.model, one)
            for one in self.twins.values():
                one.plan = make(one, known)
