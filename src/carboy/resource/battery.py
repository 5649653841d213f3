"""Resources as the application meets them: `app.resource(Book)`.

declare   app.resource(...)       routes are there at once
seal      plans are made          every model is known by then
"""

from __future__ import annotations

import importlib
import weakref
from typing import Any

from carboy.base.battery import Battery
from carboy.base.errors import SetupError
from carboy.base.options import Flag, Option

__all__ = ["EXTENSION", "Resources"]

EXTENSION = "carboy.resources"  # app.extensions: the battery


class Resources(Battery):
    """Pages and a REST API for models.

    declared: by name. plans: by model, made at the seal.
    """

    name = "resources"
    needs = ("data",)
    options = (
        Option(
            "RESOURCE_REQUIRE_IF_MATCH", Flag, default=False,
            help="Refuse changes of versioned rows through the API that do not say by If-Match"
            " which version they were made from, with 428.",
            because="RFC 6585 section 3: so nobody overwrites what they have not seen.",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        self._ref: Any = None
        self.declared: dict[str, Any] = {}

    def init(self, app: Any) -> None:
        """Give the application `app.resource(...)`."""
        self._ref = weakref.ref(app)
        app.extensions[EXTENSION] = self
        app.resource = self.resource
        app.jinja_environment = _with_may(app.jinja_environment)

    def resource(self, what: Any, **options: Any) -> Any:
        """Give a model pages, a REST API and a place in the admin; return its `Resource`.

        what: the model, or a class derived from `Resource`. options: see there.
        """
        declare = importlib.import_module("carboy.resource.declared").declare
        made = declare(what, options)
        if made.name in self.declared:
            raise SetupError(
                "resources.twice",
                f"Two resources are called {made.name!r}.",
                hint='Give one another name: app.resource(Book, name="old_books").',
            )
        self.declared[made.name] = made
        app = self._ref()
        importlib.import_module("carboy.resource.routes").add(app, made)
        admin = app.batteries.get("admin")
        if made.admin and admin is not None:
            admin.take(made)
        return made

    def seal(self, app: Any) -> None:
        """Make the plans."""
        if self.declared:
            make = importlib.import_module("carboy.resource.plan").make
            known: dict[Any, Any] = {}
            for one in self.declared.values():
                known.setdefault(one.model, one)  # the first one is where references lead
            for one in self.declared.values():
                one.plan = make(one, known)


def _with_may(base: type[Any]) -> type[Any]:
    """Return the Jinja environment class *base* with `may(row, action)` among its globals."""

    class Environment(base):  # type: ignore[misc]  # whichever class the application has
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.globals["may"] = _may

    return Environment


def _may(what: Any, action: str) -> bool:
    """Return whether who asks may do *action*; see `carboy.resource.may`."""
    found: bool = importlib.import_module("carboy.resource.may").may(what, action)
    return found
