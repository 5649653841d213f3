"""The pages of the admin that are not of one resource, and the door to all of them.

GET /admin            counts, charts, the newest changes
GET /admin/search     one search over every resource
GET /admin/history    what was changed, by whom
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import current_app, render_template, request

from carboy.base.scope import current
from carboy.engine.app import Blueprint
from carboy.policy.errors import NotPermitted
from carboy.resource import history
from carboy.resource.admin import imports
from carboy.resource.admin.board import board
from carboy.resource.choices import choices_of
from carboy.resource.declared import Resource, declare
from carboy.resource.html import Pages, led_to_sign_in, routes
from carboy.resource.may import may
from carboy.resource.page import detailed

if TYPE_CHECKING:
    from carboy.resource.admin.battery import Admin

__all__ = ["begin", "blueprint", "twin"]

FOLDER = Path(__file__).parent / "templates"
SHELL = "carboy/workshop.html"
FOUND = 5  # rows of each resource in the search over all
WORDS = 200  # characters of a search


def twin(resource: Resource) -> Resource:
    """Return *resource* as it is in the admin: other addresses, no API, all else the same."""
    kind = type(f"Admin{type(resource).__name__}", (type(resource),), {})
    said = dict(vars(resource))
    said.pop("plan", None)
    said |= {"name": f"admin_{resource.name}", "prefix": "/admin", "pages": True, "api": False,
             "admin": False}  # fmt: skip
    history.record(resource.model)
    return declare(kind, said)


def blueprint(resource: Resource) -> Blueprint:
    """Return the pages of a twin."""
    made = Blueprint(resource.name, __name__, template_folder=str(FOLDER))
    pages = AdminPages(resource)
    routes(made, pages, guarded)
    path = resource.path
    for rule, view in ((f"{path}/import", pages.bring), (f"{path}/import/<token>", pages.brought)):
        made.add_url_rule(rule, view.__name__, guarded(view), methods=("GET", "POST"))
    return made


def guarded(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return *view* for people with a role of ADMIN_ROLES only."""

    @wraps(view)
    def call(**arguments: Any) -> Any:
        if not _is_let_in():
            if (way := led_to_sign_in()) is not None:
                return way
            raise NotPermitted("This is for people who run the place.", code="admin.role")
        return view(**arguments)

    call.__carboy_access__ = "public"  # type: ignore[attr-defined]  # guarded here
    return call


def begin(app: Any, admin: Admin) -> None:
    """Register the pages that are there once."""
    made = Blueprint("admin", __name__, template_folder=str(FOLDER))

    def twins() -> list[Any]:
        return [one.plan for one in admin.twins.values() if may(one.model, "read")]

    def home() -> Any:
        """Show how things stand."""
        plans = twins()
        by_model = {one.model.__name__: one for one in plans}
        return render_template(
            "admin/index.html", layout=SHELL, board=board(plans),
            changes=_seen(history.newest(by_model, 12)), plans=by_model,
        )  # fmt: skip

    def search() -> Any:
        """Search every resource by the titles of its rows."""
        words = request.args.get("q", "").strip()[:WORDS]
        found = []
        for plan in twins() if words else ():
            rows = choices_of(plan.model).options(words, FOUND + 1)
            if rows:
                found.append((plan, rows[:FOUND], len(rows) > FOUND))
        return render_template("admin/search.html", layout=SHELL, q=words, found=found)

    def changes() -> Any:
        """Show the newest changes of everything."""
        by_model = {one.model.__name__: one for one in twins()}
        shown = _seen(history.newest(by_model, 100))
        return render_template("admin/history.html", layout=SHELL, changes=shown, plans=by_model)

    for rule, view in (("/admin", home), ("/admin/search", search), ("/admin/history", changes)):
        made.add_url_rule(rule, view.__name__, guarded(view))
    app.register_blueprint(made)
    if "look" in app.batteries:
        app.nav("Dashboard", "admin.home", icon="home", where="workshop")
        app.nav("History", "admin.changes", icon="clock", where="workshop")
        app.nav("Admin", "admin.home", icon="key", visible=_is_let_in)


def _is_let_in() -> bool:
    return not current().roles.isdisjoint(current_app.config["ADMIN_ROLES"])


def _seen(entries: list[Any]) -> list[tuple[Any, str]]:
    """Return (change, name of who made it) pairs; names through the policy of people."""
    names: dict[str, str] = {}
    people = current_app.extensions.get("carboy.people")
    for one in entries:
        if one.who and one.who not in names:
            label = people(one.who) if callable(people) else None
            names[one.who] = label or f"#{one.who}"
    return [(one, names.get(one.who or "", "")) for one in entries]


class AdminPages(Pages):
    """The pages of a resource in the workshop, with its history and an import."""

    def detail(self, key: str) -> Any:
        """Show one row and its history."""
        shown = detailed(self.plan, key)
        trail = _seen(history.changes_of(self.plan, key))
        return self._render("detail", trail=trail, **shown)

    def bring(self) -> Any:
        """Take a CSV file and show what would become of it."""
        if not may(self.plan.model, "create"):
            return self._refuse("create")
        return imports.preview(self)

    def brought(self, token: str) -> Any:
        """Import the file that was looked at."""
        if not may(self.plan.model, "create"):
            return self._refuse("create")
        return imports.carry_out(self, token)

    def _render(self, view: str, **values: Any) -> str:
        return super()._render(view, **{"layout": SHELL, "in_admin": True, **values})
