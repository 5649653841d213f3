"""Pages of a resource, as views of a blueprint.

    GET  /books                 list: search, filters, sort, pages, exports
    GET  /books/7               detail, with lists of what refers to it
    GET, POST /books/new        create
    GET, POST /books/7/edit     edit
    GET, POST /books/7/delete   delete: says what else goes
    POST /books/bulk            the same for many
    GET  /books.csv, .json      export

Each view renders `resource/<view>.html`; an application's `books/<view>.html` comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from flask import current_app, flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from carboy.auth.access import ask_to_sign_in
from carboy.base.errors import RequestFault
from carboy.base.scope import current
from carboy.engine.app import Blueprint
from carboy.engine.seam import cv_app, cv_request
from carboy.resource import export, writing
from carboy.resource.forms import answered, bound, form_of, home_of, values_of
from carboy.resource.listing import listing
from carboy.resource.may import may, refuse, settable
from carboy.resource.once import fingerprint_of, once
from carboy.resource.page import detailed, going
from carboy.web.form.bound import BoundForm
from carboy.web.form.reading import KEY_NAME
from carboy.web.form.widgets import render

if TYPE_CHECKING:
    from carboy.resource.declared import Resource
    from carboy.resource.plan import Plan

__all__ = ["Pages", "batteries", "blueprint", "led_to_sign_in", "routes", "say"]

MOST = 1_000  # rows of one bulk action
WORDS = 100  # characters of a search for choices


def blueprint(resource: Resource) -> Blueprint:
    """Return the blueprint "books" with the views of /books."""
    made = Blueprint(resource.name, __name__)
    routes(made, Pages(resource), _open)
    return made


def routes(made: Blueprint, pages: Pages, door: Callable[..., Any]) -> None:
    """Register the views of *pages*, each behind *door*."""
    path, both = pages.resource.path, ("GET", "POST")
    for rule, view, methods in (
        (path, pages.list, ("GET",)),
        (f"{path}.csv", pages.csv, ("GET",)),
        (f"{path}.json", pages.json, ("GET",)),
        (f"{path}/new", pages.create, both),
        (f"{path}/bulk", pages.bulk, ("POST",)),
        (f"{path}/-/options/<field>", pages.options, ("GET",)),
        (f"{path}/<key>", pages.detail, ("GET",)),
        (f"{path}/<key>/edit", pages.edit, both),
        (f"{path}/<key>/delete", pages.delete, both),
    ):
        made.add_url_rule(rule, view.__name__, door(view), methods=methods)


def _open(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return *view* as one that anybody may call: the policy decides what it finds."""

    def call(**arguments: Any) -> Any:
        return view(**arguments)

    call.__name__, call.__doc__ = view.__name__, view.__doc__
    call.__carboy_access__ = "public"  # type: ignore[attr-defined]  # read by auth/access.py
    return call


class Pages:
    """The views of one resource."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    @property
    def plan(self) -> Plan:
        """What follows from the model."""
        return self.resource.plan

    def list(self) -> Any:
        """Show the list."""
        return self._render("list", list=listing(self.plan))

    def detail(self, key: str) -> Any:
        """Show one row."""
        return self._render("detail", **detailed(self.plan, key))

    def csv(self) -> Any:
        """Send the list as CSV."""
        return export.as_csv(self.plan)

    def json(self) -> Any:
        """Send the list as JSON."""
        return export.as_json(self.plan)

    def create(self) -> Any:
        """Show the form for a new row, or save it."""
        plan = self.plan
        if not may(plan.model, "create"):
            return self._refuse("create")
        names = settable(plan.model, plan.create)
        spec = form_of(plan, "create", names)
        form = bound(spec, {name: text for name, text in request.args.items() if name in names})
        if form.valid:
            try:
                key, title = self._created(form)
            except RequestFault as error:
                return self._again("form", error, form, row=None)
            flash(say("%(title)s was added.", title=title), "good")
            return redirect(url_for(f"{plan.name}.detail", key=key), 303)
        return self._render("form", form=form, row=None), form.status

    def edit(self, key: str) -> Any:
        """Show the form of a row, or save it."""
        plan = self.plan
        row = writing.find(plan, key)
        if not may(row, "update"):
            return self._refuse("update")
        names = settable(plan.model, plan.update)
        form = bound(form_of(plan, "replace", names), values_of(row, names))
        if form.valid:
            try:
                writing.check_version(plan, row, request.form.get("row_version"))
                writing.update(plan, row, _sent(form))
            except RequestFault as error:
                return self._again("form", error, form, row=row)
            flash(say("%(title)s was saved.", title=plan.title_of(row)), "good")
            return redirect(home_of(plan, row), 303)
        return self._render("form", form=form, row=row), form.status

    def delete(self, key: str) -> Any:
        """Ask whether a row shall go, saying what goes with it; or delete it."""
        plan = self.plan
        row = writing.find(plan, key)
        if not may(row, "delete"):
            return self._refuse("delete")
        title = plan.title_of(row)
        if request.method == "POST":
            try:
                writing.delete(plan, row)
            except RequestFault as error:
                if error.status != 409:
                    raise
                page = self._render("delete", row=writing.find(plan, key), going=(), problem=error)
                return page, error.status
            flash(say("%(title)s was deleted.", title=title), "good")
            return redirect(url_for(f"{plan.name}.list"), 303)
        return self._render("delete", row=row, going=going(plan, row), problem=None)

    def bulk(self) -> Any:
        """Delete the chosen rows, after asking."""
        plan = self.plan
        keys = list(dict.fromkeys(request.form.getlist("key")))
        if not keys or len(keys) > MOST:
            flash(say("Choose up to %(most)s rows first.", most=MOST), "warn")
            return redirect(url_for(f"{plan.name}.list"), 303)
        rows = [writing.find(plan, key, "delete") for key in keys]
        if request.form.get("confirmed") != "yes":
            return self._render("bulk", rows=rows, keys=keys)
        titles = len(rows)
        writing.delete_all(plan, rows)
        flash(say("%(count)s rows were deleted.", count=titles), "good")
        return redirect(url_for(f"{plan.name}.list"), 303)

    def options(self, field: str) -> Any:
        """List rows that a reference may name, for a search as one types."""
        plan = self.plan
        known = plan.fields.get(field)
        if known is None or known.kind != "reference" or field not in plan.create:
            raise RequestFault(404, "resources.not_found", "There is nothing to choose here.")
        words = request.args.get(f"{field}-q", request.args.get("q", ""))[:WORDS]
        posted = MultiDict({f"{field}-q": words.replace("\0", ""), f"{field}-search": "1"})
        spec = form_of(plan, "create", (field,))
        spec = replace(spec, fields=(replace(spec.fields[0], widget="combo"),))
        return render("found", BoundForm(spec, posted=posted)[field])

    def _created(self, form: BoundForm) -> tuple[str, str]:
        """Save a new row; return its key and title. The same form sent twice makes one row."""
        plan = self.plan

        def work() -> list[str]:
            row = writing.create(plan, _sent(form))
            return [plan.key_text(row), plan.title_of(row)]

        if KEY_NAME not in request.form:
            key, title = work()
            return key, title
        # Other content under an old key is another row: somebody went back and typed on.
        texts = [part for pair in request.form.items(multi=True) if pair[0] != "csrf_token"
                 for part in pair]  # fmt: skip
        digest = fingerprint_of(*texts)
        key, title = once(f"{form.key}.{digest}", digest, work, about=f"{plan.name}.create").value
        return key, title

    def _render(self, view: str, **values: Any) -> str:
        names: Any = [f"{self.resource.name}/{view}.html", f"resource/{view}.html"]
        return render_template(names, plan=self.plan, resource=self.resource, **values)

    def _again(self, view: str, error: RequestFault, form: BoundForm, **values: Any) -> Any:
        """Show the form again with what saving it was refused for."""
        if error.status not in (409, 422):
            raise error
        answered(self.plan, form, error)
        return self._render(view, form=form, **values), error.status

    def _refuse(self, action: str) -> Any:
        """Lead a visitor to the sign-in page; tell anybody else that they may not."""
        return led_to_sign_in() or _raised(refuse(self.plan, action))


def led_to_sign_in() -> Any:
    """Return the way to the sign-in page for a visitor; None when there is none to lead there."""
    access: Any = batteries().get("access")
    if current().user is None and access is not None and access.sign_in:
        return ask_to_sign_in(cv_request.get(), access.sign_in)
    return None


def batteries() -> dict[str, Any]:
    """Return the batteries of this application."""
    found: dict[str, Any] = getattr(cv_app.get().app, "batteries", {})
    return found


def _raised(error: Exception) -> NoReturn:
    raise error


def _sent(form: BoundForm) -> dict[str, Any]:
    return dict(form.data)


def say(text: str, **values: Any) -> str:
    """Return *text* in the language of the request."""
    say = current_app.jinja_env.globals.get("_")
    return str(say(text, **values)) if callable(say) else text % values
